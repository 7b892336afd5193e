"""What has ended is noted and released; what a killed command or supervisor left is put right.

Every command settles the containers that it looks at, so nothing depends on a process that lives long enough.
"""

from __future__ import annotations

import errno
import posix
import time

from cooper.containers import network, record, rootfs
from cooper.containers.locks import ContainerLock, is_held
from cooper.errors import Error
from cooper.settings import PATIENCE_S
from cooper.supervisor import client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database
    from cooper.supervisor.client import Supervisor

# A container whose supervisor was killed was killed too, as far as anybody knows.
KILLED = 137
SUPERVISOR_KILLED = "its supervisor ended before it did, so it was killed"


def settle_all(settings: Settings, database: Database, containers: Iterable[Container]) -> list[Container]:
    """The containers as they are now; those that a killed command half made or half removed are gone.

    What another command is changing at this moment is left to it.
    """
    result = []
    for container in containers:
        if container.state in (record.CREATED, record.EXITED):
            result.append(container)
            continue
        if container.state == record.RUNNING and is_supervised(settings, container.id):
            if settings.rootless and not network.is_whole(container):
                _mend(settings, database, container)
            record.live(settings, container)
            result.append(container)
            continue
        with ContainerLock(settings, container.id, wait=False) as lock:
            if not lock.held:
                if container.state != record.CREATING:
                    result.append(container)
                continue
            now = record.get(database, container.id)
            if now is not None:
                settle_locked(settings, database, now)
                now = record.get(database, container.id)
            if now is None:
                lock.remove()
            else:
                result.append(now)
    return result


def is_supervised(settings: Settings, container_id: str) -> bool:
    """Whether a supervisor has the container."""
    return is_held(f"{settings.run_directory(container_id)}/lock")


def _mend(settings: Settings, database: Database, container: Container) -> None:
    """What serves the running container's network, and was killed, is there again."""
    with ContainerLock(settings, container.id, wait=False) as lock:
        now = record.get(database, container.id) if lock.held else None
        if now is None or now.state != record.RUNNING or network.is_whole(now):
            return
        try:
            network.mend(settings, database, now)
        except Error as error:
            from cooper.cli.output import warn

            warn(f"{container.name}: {error}")


def settle_locked(
    settings: Settings, database: Database, container: Container, otherwise: str = record.EXITED
) -> None:
    """The same for one container, whose lock the caller holds and whose record is fresh.

    Args:
        otherwise: its state if its program did not run at all.
    """
    if container.state in (record.CREATING, record.REMOVING):
        from cooper.containers.remove import remove_locked

        remove_locked(settings, database, container)
        return
    if container.state != record.RUNNING or is_supervised(settings, container.id):
        return
    status = record.supervisor_status(settings, container.id)
    state = status.get("state", "")
    values: dict[str, str | int] = {"state": record.EXITED, "pid": 0, "network": "{}"}
    if state == "finished":
        values |= {
            "exit_status": max(int(status["status"]), 0),
            "oom": int(status["oom"]),
            "restarts": int(status["restarts"]),
            "started": int(status["started"]) or container.started,
            "finished": int(status["finished"]),
        }
    else:
        failed = state == "failed"
        values |= {
            "state": otherwise,
            "exit_status": 125 if failed else KILLED if state else 255,
            "finished": time.time_ns(),
            "error": container.error or ("" if failed else SUPERVISOR_KILLED),
        }
    if state not in ("finished", "failed") or status.get("deleted") == "0":
        _delete_abandoned(settings, container)
    if state != "finished":
        _remove_groups(settings, container)
    network.detach(settings, database, container)
    rootfs.unmount(settings, container)
    # What has been released is written down last: whoever is killed before does it all again.
    record.update(database, container.id, **values)
    clear_run_directory(settings, container.id)
    container.state = str(values["state"])
    if container.options["remove"] and container.state == record.EXITED:
        from cooper.containers.remove import remove_locked

        remove_locked(settings, database, container)


def _delete_abandoned(settings: Settings, container: Container) -> None:
    """What is left of the container in the runtime's hands is gone."""
    from cooper.containers.runtime import Runtime
    from cooper.settings import make_directory

    run_directory = settings.run_directory(container.id)
    if not posix.access(run_directory, posix.F_OK):  # a reboot: the runtime knows nothing of it either
        return
    try:
        runtime = Runtime(settings, container.options["runtime"])
        make_directory(runtime.state)
        runtime.call(f"{run_directory}/runtime.log", "delete", "--force", container.id)
    except Error as error:
        from cooper.cli.output import warn

        warn(f"{container.name}: {error}")


def _remove_groups(settings: Settings, container: Container) -> None:
    """A runtime that was killed may have left control groups that its `delete` knows nothing of: runc does."""
    from cooper.containers import cgroups
    from cooper.containers.launch import cgroup_path

    path = cgroup_path(settings, container, container.options)
    try:
        if path:
            cgroups.remove(path)
    except OSError as error:
        from cooper.cli.output import warn

        warn(f"{container.name}: remove the control group {path}: {error.strerror}")


def clear_run_directory(settings: Settings, container_id: str) -> None:
    """The container's files in RUN are gone, with those of the programs that `exec` has run."""
    _clear(settings.run_directory(container_id))


def _clear(directory: str) -> None:
    while True:
        try:
            for name in posix.listdir(directory):
                _unlink(f"{directory}/{name}")
            posix.rmdir(directory)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:  # a late `exec` has just put something there
                raise


def _unlink(path: str) -> None:
    try:
        posix.unlink(path)
    except IsADirectoryError:
        _clear(path)
    except FileNotFoundError:  # the supervisor of an `exec` removes its own
        pass


def clean_up(settings: Settings, database: Database, container_id: str) -> None:
    """Settles one container, waiting for its lock."""
    with ContainerLock(settings, container_id) as lock:
        container = record.get(database, container_id)
        if container is None:
            lock.remove()
        else:
            settle_locked(settings, database, container)


def supervisor_of(settings: Settings, database: Database, container: Container) -> Supervisor | None:
    """A connection to the supervisor of a container that runs; None if it has ended, which is noted then.

    Raises: Error if there is a supervisor that takes no connection.
    """
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        supervisor = client.connect(settings, container.id)
        if supervisor is not None:
            return supervisor
        # It does not listen yet: its starter has the lock until then. Or it listens no more.
        clean_up(settings, database, container.id)
        now = record.get(database, container.id)
        if now is None or now.state != record.RUNNING:
            return None
        time.sleep(0.01)
    raise Error(f"the supervisor of {container.name} takes no connection")
