"""Handing the descriptor of a seccomp filter with SCMP_ACT_NOTIFY to whoever answers its questions.

Imported only for such a filter. Spec: config-linux.md#the-container-process-state
"""

from __future__ import annotations

import posix

from ocispec.jsontext import dumps
from stave.container.state import SPEC_VERSION
from stave.errors import KernelError
from stave.native.module import send_descriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stave.container.state import Container

POINTER = "/linux/seccomp/listenerPath"


def send_listener(container: Container, pid: int, status: str, listener: int) -> None:
    """The process at the socket listenerPath has the descriptor and the container process state.

    Args:
        pid: of the process that the filter is for, as the runtime sees it.
        status: the container's at this moment.
        listener: what seccomp(2) gave for the filter; it stays open.

    Raises:
        KernelError: it could not be sent.
    """
    seccomp = container.config()["linux"]["seccomp"]
    path = seccomp["listenerPath"]
    message: dict[str, Any] = {
        "ociVersion": SPEC_VERSION,
        "fds": ["seccompFd"],
        "pid": pid,
        "state": container.describe(status),
    }
    if metadata := seccomp.get("listenerMetadata"):
        message["metadata"] = metadata
    try:
        send_descriptor(path, listener, dumps(message))
    except OSError as error:
        raise KernelError(f"send the seccomp listener to {path}", error.errno or 0, POINTER) from error


def send_received(container: Container, status: str, control: list[tuple[int, int, bytes]]) -> None:
    """As `send_listener`, for the first process, with the control data of the message that brought the descriptor."""
    listener = int.from_bytes(control[0][2][:4], "little", signed=True)
    try:
        send_listener(container, container.pid, status, listener)
    finally:
        posix.close(listener)
