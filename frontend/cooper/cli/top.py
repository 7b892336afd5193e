"""`cooper top`."""

from __future__ import annotations

from cooper.cli.command import RUNNING, Command, Invocation

COMMAND = Command(
    arguments="CONTAINER [COLUMN ...]",
    minimum=1,
    maximum=-1,
    in_order=True,
    completes=RUNNING,
    examples=(
        ("cooper top web", "the processes of web, by the host's numbers"),
        ("cooper top web pid user rss args", "other columns"),
    ),
)


def run(invocation: Invocation) -> int:
    """The container's processes are listed, from the host's /proc alone."""
    from cooper.containers.top import list_processes

    return list_processes(invocation)
