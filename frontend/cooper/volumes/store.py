"""The table of volumes and their directories.

The row is written before the directory is made, and removed after it: what a killed command left is found by its
row. Whether a volume is in use is read from the containers' own records, so there is nothing to keep in step.
"""

from __future__ import annotations

import posix
import time

from cooper.containers import record
from cooper.errors import Conflict, NotFound
from cooper.settings import make_directory
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database

TABLES = (
    "CREATE TABLE volume (name TEXT PRIMARY KEY, created INTEGER NOT NULL, labels TEXT NOT NULL,"
    " options TEXT NOT NULL, anonymous INTEGER NOT NULL, filled INTEGER NOT NULL DEFAULT 0)",
)


class Volume:
    """One volume.

    Attributes:
        anonymous: whether cooper made up its name; it is removed with its container on request.
        filled: whether what the image has at its place was copied into it, or was not to be.
    """

    __slots__ = ("name", "created", "labels", "options", "anonymous", "filled")

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.name, self.created, labels, options, self.anonymous, self.filled = row
        self.labels: dict[str, str] = jsontext.loads(labels.encode())  # type: ignore[assignment]
        self.options: dict[str, str] = jsontext.loads(options.encode())  # type: ignore[assignment]


def ensure(database: Database) -> None:
    """The table is there."""
    database.ensure("volume", TABLES)


def data_directory(settings: Settings, name: str) -> str:
    """What containers see of the volume."""
    return f"{settings.root}/volumes/{name}/_data"


def get(database: Database, name: str) -> Volume | None:
    """The volume, or None."""
    row = database.first("SELECT * FROM volume WHERE name = ?", (name,))
    return Volume(row) if row else None


def find(database: Database, name: str) -> Volume:
    """The volume. Raises: NotFound."""
    volume = get(database, name)
    if volume is None:
        raise NotFound(f"there is no volume {name}", "cooper volume ls lists them")
    return volume


def every(database: Database) -> list[Volume]:
    """All volumes by name."""
    return [Volume(row) for row in database.query("SELECT * FROM volume ORDER BY name")]


def make(
    settings: Settings,
    database: Database,
    name: str,
    labels: dict[str, str] | None = None,
    anonymous: bool = False,
) -> Volume:
    """The volume of this name, made as far as it is missing: a killed command may have left half of it."""
    with database.transaction():
        database.execute(
            "INSERT OR IGNORE INTO volume (name, created, labels, options, anonymous) VALUES (?, ?, ?, ?, ?)",
            (
                name,
                time.time_ns(),
                jsontext.dumps(labels or {}),
                "{}",
                int(anonymous),
            ),
        )
    # A set-user-id program on it is not for other users of the machine. (CVE-2021-41091)
    make_directory(f"{settings.root}/volumes", 0o700)
    make_directory(f"{settings.root}/volumes/{name}", 0o700)
    make_directory(data_directory(settings, name), 0o755)
    return find(database, name)


def size(settings: Settings, name: str) -> int:
    """Bytes of the files in it; none if a command was killed that made or removed the volume."""
    from ociimage.snapshots.difference import tree_size

    try:
        return tree_size(data_directory(settings, name))
    except FileNotFoundError:
        return 0


def set_filled(database: Database, name: str) -> None:
    """Nothing is copied into the volume any more."""
    database.execute("UPDATE volume SET filled = 1 WHERE name = ?", (name,))


def used_by(database: Database, containers: list[Container] | None = None) -> dict[str, list[str]]:
    """For each volume in use, the names of the containers that have it."""
    users: dict[str, list[str]] = {}
    for container in record.select(database) if containers is None else containers:
        for name in container.options.get("mount_names", []):
            users.setdefault(name, []).append(container.name)
    return users


def remove(settings: Settings, database: Database, name: str, users: dict[str, list[str]]) -> None:
    """The volume and all in it are gone. Raises: NotFound; Conflict if a container has it."""
    find(database, name)
    if users.get(name):
        raise Conflict(
            f"the volume {name} is used by {', '.join(users[name])}", "cooper rm those containers first"
        )
    from ociimage.layers.remove import remove_path

    remove_path(f"{settings.root}/volumes/{name}")
    database.execute("DELETE FROM volume WHERE name = ?", (name,))


def inspect_volume(settings: Settings, database: Database, name: str) -> dict[str, Any]:
    """What `inspect` shows. Raises: NotFound."""
    from cooper.containers.inspection import timestamp

    ensure(database)
    volume = find(database, name)
    return {
        "Name": volume.name,
        "Driver": "local",
        "Mountpoint": data_directory(settings, name),
        "CreatedAt": timestamp(volume.created),
        "Labels": volume.labels,
        "Options": volume.options,
        "Scope": "local",
        "Anonymous": bool(volume.anonymous),
    }


def is_empty(path: str) -> bool:
    """Whether nothing is in the directory."""
    return not posix.listdir(path)
