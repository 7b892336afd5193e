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
        while container.state == record.RUNNING:
            supervisor = supervisor_of(settings, database, container)
            if supervisor is not None:
                kind, data = supervisor.wait(client.EXITED)
                if container.options["restart"]["name"] == "no":
                    # Up to then it is still in the runtime's hands, and shown as running.
                    supervisor.wait(client.FINISHED)
                    clean_up(settings, database, container.id)
                supervisor.close()
                if kind:
                    return print_line(data.split()[0].decode())
            # It ended just before it could tell: what it was is in the record, if that is there still.
            container = find(settings, database, container.id)
        clean_up(settings, database, container.id)
        print_line(str(record.find(database, container.id).exit_status))

    return for_each(invocation.arguments, wait)
