"""`cooper attach`."""

from __future__ import annotations

from cooper.cli.command import BOOL, RUNNING, TEXT, Command, Flag, Invocation

COMMAND = Command(
    arguments="CONTAINER",
    minimum=1,
    maximum=1,
    completes=RUNNING,
    flags=(
        Flag("detach-keys", "", TEXT, "KEYS", "what leaves the container running (default: ctrl-p,ctrl-q)"),
        Flag("no-stdin", "", text="do not pass on the standard input"),
        Flag("sig-proxy", "", BOOL, text="pass signals on to the program (default: true)", default=True),
    ),
    examples=(("cooper attach shell", "go back to a program that was left with ctrl-p ctrl-q"),),
)


def run(invocation: Invocation) -> int:
    """The container has ended (its exit status) or was left running (0)."""
    from cooper.containers.attached import attach_container
    from cooper.containers.lookup import open_database

    return attach_container(invocation, open_database(invocation.settings))
