"""`cooper volume rm` and `prune`."""

from __future__ import annotations

from cooper.cli.command import LIST, VOLUME, Command, Flag, Invocation

COMMAND = Command(
    arguments="[NAME ...]",
    maximum=-1,
    completes=VOLUME,
    flags=(
        Flag("force", "f", text="do not ask, and do not mind what is missing"),
        Flag("all", "a", text="prune: also volumes with a name"),
        Flag("filter", "", LIST, "KEY=VALUE", "prune: name, label"),
    ),
    examples=(
        ("cooper volume rm data", "remove it and all in it"),
        ("cooper volume prune", "remove unnamed volumes that no container has"),
    ),
)


def run(invocation: Invocation) -> int:
    """The volumes are gone."""
    from cooper.volumes import commands

    return (commands.remove if invocation.command == "volume rm" else commands.prune)(invocation)
