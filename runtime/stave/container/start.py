"""start: the user's program runs. Spec: runtime.md#start"""

from __future__ import annotations

import posix

from stave.container.state import CREATED, RUNNING, SOCKET, STOPPED, Container
from stave.errors import Error, HookError, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Sequence

    from ocispec.types import Hook

_FAILED = 5
_SECCOMP = 8
_HEAD = 16
_GO_MESSAGE = (1).to_bytes(_HEAD, "little")
_MESSAGE = 4096
_FATAL_POSTSTART = 3  # the minor version since which a poststart hook may not fail


def start(root: str, container_id: str, log_warning: Callable[[str], None], connection: int = -1) -> None:
    """The user's program has been executed, and the poststart hooks have run.

    Args:
        log_warning: is told of poststart hooks that failed and may.
        connection: a descriptor over which the container's process was set off already and has something to
            say; the launcher hands it on (``native/launcher/answer.h``).

    Raises:
        StateError: the container is not in the created state.
        HookError: a startContainer or poststart hook failed; the container is destroyed, and its poststop hooks
            have run. Spec: runtime.md#lifecycle
        Error: the program could not be executed; the container is stopped then.
    """
    container = Container.load(root, container_id, lock=True)
    try:
        if connection < 0:
            _check_created(container)
        _set_off(container, connection)
        posix.unlink(f"{container.directory}/{SOCKET}")
        if container.state["hooks"].get("poststart"):
            _run_poststart(container, container.state["hooks"]["poststart"], log_warning)
    except HookError:
        from stave.container.delete import destroy

        destroy(container, log_warning)
        raise
    finally:
        container.unlock()


def _check_created(container: Container) -> None:
    status = container.status()
    if status == STOPPED:
        raise StateError("cannot start a container that has stopped")
    if status == RUNNING:
        raise StateError("cannot start an already running container")
    if status != CREATED:
        raise StateError(f"cannot start a container in the {status} state")
    if not container.state["startable"]:
        raise Error("process: is not set, so there is nothing to start")


def _set_off(container: Container, connection: int) -> None:
    """The container's process has become the user's program."""
    import _socket

    if connection < 0:
        first = _connect(container)
    else:
        first = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, connection)
    while True:
        try:
            data, control, _, _ = first.recvmsg(_MESSAGE, 64)
        except ConnectionResetError:
            raise StateError("cannot start a container whose process has just ended") from None
        if not data:
            break
        if int.from_bytes(data[:4], "little") == _FAILED:
            raise _failure(container, data, control)
        if int.from_bytes(data[:4], "little") == _SECCOMP:
            _hand_over_listener(container, control)
            first.send(_GO_MESSAGE)
    first.close()


def _connect(container: Container) -> socket:
    """A connection to the container's process, which has been set off."""
    import _socket

    # The path of a socket is limited to 107 bytes; the way through the descriptor is short.
    with_directory = f"/proc/self/fd/{container.descriptor}/{SOCKET}"
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        connection.connect(with_directory)
    except ConnectionRefusedError:
        # Nobody listens any more, yet the process lives: a `start` was killed before it could say so.
        posix.unlink(f"{container.directory}/{SOCKET}")
        raise StateError("cannot start an already running container") from None
    connection.send(_GO_MESSAGE)
    return connection


def _hand_over_listener(container: Container, control: list[tuple[int, int, bytes]]) -> None:
    """Without anybody to answer the filter's questions the program must not run."""
    from stave.container.seccomp_listener import send_received

    try:
        send_received(container, CREATED, control)
    except Error:
        from stave.container.kill import kill_all

        kill_all(container)
        raise


def _run_poststart(container: Container, hooks: Sequence[Hook], log_warning: Callable[[str], None]) -> None:
    """Since version 1.3 of the specification a failure ends the container; configurations of an older one get
    a warning, as it was then. Spec: runtime.md#lifecycle"""
    from ocispec.jsontext import dumps
    from stave.container.hooks import run_hooks

    state = dumps(container.describe("running")).encode()
    tolerant = _minor_version(container.config()["ociVersion"]) < _FATAL_POSTSTART
    run_hooks("poststart", hooks, state, container.state["bundle"], log_warning if tolerant else None)


def _minor_version(version: str) -> int:
    """2 of "1.2.0-rc.1": versions of the specification begin with 1."""
    return int(version.split(".")[1])


def _failure(container: Container, data: bytes, control: list[tuple[int, int, bytes]]) -> Error:
    from stave.container.failures import describe
    from stave.native.module import Message

    words = [int.from_bytes(data[at : at + 4], "little", signed=True) for at in range(0, _HEAD, 4)]
    descriptor = int.from_bytes(control[0][2][:4], "little", signed=True) if control else -1
    message = Message(words[0], words[1], words[2], words[3], data[_HEAD:], descriptor)
    planned = container.state["startOperations"]
    name, pointer, subject = planned["operations"][message.operation - planned["first"]]
    return describe(name, pointer, subject, message)
