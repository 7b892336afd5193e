"""`cooper pause` and `cooper unpause`."""

from __future__ import annotations

from cooper.cli.command import RUNNING, Command, Flag, Invocation
from cooper.cli.output import print_line
from cooper.errors import Conflict

COMMAND = Command(
    arguments="CONTAINER ...",
    maximum=-1,
    completes=RUNNING,
    flags=(Flag("all", "a", text="all containers that run"),),
    examples=(
        ("cooper pause web", "no process of it runs until `cooper unpause web`"),
        ("cooper unpause web", "it goes on"),
    ),
)


def run(invocation: Invocation) -> int:
    """The containers are frozen, or go on."""
    from cooper.containers import stop
    from cooper.containers.locks import ContainerLock
    from cooper.containers.lookup import chosen, for_each, open_database, running

    settings = invocation.settings
    database = open_database(settings)
    pausing = invocation.command == "pause"
    status = ("running" if pausing else "paused",)
    names = chosen(settings, database, invocation.arguments, invocation.options["all"], status)

    def change(name: str) -> None:
        container = running(settings, database, name)
        with ContainerLock(settings, container.id):
            container = running(settings, database, container.id)
            if bool(container.paused) == pausing:
                raise Conflict(f"the container {name} is {'already' if pausing else 'not'} paused")
            (stop.pause if pausing else stop.resume)(settings, database, container)
        print_line(name)

    return for_each(names, change)
