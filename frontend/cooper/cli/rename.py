"""`cooper rename`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, Command, Invocation

COMMAND = Command(
    arguments="CONTAINER NAME",
    minimum=2,
    maximum=2,
    completes=CONTAINER,
    examples=(("cooper rename web old-web", "give it another name"),),
)


def run(invocation: Invocation) -> int:
    """The container has the new name."""
    from cooper.containers import events, record
    from cooper.containers.lookup import find, open_database
    from cooper.containers.values import check_name
    from cooper.errors import Conflict

    settings = invocation.settings
    database = open_database(settings)
    container = find(settings, database, invocation.arguments[0])
    name = check_name(invocation.arguments[1], "container")
    with database.transaction():
        row = database.first("SELECT id FROM container WHERE name = ?", (name,))
        if row is not None:
            raise Conflict(f"the name {name} is taken by the container {row[0][:12]}")
        record.update(database, container.id, name=name)
    container.name = name
    events.write(settings, container, "rename")
    return 0
