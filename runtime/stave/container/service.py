"""The container of a service manager: sockets that it hands over, and word to it when the container is ready.

Imported only where the caller's environment has LISTEN_FDS or NOTIFY_SOCKET. The container's program finds a socket of
ours in NOTIFY_SOCKET; of what it says there READY goes on to the service manager, together with the pid to watch.

Source: sd_listen_fds(3), sd_notify(3), sd_notify_barrier(3)
"""

from __future__ import annotations

import _socket
import posix
import select

from stave.container.state import Container
from stave.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocispec.types import Config

DIRECTORY = "notify"
_SOCKET = "notify.sock"
_INSIDE = "/run/notify"
_MESSAGE = 4096
_BARRIER_TIMEOUT = 5000  # milliseconds


def with_sockets(config: Config, count: int) -> Config:
    """The program finds the descriptors that it gets from 3 on as sd_listen_fds(3) looks for them."""
    # It is PID 1: that of a PID namespace, as with the other runtimes.
    return _with_variables(config, [f"LISTEN_FDS={count}", "LISTEN_PID=1"])


def with_notify_socket(config: Config, container: Container) -> Config:
    """The program finds a socket in NOTIFY_SOCKET, whose other end `Notify` will be."""
    place = f"{container.directory}/{DIRECTORY}"
    posix.mkdir(place, 0o755)
    posix.chmod(place, 0o755)  # whatever the umask
    container.state[DIRECTORY] = True
    config = _with_variables(config, [f"NOTIFY_SOCKET={_INSIDE}/{_SOCKET}"])
    options = ["bind", "nosuid", "noexec", "nodev", "ro"]
    mounts = [*config.get("mounts", ()), {"destination": _INSIDE, "source": place, "options": options}]
    return {**config, "mounts": mounts}


def _with_variables(config: Config, variables: list[str]) -> Config:
    process = config["process"]
    return {**config, "process": {**process, "env": [*process.get("env", ()), *variables]}}


class Notify:
    """The socket that the container's program talks to, and the service manager's.

    Attributes:
        socket: bound in the container's state directory.
        manager: connected to the service manager.
    """

    def __init__(self, container: Container, manager: str) -> None:
        """Listen from now on: to be called before the program runs.

        Raises:
            KernelError: one of the sockets cannot be had.
        """
        kind = _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC
        self.socket = _socket.socket(_socket.AF_UNIX, kind)
        self.manager = _socket.socket(_socket.AF_UNIX, kind)
        place = f"{container.directory}/{DIRECTORY}"
        directory = posix.open(place, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
        # The path of a socket is limited to 107 bytes; the way through the descriptor is short.
        path = f"/proc/self/fd/{directory}/{_SOCKET}"
        try:
            if _SOCKET in posix.listdir(place):
                posix.unlink(path)
            self.socket.bind(path)
            posix.chmod(path, 0o777)
            self.manager.connect(f"\0{manager[1:]}" if manager[0] == "@" else manager)
        except OSError as error:
            raise KernelError(f"pass on what {manager} is to be told", error.errno or 0) from error
        finally:
            posix.close(directory)

    def wait(self, pid: int) -> None:
        """The program is ready, and the service manager knows that and its pid; or it has ended."""
        process = posix.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(process, select.POLLIN)
            poll.register(self.socket.fileno(), select.POLLIN)
            while True:
                ready = [descriptor for descriptor, _ in poll.poll()]
                if self.socket.fileno() in ready:
                    if line := _ready_line(self.socket.recv(_MESSAGE)):
                        self.manager.send(line + b"\nMAINPID=%d\n" % pid)
                        self._wait_until_read()
                        return
                elif process in ready:
                    return
        finally:
            posix.close(process)

    def _wait_until_read(self) -> None:
        """The service manager has read what it was told: it may only take it from a process that is still there."""
        ours, theirs = posix.pipe2(posix.O_CLOEXEC)
        try:
            rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, theirs.to_bytes(4, "little"))]
            self.manager.sendmsg([b"BARRIER=1"], rights)
            posix.close(theirs)
            poll = select.poll()
            poll.register(ours, select.POLLHUP)
            poll.poll(_BARRIER_TIMEOUT)
        finally:
            posix.close(ours)


def start_notifying(root: str, container_id: str, manager: str, log_warning: Callable[[str], None]) -> None:
    """As `stave.container.start.start`, and the service manager has been told when the program is ready."""
    from stave.container.start import start

    container = Container.load(root, container_id)
    notify = Notify(container, manager) if container.state.get(DIRECTORY) else None
    start(root, container_id, log_warning)
    if notify:
        notify.wait(container.pid)


def _ready_line(message: bytes) -> bytes:
    """The line that says READY, or nothing."""
    return next((line for line in message.split(b"\n") if line.startswith(b"READY=")), b"")
