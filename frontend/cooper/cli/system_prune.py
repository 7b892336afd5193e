"""`cooper system prune`."""

from __future__ import annotations

from cooper.cli.command import Command, Flag, Invocation

COMMAND = Command(
    flags=(
        Flag("all", "a", text="also images with a name that no container has"),
        Flag("volumes", "", text="also volumes that no container has"),
        Flag("force", "f", text="do not ask"),
    ),
    examples=(
        ("cooper system prune", "remove containers that do not run, networks and images that nobody uses"),
    ),
)


def run(invocation: Invocation) -> int:
    """What nobody uses is gone."""
    from cooper.containers.system import prune

    return prune(invocation)
