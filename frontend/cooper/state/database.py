"""The connection to the database, its transactions, and the versions of its tables.

Many commands use it at once: write-ahead logging lets them read while one writes, writers queue for at most
BUSY_SECONDS, and every write is one short transaction. A process that is killed leaves either all of its
transaction or nothing.

A module of cooper owns its tables and names them in a tuple of steps, each a script that brings the tables from
one version to the next; steps are added, never changed.
"""

from __future__ import annotations

# The C half of the sqlite3 module: the other half imports datetime and costs more than opening the database.
import _sqlite3
import posix

from cooper.errors import Damaged, Error
from cooper.settings import make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cooper.settings import Settings

    Value = str | int | float | bytes | None

BUSY_SECONDS = 60.0
# A write-ahead log is read in whole by the first command after all others ended: keep it short.
CHECKPOINT_PAGES = 256


class Database:
    """One process's connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: _sqlite3.Connection) -> None:
        self._connection = connection

    def query(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT, or of a statement with RETURNING."""
        return self._connection.execute(sql, values).fetchall()

    def first(self, sql: str, values: Sequence[Value] = ()) -> tuple[Any, ...] | None:
        """The first row, or None."""
        row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        return row

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Runs a statement; returns how many rows it changed. Outside a transaction it is one of its own."""
        return self._connection.execute(sql, values).rowcount

    def transaction(self) -> Transaction:
        """A context in which all statements take effect together, or none if it is left by an exception."""
        return Transaction(self._connection)

    def ensure(self, module: str, steps: Sequence[str]) -> None:
        """The module's tables are of the version `len(steps)`.

        Raises: Damaged if they are of a later one.
        """
        row = self.first("SELECT version FROM schema WHERE module = ?", (module,))
        if row is not None and row[0] == len(steps):
            return
        with self.transaction():
            row = self.first("SELECT version FROM schema WHERE module = ?", (module,))
            version: int = row[0] if row else 0
            if version > len(steps):
                raise Damaged(
                    f"the database's tables of {module} are of version {version}, newer than {len(steps)}",
                    "use the cooper that wrote them",
                )
            for step in steps[version:]:
                for statement in step.split(";\n"):
                    self.execute(statement)
            self.execute("INSERT OR REPLACE INTO schema VALUES (?, ?)", (module, len(steps)))

    def close(self) -> None:
        """For tests; a command just ends, which spares it the checkpoint."""
        self._connection.close()


class Transaction:
    """``BEGIN IMMEDIATE``, then ``COMMIT``, or ``ROLLBACK`` when an exception passes."""

    __slots__ = ("_connection",)

    def __init__(self, connection: _sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        # Immediate: a reader that turns into a writer would fail if another wrote meanwhile.
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def connect(settings: Settings) -> Database:
    """The database below the settings' root, made if it is missing.

    Raises: Error if it cannot be opened; Damaged if it is no database.
    """
    path = f"{settings.root}/state.db"
    if not posix.access(path, posix.F_OK):
        make_directory(settings.root, 0o711)
        return _create(path)
    try:
        database = _open(path)
        if database.first("SELECT 1 FROM sqlite_master WHERE name = 'schema'") is None:
            return _create(path)
    except _sqlite3.OperationalError as error:
        raise Error(
            f"open {path}: {error}", "it belongs to another user" if posix.geteuid() else ""
        ) from error
    except _sqlite3.DatabaseError as error:
        raise Damaged(f"read {path}: {error}") from error
    return database


def _open(path: str) -> Database:
    connection = _sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    return Database(connection)


def _create(path: str) -> Database:
    """Makes the database, or waits for the process that does."""
    import fcntl

    lock = posix.open(f"{path}.lock", posix.O_CREAT | posix.O_RDWR | posix.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mask = posix.umask(0o077)
        try:
            database = _open(path)
            # Stays with the file; it cannot be set while another process has the database open.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS schema (module TEXT PRIMARY KEY, version INTEGER NOT NULL)"
            )
        finally:
            posix.umask(mask)
    finally:
        posix.close(lock)
    return database
