"""`cooper cp`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, Command, Flag, Invocation

COMMAND = Command(
    arguments="CONTAINER:PATH PATH | PATH CONTAINER:PATH",
    minimum=2,
    maximum=2,
    completes=CONTAINER,
    flags=(
        Flag("archive", "a", text="keep the numbers of owners"),
        Flag("follow-link", "L", text="copy what a link at the source leads to"),
        Flag("quiet", "q", text="taken for docker's sake: nothing is shown anyway", hidden=True),
    ),
    examples=(
        ("cooper cp web:/etc/hosts .", "out of the container"),
        ("cooper cp site/. web:/srv", "what is in a directory, into the container"),
        ("cooper cp web:/srv - | tar t", "as a tar, on standard output"),
    ),
)


def run(invocation: Invocation) -> int:
    """The files are copied."""
    from cooper.containers.copy import copy

    return copy(invocation)
