"""delete: what `create` made is gone. Spec: runtime.md#delete"""

from __future__ import annotations

import posix
import select

from stave.container.kill import kill_all
from stave.container.state import STOPPED, Container, check_id
from stave.errors import ContainerNotFound, DamagedState, Error, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_KILL_TIMEOUT = 10.0  # seconds


def delete(root: str, container_id: str, force: bool, log_warning: Callable[[str], None]) -> None:
    """Process, cgroups, mounts and state directory of the container are gone; then the poststop hooks run.

    Args:
        force: a container that still lives is killed; one that does not exist is no error.

    Raises:
        ContainerNotFound: without `force`.
        StateError: the container has not stopped, and not `force`.
        Error: something of it could not be removed; what is left is still known, and `delete` may be tried again.
    """
    try:
        container = Container.load(root, container_id, lock=True)
    except (ContainerNotFound, DamagedState):
        if force:
            _remove_unfinished(root, container_id)
            return
        raise
    try:
        status = container.status()
        if status != STOPPED and not force:
            raise StateError(f"cannot delete container {container_id} that is not stopped: {status}")
        destroy(container, log_warning)
    finally:
        container.unlock()


def destroy(container: Container, log_warning: Callable[[str], None]) -> None:
    """The container and all that `create` made for it are gone, whatever state it was in; the lock is held."""
    if container.is_alive():
        kill_all(container)
        _wait_for_end(container)
    if groups := container.state.get("cgroups"):
        from stave.cgroups.manage import remove

        # What the first process has left behind, where it had no PID namespace of its own.
        _kill_leftovers(container)
        if "scope" in container.state:
            from stave.container.scope import stop

            stop(container.state, log_warning)
        remove(groups, container.state.get("cgroupsMade", ()))
    if directories := container.state.get("resctrl"):
        from stave.container.resctrl import remove as remove_resctrl

        remove_resctrl(directories, log_warning)
    if shared := container.state.get("sharedMounts"):
        from stave.container.mounts import unmount_new

        unmount_new(container.state["rootfs"], shared["before"])
    container.remove()
    run_poststop(container, log_warning)


def run_poststop(container: Container, log_warning: Callable[[str], None]) -> None:
    """The poststop hooks have run, once the container is deleted. Spec: config.md#poststop"""
    if hooks := container.state.get("hooks", {}).get("poststop"):
        from ocispec.jsontext import dumps
        from stave.container.hooks import run_hooks

        state = dumps(container.describe(STOPPED)).encode()
        run_hooks("poststop", hooks, state, container.state["bundle"], log_warning)


def _kill_leftovers(container: Container) -> None:
    from stave.cgroups.manage import kill, processes

    if processes(container.state["cgroups"]):
        kill(container.state["cgroups"])


def _wait_for_end(container: Container) -> None:
    """The first process has ended: a killed one needs a moment. Bounded."""
    try:
        process = posix.pidfd_open(container.pid)
    except (ProcessLookupError, OSError):
        return
    try:
        poll = select.poll()
        poll.register(process, select.POLLIN)
        if container.is_alive() and not poll.poll(_KILL_TIMEOUT * 1000):
            raise Error(
                f"process {container.pid} does not end although it was killed: {_where(container.pid)}"
            )
    finally:
        posix.close(process)


def _where(pid: int) -> str:
    """Where in the kernel a process hangs."""
    from stave.host.facts import read_file

    try:
        return f"it waits in {read_file(f'/proc/{pid}/wchan')}"
    except OSError:
        return "its state cannot be read"


def _remove_unfinished(root: str, container_id: str) -> None:
    """What a `create` that was killed before its first save has left, or a power cut: a directory without a
    state that could be read."""
    check_id(container_id)
    container = Container(root, container_id, {})
    try:
        container.lock()
    except ContainerNotFound:
        return
    try:
        container.remove()
    finally:
        container.unlock()
