"""`cooper container cleanup`: what a supervisor becomes when its container has ended."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, Command, Invocation

COMMAND = Command(
    arguments="CONTAINER",
    minimum=1,
    maximum=1,
    completes=CONTAINER,
    examples=(("cooper container cleanup web", "release what the ended container web used"),),
)


def run(invocation: Invocation) -> int:
    """The container's end is noted, and its mounts and addresses are released."""
    from cooper.containers.lookup import open_database
    from cooper.containers.settle import clean_up

    clean_up(invocation.settings, open_database(invocation.settings), invocation.arguments[0])
    return 0
