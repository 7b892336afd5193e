"""`cooper stats`."""

from __future__ import annotations

from cooper.cli.command import RUNNING, TEXT, Command, Flag, Invocation

COMMAND = Command(
    arguments="[CONTAINER ...]",
    maximum=-1,
    completes=RUNNING,
    flags=(
        Flag("no-stream", "", text="once, instead of every second"),
        Flag("all", "a", text="also containers that do not run"),
        Flag("format", "", TEXT, "TEMPLATE", "json, a Go template, or table and one"),
        Flag("no-trunc", "", text="whole ids"),
    ),
    examples=(
        ("cooper stats", "what the containers use, every second"),
        ("cooper stats --no-stream web", "once"),
    ),
)


def run(invocation: Invocation) -> int:
    """What containers use is shown, until ctrl-c."""
    from cooper.containers.stats import show

    return show(invocation)
