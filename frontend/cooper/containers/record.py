"""What is known of a container, and the table that keeps it.

States in the table: ``creating`` and ``removing`` while a command is at it, ``created``, ``running`` from before the
supervisor starts until its end has been noted, ``exited``. What a running container does right now (restarting,
its health, its pid) is in the supervisor's status file; `live` reads it.
"""

from __future__ import annotations

import posix

from cooper.errors import Conflict, NotFound
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cooper.settings import Settings
    from cooper.state.database import Database

CREATING, CREATED, RUNNING, EXITED, REMOVING = "creating", "created", "running", "exited", "removing"

TABLES = (
    """CREATE TABLE container (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image TEXT NOT NULL, image_id TEXT NOT NULL,
        command TEXT NOT NULL, created INTEGER NOT NULL, state TEXT NOT NULL,
        started INTEGER NOT NULL DEFAULT 0, finished INTEGER NOT NULL DEFAULT 0, pid INTEGER NOT NULL DEFAULT 0,
        exit_status INTEGER NOT NULL DEFAULT 0, oom INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
        restarts INTEGER NOT NULL DEFAULT 0, stopped INTEGER NOT NULL DEFAULT 0,
        options TEXT NOT NULL, labels TEXT NOT NULL, network TEXT NOT NULL DEFAULT '{}'
    );
    CREATE INDEX container_state ON container (state)""",
)
_COLUMNS = (
    "id, name, image, image_id, command, created, state, started, finished, pid, exit_status, oom, error,"
    " restarts, stopped, options, labels, network"
)


class Container:
    """One row. Times are nanoseconds since 1970, 0 for never.

    Attributes:
        command: the words that it runs, for people.
        stopped: whether a person stopped it, for `unless-stopped`.
        options: what it was created with (`cooper.containers.options`).
        network: what it is connected to now, as `cooper.networks` wants it kept.
        restarting, paused, health: of a running one, from the supervisor.
    """

    id: str
    name: str
    image: str
    image_id: str
    command: str
    created: int
    state: str
    started: int
    finished: int
    pid: int
    exit_status: int
    oom: int
    error: str
    restarts: int
    stopped: int

    def __init__(self, row: Sequence[Any]) -> None:
        (
            self.id, self.name, self.image, self.image_id, self.command, self.created, self.state, self.started,
            self.finished, self.pid, self.exit_status, self.oom, self.error, self.restarts,
            self.stopped, self._options, self._labels, self._network,
        ) = row  # fmt: skip
        self.restarting = self.paused = False
        self.health = ""

    @property
    def short_id(self) -> str:
        """Its first twelve digits."""
        return self.id[:12]

    @property
    def options(self) -> dict[str, Any]:
        """A copy of what is kept."""
        return jsontext.loads(self._options.encode())  # type: ignore[return-value]

    @property
    def labels(self) -> dict[str, str]:
        """A copy of what is kept."""
        return jsontext.loads(self._labels.encode())  # type: ignore[return-value]

    @property
    def network(self) -> dict[str, Any]:
        """A copy of what is kept."""
        return jsontext.loads(self._network.encode())  # type: ignore[return-value]

    def keep_options(self, text: str) -> None:
        """The record in memory says so, too."""
        self._options = text

    def keep_network(self, text: str) -> None:
        """The record in memory says so, too."""
        self._network = text

    @property
    def status(self) -> str:
        """What people are told: created, running, paused, restarting, exited, removing."""
        if self.state == RUNNING:
            return "restarting" if self.restarting else "paused" if self.paused else "running"
        return self.state


def insert(database: Database, container: dict[str, Any]) -> None:
    """A row with the columns given.

    Raises: Conflict if the name is taken.
    """
    names = ", ".join(container)
    marks = ", ".join("?" * len(container))
    with database.transaction():
        row = database.first("SELECT id FROM container WHERE name = ?", (container["name"],))
        if row is not None:
            raise Conflict(
                f"the name {container['name']} is taken by the container {row[0][:12]}",
                f"cooper rm {container['name']}, or another --name",
            )
        database.execute(f"INSERT INTO container ({names}) VALUES ({marks})", tuple(container.values()))


def update(database: Database, container_id: str, **columns: str | int) -> None:
    """The row's columns have these values."""
    assignments = ", ".join(f"{name} = ?" for name in columns)
    database.execute(f"UPDATE container SET {assignments} WHERE id = ?", (*columns.values(), container_id))


def set_network(database: Database, container: Container, value: dict[str, Any]) -> None:
    """What the network side keeps with the container."""
    container.keep_network(jsontext.dumps(value))
    update(database, container.id, network=jsontext.dumps(value))


def select(database: Database, where: str = "", values: Sequence[str | int] = ()) -> list[Container]:
    """The containers for which the condition holds, newest first."""
    condition = f"WHERE {where}" if where else ""
    rows = database.query(f"SELECT {_COLUMNS} FROM container {condition} ORDER BY created DESC", values)
    return [Container(row) for row in rows]


def get(database: Database, container_id: str) -> Container | None:
    """The container with this whole id."""
    found = select(database, "id = ?", (container_id,))
    return found[0] if found else None


def find(database: Database, text: str) -> Container:
    """The container with this name, this id, or whose id alone begins so.

    Raises: NotFound; Conflict if several ids begin so.
    """
    found = select(database, "name = ? OR id = ?", (text.removeprefix("/"), text))
    if found:
        return found[0]
    if len(text) < 64 and text and not text.strip("0123456789abcdef"):
        found = select(database, "id >= ? AND id < ?", (text, f"{text}g"))
        if len(found) == 1:
            return found[0]
        if found:
            raise Conflict(f"{text} begins the ids of several containers", "give more of it")
    raise NotFound(f"there is no container {text}", "cooper ps -a lists them")


def live(settings: Settings, container: Container) -> None:
    """What the supervisor says of a running container is in it."""
    status = supervisor_status(settings, container.id)
    container.pid = int(status.get("pid", "0"))
    container.restarts = int(status.get("restarts", "0"))
    container.restarting = status.get("state") == "restarting"
    container.paused = status.get("paused") == "1"
    container.health = status.get("health", "")
    container.started = int(status.get("started", "0")) or container.started


def supervisor_status(settings: Settings, container_id: str) -> dict[str, str]:
    """The lines of the supervisor's status file; nothing if there is none."""
    try:
        text = read_file(f"{settings.run_directory(container_id)}/status")
    except OSError:
        return {}
    return dict(line.split(" ", 1) for line in text.decode().splitlines() if " " in line)


def read_file(path: str, limit: int = 1 << 20) -> bytes:
    """At most so many bytes of a file. Raises: OSError."""
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        parts = []
        while limit > 0 and (part := posix.read(descriptor, min(limit, 65536))):
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)
    finally:
        posix.close(descriptor)


def write_file(path: str, data: bytes, mode: int = 0o600) -> None:
    """The file holds the data: all of it, or what it held before. Raises: OSError."""
    descriptor = posix.open(
        f"{path}.new", posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC, mode
    )
    try:
        while data:
            data = data[posix.write(descriptor, data) :]
    finally:
        posix.close(descriptor)
    posix.rename(f"{path}.new", path)
