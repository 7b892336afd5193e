"""`cooper restart`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, NUMBER, TEXT, Command, Flag, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="CONTAINER ...",
    maximum=-1,
    completes=CONTAINER,
    flags=(
        Flag("time", "t", NUMBER, "SECONDS", "kill after so long (-1: never)", aliases=("timeout",)),
        Flag("signal", "s", TEXT, "SIGNAL", "send this instead of the container's stop signal"),
        Flag("all", "a", text="all containers"),
    ),
    examples=(("cooper restart web", "stop it, if it runs, and start it"),),
)


def run(invocation: Invocation) -> int:
    """The containers have ended and run again."""
    from cooper.containers import record
    from cooper.containers.attached import start_container
    from cooper.containers.lookup import chosen, find, for_each, open_database
    from cooper.containers.prepare import signal_name
    from cooper.containers.stop import Stopping

    settings, given = invocation.settings, invocation.options
    database = open_database(settings)
    signal = signal_name(given["signal"]) if given["signal"] else ""

    def restart(name: str) -> None:
        container = find(settings, database, name)
        if container.state == record.RUNNING:
            Stopping(settings, database, container, signal, given["time"]).wait()
        start_container(settings, database, container.id)
        print_line(name)

    return for_each(chosen(settings, database, invocation.arguments, given["all"]), restart)
