"""`cooper system prune`."""

from __future__ import annotations

from cooper.cli.command import LIST, Command, Flag, Invocation

COMMAND = Command(
    flags=(
        Flag("all", "a", text="also images with a name that no container has"),
        Flag("volumes", "", text="also volumes that no container has"),
        Flag("force", "f", text="do not ask"),
        Flag(
            "filter",
            "",
            LIST,
            "KEY=VALUE",
            "only containers and images with: label, until=DURATION (made before that)",
        ),
    ),
    examples=(
        ("cooper system prune", "remove containers that do not run, networks and images that nobody uses"),
        ("cooper system prune -af --filter until=24h", "only what is older than a day, without a question"),
    ),
)


def run(invocation: Invocation) -> int:
    """What nobody uses is gone."""
    from cooper.containers.system import prune

    return prune(invocation)
