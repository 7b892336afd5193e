"""`cooper create`."""

from __future__ import annotations

from cooper.cli.command import IMAGE, Command, Invocation
from cooper.cli.container_flags import CREATE_FLAGS
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="IMAGE [PROGRAM [ARGUMENT ...]]",
    maximum=-1,
    flags=CREATE_FLAGS,
    in_order=True,
    completes=IMAGE,
    examples=(("cooper create --name web busybox httpd -f", "a container for `cooper start web`"),),
)


def run(invocation: Invocation) -> int:
    """The container is there, and its id printed."""
    from cooper.containers.create import Creation
    from cooper.containers.lookup import open_database
    from cooper.containers.prepare import prepare

    database = open_database(invocation.settings)
    options = prepare(invocation, database)
    with Creation(invocation.settings, database, options, invocation.options["name"]) as creation:
        creation.done()
    print_line(creation.container.id)
    return 0
