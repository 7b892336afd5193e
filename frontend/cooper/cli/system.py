"""`cooper system info`, `df`, `stop` and `restart`."""

from __future__ import annotations

from cooper.cli.command import TEXT, Command, Flag, Invocation

COMMAND = Command(
    flags=(
        Flag("format", "f", TEXT, "TEMPLATE", "info, df: json or a Go template"),
        Flag("verbose", "v", text="df: one line for each"),
    ),
    examples=(
        ("cooper system info", "this machine, and where cooper keeps things"),
        ("cooper system df", "what takes how much space"),
        ("cooper system stop", "before a shutdown; `system restart` starts again what is to run always"),
        ("cooper system restart", "after a reboot, start what is to run always"),
    ),
)


def run(invocation: Invocation) -> int:
    """The system command is done."""
    from cooper.containers import system

    name = invocation.command.removeprefix("system ").replace("info", "show_info")
    return getattr(system, name)(invocation)  # type: ignore[no-any-return]
