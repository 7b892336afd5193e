"""A container is made from options: a record, a directory, and a place for what it will write."""

from __future__ import annotations

import time

from cooper.containers import events, record
from cooper.containers.locks import ContainerLock
from cooper.containers.mounts import make_volumes
from cooper.containers.names import new_id, new_name
from cooper.containers.runtime import Runtime
from cooper.errors import Conflict, Error
from cooper.settings import make_directory
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database

_NAME_ATTEMPTS = 20


class Creation:
    """A context in which a container is made, with its lock held; left by an exception, the container is gone.

    Attributes:
        container: its record, in the state ``creating`` until `done`.
    """

    def __init__(self, settings: Settings, database: Database, options: dict[str, Any], name: str) -> None:
        self._settings = settings
        self._database = database
        self._options = options
        self._name = name
        self._lock = ContainerLock(settings, new_id())
        self.container: Container

    def __enter__(self) -> Creation:
        options = self._options
        Runtime(self._settings, options["runtime"])  # that there is one
        self._lock.__enter__()
        try:
            self._insert(self._lock.container_id, options)
            # Others pass through it to what is mounted there; the files in it are for root alone.
            make_directory(self._settings.container_directory(self.container.id), 0o711)
            if options["userns"] not in ("", "host"):
                self._map_ids()
            if options["image_id"]:
                from cooper.containers import rootfs
                from cooper.containers.images import open_store

                rootfs.prepare(
                    self._settings,
                    self.container.id,
                    open_store(self._settings).resolve(options["image_id"]),
                    options,
                )
            make_volumes(self._settings, self._database, options)
        except BaseException:
            self.__exit__(Exception)
            raise
        return self

    def _insert(self, container_id: str, options: dict[str, Any]) -> None:
        columns: dict[str, Any] = {
            "id": container_id,
            "image": options["image"] or options["rootfs"],
            "image_id": options["image_id"],
            "command": jsontext.dumps(options["command"]),
            "created": time.time_ns(),
            "state": record.CREATING,
            "options": jsontext.dumps(options),
            "labels": jsontext.dumps(options["labels"]),
        }
        for attempt in range(_NAME_ATTEMPTS):
            columns["name"] = self._name or new_name(attempt)
            try:
                record.insert(self._database, columns)
            except Conflict:
                if self._name:
                    self._free_name()
                    record.insert(self._database, columns)
                    break
            else:
                break
        else:
            raise Error("no name is free", "give one with --name")
        container = record.get(self._database, container_id)
        assert container is not None
        self.container = container

    def _map_ids(self) -> None:
        from cooper.containers.userns import choose

        chosen = choose(self._settings, self._database, self.container.id, self._options["userns"])
        self._options["id_maps"] = chosen
        text = jsontext.dumps(self._options)
        record.update(self._database, self.container.id, options=text)
        self.container.keep_options(text)

    def _free_name(self) -> None:
        """Whoever was killed while making or removing a container of this name holds it no longer."""
        from cooper.containers.settle import settle_all

        settle_all(self._settings, self._database, record.select(self._database, "name = ?", (self._name,)))

    def done(self) -> None:
        """The container is there to stay."""
        events.write(self._settings, self.container, "create")
        record.update(self._database, self.container.id, state=record.CREATED)
        self.container.state = record.CREATED

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        container = getattr(self, "container", None)
        try:
            if kind is not None and container is not None and container.state == record.CREATING:
                from cooper.containers.remove import remove_locked

                remove_locked(self._settings, self._database, container)
            elif kind is not None and container is None:
                self._lock.remove()
        finally:
            self._lock.__exit__()
