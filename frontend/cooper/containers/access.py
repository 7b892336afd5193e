"""A container's files as descriptors, whether it runs or not."""

from __future__ import annotations

import os

from cooper.containers import record, rootfs
from cooper.containers.locks import ContainerLock
from cooper.containers.lookup import find_locked
from cooper.containers.mounts import source_of
from cooper.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database


class Files:
    """A context in which a container's files can be reached, as its processes see them.

    The lock is held for a container that does not run, so that nobody starts or removes it meanwhile.
    """

    def __init__(self, settings: Settings, database: Database, container: Container) -> None:
        self._settings = settings
        self._database = database
        self._container = container
        self._lock: ContainerLock | None = None
        self._roots: list[tuple[str, int]] = []

    def __enter__(self) -> Files:
        flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        container = self._container
        if container.state == record.RUNNING and container.pid:
            try:
                self._roots = [("", os.open(f"/proc/{container.pid}/root", flags))]
                return self
            except OSError:  # it has just ended
                pass
        self._lock = ContainerLock(self._settings, container.id)
        self._lock.__enter__()
        try:
            container = find_locked(self._settings, self._database, container.id)
            if container.state == record.RUNNING:
                raise Error(f"the container {container.name} is being started: try again")
            root = rootfs.mount(self._settings, container, container.options)
            self._roots = [("", os.open(root, flags))]
            for mount in container.options["mounts"]:
                source = source_of(self._settings, mount)
                if mount["type"] != "tmpfs" and os.path.exists(source):
                    self._roots.append((mount["target"], os.open(source, os.O_PATH | os.O_CLOEXEC)))
        except BaseException:
            self.__exit__()
            raise
        return self

    def locate(self, path: str) -> tuple[int, str]:
        """The root, and the path below it, that the container's path means.

        What is mounted in a container that does not run is found by its target as it is written; links that lead
        there are not.
        """
        path = os.path.normpath("/" + path)
        best = max(
            (each for each in self._roots if path == each[0] or path.startswith(f"{each[0]}/")),
            key=lambda each: len(each[0]),
        )
        return best[1], path[len(best[0]) :] or "/"

    def __exit__(self, *details: object) -> None:
        for _, descriptor in self._roots:
            os.close(descriptor)
        if self._lock is not None:
            try:
                rootfs.unmount(self._settings, self._container)
            finally:
                self._lock.__exit__()
