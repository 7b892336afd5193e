"""`cooper stop`."""

from __future__ import annotations

from cooper.cli.command import NUMBER, RUNNING, TEXT, Command, Flag, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="CONTAINER ...",
    maximum=-1,
    completes=RUNNING,
    flags=(
        Flag("time", "t", NUMBER, "SECONDS", "kill after so long (-1: never)", aliases=("timeout",)),
        Flag("signal", "s", TEXT, "SIGNAL", "send this instead of the container's stop signal"),
        Flag("all", "a", text="all containers that run"),
    ),
    examples=(
        ("cooper stop web", "send TERM, and KILL after 10 seconds"),
        ("cooper stop -t 1 web db", "both at once, and quickly"),
    ),
)


def run(invocation: Invocation) -> int:
    """The containers have ended."""
    from cooper.containers.lookup import ALIVE, chosen, find, for_each, open_database
    from cooper.containers.prepare import signal_name
    from cooper.containers.stop import Stopping

    settings, given = invocation.settings, invocation.options
    database = open_database(settings)
    signal = signal_name(given["signal"]) if given["signal"] else ""
    stopping: list[tuple[str, Stopping]] = []

    def ask(name: str) -> None:
        container = find(settings, database, name)
        stopping.append((name, Stopping(settings, database, container, signal, given["time"])))

    status = for_each(chosen(settings, database, invocation.arguments, given["all"], ALIVE), ask)
    for name, each in stopping:
        each.wait()
        print_line(name)
    return status
