"""`cooper volume create`, `ls` and `inspect`."""

from __future__ import annotations

from cooper.cli.command import LIST, TEXT, VOLUME, Command, Flag, Invocation

COMMAND = Command(
    arguments="[NAME ...]",
    maximum=-1,
    completes=VOLUME,
    flags=(
        Flag("label", "l", LIST, "NAME=VALUE", "create: a label"),
        Flag("opt", "o", LIST, "NAME=VALUE", "create: an option of the driver", hidden=True),
        Flag("driver", "d", TEXT, "NAME", "create: local, the only one", "local"),
        Flag("filter", "", LIST, "KEY=VALUE", "ls: name, label, dangling"),
        Flag("format", "f", TEXT, "TEMPLATE", "ls, inspect: json or a Go template"),
        Flag("quiet", "q", text="ls: only the names"),
    ),
    examples=(
        ("cooper volume create data", "an empty volume for -v data:/somewhere"),
        ("cooper volume ls", "all volumes"),
        ("cooper volume inspect data", "where it is, and its labels"),
    ),
)


def run(invocation: Invocation) -> int:
    """The volume command is done."""
    from cooper.volumes import commands

    name = invocation.command.removeprefix("volume ")
    return getattr(commands, {"ls": "list_volumes"}.get(name, name))(invocation)  # type: ignore[no-any-return]
