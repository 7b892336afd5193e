"""Containers as commands ask for them: by name, settled, and as they are right now."""

from __future__ import annotations

from cooper.containers import record
from cooper.containers.locks import sweep
from cooper.containers.settle import settle_all, settle_locked
from cooper.errors import Conflict, Error
from cooper.state.database import connect

# Whose program is there.
ALIVE = ("running", "paused", "restarting")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database


def open_database(settings: Settings) -> Database:
    """The database with the table of containers."""
    database = connect(settings)
    database.ensure("container", record.TABLES)
    return database


def find(settings: Settings, database: Database, text: str) -> Container:
    """The container of this name or id, as it is now. Raises: NotFound, Conflict."""
    container = record.find(database, text)
    settled = settle_all(settings, database, [container])
    return settled[0] if settled else record.find(database, text)


def find_locked(settings: Settings, database: Database, container_id: str) -> Container:
    """The container with this id, whose lock the caller has just got. Raises: NotFound if it was removed."""
    container = record.find(database, container_id)
    settle_locked(settings, database, container)
    return record.find(database, container_id)


def every(settings: Settings, database: Database) -> list[Container]:
    """All containers, newest first, as they are now."""
    sweep(settings, {row[0] for row in database.query("SELECT id FROM container")})
    return settle_all(settings, database, record.select(database))


def running(settings: Settings, database: Database, text: str) -> Container:
    """The same, and it runs. Raises: NotFound, Conflict."""
    container = find(settings, database, text)
    if container.state != record.RUNNING:
        raise Conflict(f"the container {container.name} is not running", f"cooper start {container.name}")
    return container


def for_each(names: Sequence[str], function: Callable[[str], None]) -> int:
    """Calls the function for each name; failures are reported at once and the others go on. The exit status."""
    from cooper.cli.output import STDERR, write

    status = 0
    for name in names:
        try:
            function(name)
        except Error as error:
            write(STDERR, f"cooper: {error}\n")
            status = error.status if error.status != 125 else 1
    return status


def chosen(
    settings: Settings, database: Database, names: Sequence[str], everything: bool, status: Sequence[str] = ()
) -> list[str]:
    """The names given, or with ``--all`` the ids of all containers (of those with this status). Raises: UsageError."""
    from cooper.errors import UsageError

    if everything and names:
        raise UsageError("--all takes no names")
    if not everything and not names:
        raise UsageError("which container?", "name one, or use --all")
    if not everything:
        return list(names)
    return [each.id for each in every(settings, database) if not status or each.status in status]
