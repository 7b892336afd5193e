"""Nothing of a container is left: no record, no files, no layer."""

from __future__ import annotations

from cooper.containers import events, network, record, rootfs
from cooper.containers.locks import ContainerLock
from cooper.containers.mounts import remove_anonymous
from cooper.containers.userns import release
from cooper.errors import Conflict
from ociimage.layers.remove import remove_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database


def remove_locked(
    settings: Settings, database: Database, container: Container, volumes: bool = False
) -> None:
    """The container, which does not run and whose lock the caller holds, is gone."""
    record.update(database, container.id, state=record.REMOVING)
    network.detach(settings, database, container)
    rootfs.unmount(settings, container)
    rootfs.remove(settings, container)
    if container.options["id_maps"]:
        release(database, container.id)
    remove_path(settings.container_directory(container.id))
    from cooper.containers.settle import clear_run_directory

    clear_run_directory(settings, container.id)
    events.write(settings, container, "destroy")
    database.execute("DELETE FROM container WHERE id = ?", (container.id,))
    if volumes or container.options["remove"]:
        remove_anonymous(settings, database, container)
    ContainerLock(settings, container.id).remove()


def remove_container(
    settings: Settings, database: Database, name: str, force: bool, volumes: bool, seconds: int | None = None
) -> None:
    """The container of this name is gone.

    Args:
        force: also if it runs; it is killed, or stopped if `seconds` is given.
        volumes: its anonymous volumes go with it.

    Raises: NotFound; Conflict if it runs.
    """
    from cooper.containers.lookup import find, find_locked
    from cooper.containers.stop import Stopping

    container = find(settings, database, name)
    if container.state == record.RUNNING:
        if not force:
            raise Conflict(
                f"the container {container.name} is {container.status}",
                f"cooper stop {container.name} first, or cooper rm -f",
            )
        Stopping(settings, database, container, "" if seconds else "SIGKILL", seconds or 0).wait()
    with ContainerLock(settings, container.id) as lock:
        if record.get(database, container.id) is None:  # it was to be removed at its end
            lock.remove()
            return
        container = find_locked(settings, database, container.id)
        if container.state == record.RUNNING:
            raise Conflict(f"the container {container.name} was started meanwhile")
        remove_locked(settings, database, container, volumes)
