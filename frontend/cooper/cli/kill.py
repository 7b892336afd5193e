"""`cooper kill`."""

from __future__ import annotations

from cooper.cli.command import RUNNING, TEXT, Command, Flag, Invocation
from cooper.cli.output import print_line
from cooper.errors import Error

COMMAND = Command(
    arguments="CONTAINER ...",
    maximum=-1,
    completes=RUNNING,
    flags=(
        Flag("signal", "s", TEXT, "SIGNAL", "the signal (default: KILL)", "KILL"),
        Flag("all", "a", text="all containers that run"),
    ),
    examples=(
        ("cooper kill web", "end it at once"),
        ("cooper kill -s HUP web", "have a server read its files again"),
    ),
)


def run(invocation: Invocation) -> int:
    """The signal was sent; after KILL the containers have ended."""
    from cooper.containers.lookup import ALIVE, chosen, for_each, open_database, running
    from cooper.containers.prepare import signal_name
    from cooper.containers.settle import supervisor_of
    from cooper.containers.stop import kill_now
    from cooper.supervisor import client

    settings = invocation.settings
    database = open_database(settings)
    signal = signal_name(invocation.options["signal"])

    def kill(name: str) -> None:
        container = running(settings, database, name)
        if signal == "SIGKILL":
            kill_now(settings, database, container)
        else:
            supervisor = supervisor_of(settings, database, container)
            if supervisor is None:
                raise Error(f"the container {name} ended meanwhile")
            supervisor.ask(f"kill {name}", client.KILL, signal.encode())
            supervisor.close()
        print_line(name)

    return for_each(chosen(settings, database, invocation.arguments, invocation.options["all"], ALIVE), kill)
