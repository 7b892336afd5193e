"""The supervisor as its clients see it: how it is started, and the packets of `supervisor.h`."""

from __future__ import annotations

import _socket
import fcntl
import posix
import sys
import time

from cooper.containers.runtime import last_error, own_program, spawn
from cooper.errors import Error
from cooper.settings import PATIENCE_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cooper.settings import Settings

# To the supervisor.
ATTACH, INPUT, END, RESIZE, STOP, KILL, PAUSE, POLICY, DONE, LEAVE = (
    b"a",
    b"i",
    b"e",
    b"w",
    b"s",
    b"k",
    b"f",
    b"p",
    b"d",
    b"l",
)
WANTS_INPUT, WANTS_OUTPUT, CARETAKER, WANTS_NEWS = 1, 2, 4, 8
# From it.
OUTPUT, ERROR, STARTED, FAILED, EXITED, FINISHED, ANSWER, NEWS = (
    b"o",
    b"E",
    b"S",
    b"F",
    b"X",
    b"Z",
    b"K",
    b"L",
)

CHUNK = 32768
_PACKET = CHUNK + 1
# Above all numbers that a child expects something at.
_HIGH = 10


class Supervisor:
    """A connection to a container's supervisor."""

    __slots__ = ("socket",)

    def __init__(self, socket: _socket.socket) -> None:
        self.socket = socket

    def send(self, kind: bytes, data: bytes = b"") -> None:
        """One packet. Nothing happens if the supervisor has gone: its end is read then."""
        try:
            self.socket.send(kind + data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def receive(self) -> tuple[bytes, bytes]:
        """The next packet's type and data; (b"", b"") after the supervisor's end. Raises: TimeoutError in `wait`."""
        try:
            packet = self.socket.recv(_PACKET)
        except ConnectionResetError:
            packet = b""
        return packet[:1], packet[1:]

    def wait(self, *kinds: bytes, seconds: float = -1) -> tuple[bytes, bytes]:
        """The next packet of one of these types, or the end; others are thrown away.

        Raises: TimeoutError after so many seconds; never if they are negative.
        """
        deadline = time.monotonic() + seconds
        try:
            while True:
                if seconds >= 0:
                    self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
                kind, data = self.receive()
                if not kind or kind in kinds:
                    return kind, data
        finally:
            self.socket.settimeout(None)

    def ask(self, what: str, kind: bytes, data: bytes) -> None:
        """The runtime has done it, at the supervisor's command.

        Raises: Error with `what` was to be done and the runtime's complaint.
        """
        self.send(kind, data)
        try:
            _, complaint = self.wait(ANSWER, seconds=PATIENCE_S)
        except TimeoutError as error:
            raise Error(f"{what}: the runtime has not done it in {PATIENCE_S} s") from error
        if complaint:
            raise Error(f"{what}: {last_error(complaint.decode('utf-8', 'replace'))}")

    def kill(self) -> None:
        """The supervisor, which does not answer, is gone. The next command puts right what it leaves."""
        pid = int.from_bytes(
            self.socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 4), sys.byteorder
        )
        try:
            posix.kill(pid, 9)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """The supervisor goes on without this client."""
        self.socket.close()


def connect(settings: Settings, container_id: str) -> Supervisor | None:
    """The supervisor of a container, or None if there is none any more."""
    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    # unix(7): connecting waits for room in the queue.
    socket.setsockopt(
        _socket.SOL_SOCKET, _socket.SO_SNDTIMEO, PATIENCE_S.to_bytes(8, sys.byteorder) + bytes(8)
    )
    try:
        directory = posix.open(settings.run_directory(container_id), posix.O_PATH | posix.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Through a descriptor: the path may be longer than an address holds.
        socket.connect(f"/proc/self/fd/{directory}/control")
    except OSError:
        socket.close()
        return None
    finally:
        posix.close(directory)
    return Supervisor(socket)


def start(
    settings: Settings, container_id: str, values: Mapping[str, str | int | Sequence[str]], wants: int
) -> Supervisor:
    """Starts a supervisor, whose first client is the result.

    Args:
        container_id: whose run directory is there; for a program of `exec` followed by a slash and a name.
        values: what settings.c reads; a list for a name given several times.
        wants: of the first client.

    Raises: Error
    """
    run_directory = settings.run_directory(container_id)
    ours, its = _socket_pair()
    # Held from before it starts until it ends: nobody can take the container for an abandoned one.
    lock = posix.open(f"{run_directory}/lock", posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    reading, writing = posix.pipe2(posix.O_CLOEXEC)
    descriptors = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _HIGH) for each in (reading, its.fileno(), lock)]
    supervisor = Supervisor(ours)
    supervisor.send(ATTACH, bytes([wants]))
    try:
        command = [own_program("cooper-supervisor"), container_id, run_directory]
        pid = spawn(command, (descriptors[0], -1, 2), [(descriptors[1], 3), (descriptors[2], 4)])
        if settings.rootless:
            from cooper.rootless.namespaces import note

            note(settings, pid)
    finally:
        its.close()
        for each in (*descriptors, reading, lock):
            posix.close(each)
    data = _encode(values)
    try:
        while data:
            data = data[posix.write(writing, data) :]
    except BrokenPipeError as error:
        raise Error("the supervisor ended before it began") from error
    finally:
        posix.close(writing)
    return supervisor


def _socket_pair() -> tuple[_socket.socket, _socket.socket]:
    """As the C module makes it: its own, not the `socket` module's, which imports much."""
    return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC, 0)


def _encode(values: Mapping[str, str | int | Sequence[str]]) -> bytes:
    text = ""
    for name, value in values.items():
        for each in (value,) if isinstance(value, (str, int)) else value:
            text += f"{name}={each}\0"
    return text.encode("utf-8", "surrogateescape")
