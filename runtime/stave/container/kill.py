"""kill: a signal to the container. Spec: runtime.md#kill"""

from __future__ import annotations

import posix
from _signal import SIGKILL, pidfd_send_signal

from stave.container.state import PAUSED, STOPPED, Container
from stave.errors import NOT_RUNNING, Error, StateError

_CLONE_NEWPID = 0x20000000


def kill(root: str, container_id: str, signal_number: int, everybody: bool) -> None:
    """The signal has been sent to the first process, or to all processes of the container.

    Args:
        everybody: all of them, also after the end of the first one (as containerd wants it).

    Raises:
        StateError: "container not running".
        Error: the kernel refused, e.g. an unknown signal number.
    """
    container = Container.load(root, container_id)
    status = container.status()
    if status == STOPPED and not everybody:
        raise StateError(NOT_RUNNING)
    # Without a PID namespace the end of the first process would leave the others behind.
    everybody = everybody or (signal_number == SIGKILL and not container.state["namespaces"] & _CLONE_NEWPID)
    if everybody and container.state["cgroups"]:
        _signal_all(container, signal_number)
    elif status != STOPPED:
        _signal_first(container, signal_number)
    if status == PAUSED and signal_number == SIGKILL:
        # In a frozen cgroup v1 not even SIGKILL takes effect.
        from stave.cgroups.manage import thaw

        thaw(container.state["cgroups"])


def kill_all(container: Container) -> None:
    """No process of the container is left, or about to be: SIGKILL has been sent to each."""
    from stave.cgroups.manage import kill as kill_groups

    try:
        _signal_first(container, SIGKILL)
    except StateError:
        pass
    kill_groups(container.state["cgroups"])


def _signal_first(container: Container, signal_number: int) -> None:
    try:
        process = posix.pidfd_open(container.pid)
    except (ProcessLookupError, OSError):
        raise StateError(NOT_RUNNING) from None
    try:
        # Checked while the pidfd pins the process: from here on it cannot be another one.
        if not container.is_alive():
            raise StateError(NOT_RUNNING)
        pidfd_send_signal(process, signal_number)
    except ProcessLookupError:
        raise StateError(NOT_RUNNING) from None
    except OSError as error:
        raise Error(f"send signal {signal_number}: {error.strerror}") from error
    finally:
        posix.close(process)


def _signal_all(container: Container, signal_number: int) -> None:
    from stave.cgroups.manage import kill as kill_groups
    from stave.cgroups.manage import signal_all

    if signal_number == SIGKILL:
        kill_groups(container.state["cgroups"])
    else:
        signal_all(container.state["cgroups"], signal_number)
