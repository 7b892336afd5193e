"""The root file system of a container: a directory of the user's, or an image's layers with one of its own on top."""

from __future__ import annotations

from cooper.containers.locks import ContainerLock
from cooper.containers.record import RUNNING
from cooper.containers.userns import maps_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database
    from ociimage.image import Image
    from ociimage.snapshots.snapshots import Snapshots

# Targets of mounts, which the runtime makes where the image has none.
_OWN_FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname")
_OWN_DIRECTORIES = ("/etc",)


def _snapshots(settings: Settings) -> Snapshots:
    from cooper.containers.images import open_store
    from ociimage.snapshots.snapshots import Snapshots

    return Snapshots(open_store(settings))


def prepare(settings: Settings, container_id: str, image: Image, options: dict[str, Any]) -> None:
    """The container has a layer of its own on those of the image."""
    uids, gids = maps_of(options, "uids"), maps_of(options, "gids")
    _snapshots(settings).prepare(container_id, image, uids, gids)  # type: ignore[arg-type]


def mount(settings: Settings, container: Container, options: dict[str, Any]) -> str:
    """The path of the container's root, which is mounted."""
    if options["rootfs"]:
        return str(options["rootfs"])
    return _snapshots(settings).mount(container.id, volatile=options["remove"])


def unmount(settings: Settings, container: Container) -> None:
    """Nothing is mounted for the container any more."""
    if container.options["id_maps"]:
        from cooper.containers.idmapped import remove_views

        remove_views(settings.container_directory(container.id))
    if container.image_id:
        snapshots = _snapshots(settings)
        if snapshots.exists(container.id):
            snapshots.unmount(container.id)


def remove(settings: Settings, container: Container) -> None:
    """What the container has written is gone."""
    if container.image_id:
        _snapshots(settings).remove(container.id)


def written_bytes(settings: Settings, container: Container) -> int:
    """How many bytes of files the container has written."""
    return _snapshots(settings).usage(container.id) if container.image_id else 0


def written(settings: Settings, container: Container) -> str:
    """The same for people."""
    from cooper.containers.values import human_size

    return human_size(written_bytes(settings, container))


def directories(settings: Settings, container: Container) -> dict[str, str]:
    """The directories of a container that was made of an image, by docker's names."""
    snapshots = _snapshots(settings)
    paths = (("MergedDir", "merged"), ("UpperDir", "upper"), ("WorkDir", "work"))
    return {name: f"{snapshots.path(container.id)}/{path}" for name, path in paths}


def changes(settings: Settings, container: Container) -> list[tuple[str, str]]:
    """What the container has changed of its image: ("A", "C" or "D", path). What cooper put there is left out."""
    found = [each for each in _snapshots(settings).changes(container.id) if each[1] not in _OWN_FILES]
    for directory in _OWN_DIRECTORIES:
        # It shows as changed for the sake of the files that are made in it.
        if not any(path.startswith(f"{directory}/") for _, path in found) and ("C", directory) in found:
            found.remove(("C", directory))
    return found


class Mounted:
    """A context in which the root file system of a container is mounted, whether it runs or not: its path.

    Nobody starts or removes the container meanwhile if it does not run.
    """

    def __init__(self, settings: Settings, database: Database, container: Container) -> None:
        self._settings = settings
        self._database = database
        self._container = container
        self._lock = ContainerLock(settings, container.id)

    def __enter__(self) -> str:
        from cooper.containers.lookup import find_locked

        self._lock.__enter__()
        try:
            self._container = find_locked(self._settings, self._database, self._container.id)
            return mount(self._settings, self._container, self._container.options)
        except BaseException:
            self._lock.__exit__()
            raise

    def __exit__(self, *details: object) -> None:
        try:
            if self._container.state != RUNNING:
                unmount(self._settings, self._container)
        finally:
            self._lock.__exit__()
