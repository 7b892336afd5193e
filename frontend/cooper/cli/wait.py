"""`cooper wait`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, Command, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="CONTAINER ...",
    minimum=1,
    maximum=-1,
    completes=CONTAINER,
    examples=(("cooper wait job", "wait until job has ended, and print its exit status"),),
)


def run(invocation: Invocation) -> int:
    """The containers have ended; their exit statuses are printed in the order given."""
    from cooper.containers import record
    from cooper.containers.lookup import find, for_each, open_database
    from cooper.containers.settle import clean_up, supervisor_of
    from cooper.supervisor import client

    settings = invocation.settings
    database = open_database(settings)

    def wait(name: str) -> None:
        container = find(settings, database, name)
        supervisor = (
            supervisor_of(settings, database, container) if container.state == record.RUNNING else None
        )
        if supervisor is not None:
            kind, data = supervisor.wait(client.EXITED)
            if container.options["restart"]["name"] == "no":
                # Up to then it is still in the runtime's hands, and shown as running.
                supervisor.wait(client.FINISHED)
                clean_up(settings, database, container.id)
            supervisor.close()
            if kind:
                print_line(data.split()[0].decode())
                return
        clean_up(settings, database, container.id)
        now = record.get(database, container.id)
        print_line(str(now.exit_status if now else 0))

    return for_each(invocation.arguments, wait)
