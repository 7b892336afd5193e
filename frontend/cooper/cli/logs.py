"""`cooper logs`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, TEXT, Command, Flag, Invocation

COMMAND = Command(
    arguments="CONTAINER",
    minimum=1,
    maximum=1,
    completes=CONTAINER,
    flags=(
        Flag("follow", "f", text="go on until the container ends"),
        Flag("tail", "n", TEXT, "LINES", "only so many of the last lines", "all"),
        Flag("since", "", TEXT, "TIME", "from then on: 10m, 2026-01-31T12:00:00Z, seconds since 1970"),
        Flag("until", "", TEXT, "TIME", "up to then"),
        Flag("timestamps", "t", text="when each line was written, first"),
    ),
    examples=(
        ("cooper logs web", "all that it has written"),
        ("cooper logs -f --tail 10 web", "the last ten lines, and what comes"),
        ("cooper logs --since 10m -t web", "the last ten minutes, with times"),
    ),
)


def run(invocation: Invocation) -> int:
    """What the container has written is on the streams that it was written to."""
    from cooper.containers.logs import print_log
    from cooper.containers.lookup import find, open_database

    settings = invocation.settings
    container = find(settings, open_database(settings), invocation.arguments[0])
    return print_log(settings, container, invocation.options)
