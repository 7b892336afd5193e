"""Answering system calls of a container with a Python callable: seccomp's user notification.

Source: seccomp_unotify(2); config-linux.md#seccomp (listenerPath, containerProcessState).
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import select
import socket
import struct
import tempfile
import threading
from collections.abc import Callable
from typing import Any, Final

from stave.errors import ConfigError, Error

_MAGIC = ord("!")
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")  # struct seccomp_notif
_RESPONSE = struct.Struct("=QqiI")  # struct seccomp_notif_resp
_ADDITION = struct.Struct("=QIIII")  # struct seccomp_notif_addfd
_CONTINUE = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
_READ_WRITE, _WRITE = 3, 1


def _request(direction: int, number: int, size: int) -> int:
    """The number of an ioctl, as _IOWR and _IOW make it."""
    return direction << 30 | size << 16 | _MAGIC << 8 | number


_RECEIVE = _request(_READ_WRITE, 0, _NOTIFICATION.size)
_SEND = _request(_READ_WRITE, 1, _RESPONSE.size)
_ID_VALID = _request(_WRITE, 2, 8)
_ADD_DESCRIPTOR = _request(_WRITE, 3, _ADDITION.size)


class Continue:
    """The type of CONTINUE."""


CONTINUE: Final = Continue()
"""A handler's answer: the kernel carries the call out. Not a decision about safety: see seccomp_unotify(2)."""


class Notification:
    """A system call that waits for an answer.

    Attributes:
        id: of the notification.
        pid: the calling thread, in this process's PID namespace.
        number: the system call's, on the architecture `architecture` (AUDIT_ARCH_*).
        arguments: its six arguments. Pointers are the caller's: read /proc/<pid>/mem, then ask `is_valid`.
    """

    __slots__ = ("id", "pid", "number", "architecture", "arguments", "_listener")

    def __init__(self, listener: int, data: bytes) -> None:
        self.id, self.pid, _, self.number, self.architecture, _, *arguments = _NOTIFICATION.unpack(data)
        self.arguments: tuple[int, ...] = tuple(arguments)
        self._listener = listener

    def is_valid(self) -> bool:
        """Whether the caller still waits: only then is what was read of its memory its own."""
        try:
            fcntl.ioctl(self._listener, _ID_VALID, struct.pack("=Q", self.id))
        except FileNotFoundError:
            return False
        return True

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the caller's memory. Raises OSError; FileNotFoundError if the caller is gone."""
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            data = memory.read(size)
        if not self.is_valid():
            raise FileNotFoundError(errno.ENOENT, "the caller has gone")
        return data

    def add_descriptor(self, descriptor: int, *, close_on_exec: bool = True) -> int:
        """A descriptor of ours, put into the caller; returns its number there. Raises OSError."""
        flags = os.O_CLOEXEC if close_on_exec else 0
        request = bytearray(_ADDITION.pack(self.id, 0, descriptor, 0, flags))
        number: int = fcntl.ioctl(self._listener, _ADD_DESCRIPTOR, request)
        return number


Handler = Callable[[Notification], "int | Continue"]
"""Answers the value that the call returns, or CONTINUE; an OSError is what the caller gets as its errno."""


class Listener:
    """The socket that the runtime sends a container's notifications to, and the threads that answer them."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._directory = tempfile.TemporaryDirectory(prefix="stave-notify-")
        self.path = f"{self._directory.name}/listener"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        self._socket.listen()
        self._closing, self._closed = os.pipe2(os.O_CLOEXEC)
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """No call is answered any more: those that wait get ENOSYS. Nothing is left open."""
        os.close(self._closed)
        for thread in self._threads:  # the first one makes the others, and none once it has ended
            thread.join()
        os.close(self._closing)
        self._socket.close()
        self._directory.cleanup()

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, name="seccomp notify", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        # One connection for the container's own process, and one for each of exec's.
        socket_number = self._socket.fileno()
        while select.select([socket_number, self._closing], [], [])[0] == [socket_number]:
            connection, _ = self._socket.accept()
            with connection:
                descriptor = _receive_descriptor(connection)
            self._start(self._serve, descriptor)

    def _serve(self, listener: int) -> None:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.register(self._closing, select.POLLIN)
        try:
            while True:
                events = dict(poll.poll())
                if self._closing in events or not events[listener] & select.POLLIN:
                    return  # POLLHUP: no process has this filter any more
                self._answer(listener)
        finally:
            os.close(listener)

    def _answer(self, listener: int) -> None:
        data = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, _RECEIVE, data)
            notification = Notification(listener, bytes(data))
            value, error, flags = self._decide(notification)
            fcntl.ioctl(listener, _SEND, _RESPONSE.pack(notification.id, value, -error, flags))
        except FileNotFoundError:
            pass  # the caller was killed meanwhile

    def _decide(self, notification: Notification) -> tuple[int, int, int]:
        try:
            answer = self._handler(notification)
        except OSError as error:
            return 0, error.errno or errno.EIO, 0
        except Exception:
            # The caller waits, whatever is wrong with the handler; the thread has to live on for the next.
            threading.excepthook(
                threading.ExceptHookArgs((*_current_exception(), threading.current_thread()))
            )
            return 0, errno.ENOSYS, 0
        if isinstance(answer, Continue):
            return 0, 0, _CONTINUE
        return answer, 0, 0


def listen(handler: Handler, config: dict[str, Any]) -> Listener:
    """A listener, to which the configuration now says that notifications go.

    Raises:
        ConfigError: there is no linux.seccomp.
    """
    profile = config.get("linux", {}).get("seccomp")
    if profile is None:
        raise ConfigError("/linux/seccomp", "is not set: no system call has the action SCMP_ACT_NOTIFY")
    listener = Listener(handler)
    profile["listenerPath"] = listener.path
    return listener


def _current_exception() -> tuple[object, ...]:
    import sys

    return sys.exc_info()


def _receive_descriptor(connection: socket.socket) -> int:
    """The seccomp listener that comes with the container's process state."""
    data, control, _, _ = connection.recvmsg(1 << 16, socket.CMSG_SPACE(4))
    descriptors = array.array("i")
    for level, kind, content in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) // 4 * 4])
    if len(descriptors) != 1:
        raise Error(f"the runtime sent {len(data)} bytes and {len(descriptors)} descriptors instead of one")
    return descriptors[0]
