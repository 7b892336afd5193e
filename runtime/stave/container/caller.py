"""What the caller says and hands over, and gets back: options, descriptors, console socket, pid file."""

from __future__ import annotations

import posix

from stave.errors import Error, KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocispec.types import Process


class CreateOptions:
    """How a container is to be made, beside what its configuration says.

    Attributes:
        bundle: absolute path.
        config: file to read in place of the bundle's config.json; None for none.
        log_warning: is told what was asked for and cannot be granted.
        pid_file: gets the decimal pid, nothing else; None for none.
        console_socket: where a terminal's master goes; None for nowhere.
        no_pivot: for roots that cannot be pivoted, such as an initramfs.
        no_new_keyring: leave the session keyring alone.
        preserve_fds: how many descriptors from 3 + listen_fds on stay open in the user's program.
        trace: file for a trace of the operations; None for none.
        cgroup_manager: who makes the control group: cgroupfs, systemd or disabled.
        pidfd_socket: where a pidfd of the first process goes; None for nowhere.
        listen_fds: how many sockets a service manager hands over, from descriptor 3 on, before the preserved ones.
        notify_socket: where a service manager wants to be told that the program is ready; "" for nowhere.
        streams: descriptors that become the process's standard input, output and error.
    """

    __slots__ = (
        "bundle",
        "cgroup_manager",
        "config",
        "console_socket",
        "listen_fds",
        "log_warning",
        "no_new_keyring",
        "no_pivot",
        "notify_socket",
        "pid_file",
        "pidfd_socket",
        "preserve_fds",
        "streams",
        "trace",
    )

    def __init__(
        self,
        bundle: str,
        log_warning: Callable[[str], None],
        *,
        pid_file: str | None = None,
        console_socket: str | None = None,
        no_pivot: bool = False,
        no_new_keyring: bool = False,
        preserve_fds: int = 0,
        trace: str | None = None,
        streams: Sequence[int] = (0, 1, 2),
        cgroup_manager: str = "cgroupfs",
        pidfd_socket: str | None = None,
        listen_fds: int = 0,
        notify_socket: str = "",
        config: str | None = None,
    ) -> None:
        self.bundle = bundle
        self.log_warning = log_warning
        self.pid_file = pid_file
        self.console_socket = console_socket
        self.no_pivot = no_pivot
        self.no_new_keyring = no_new_keyring
        self.preserve_fds = preserve_fds
        self.trace = trace
        self.streams = streams
        self.cgroup_manager = cgroup_manager
        self.pidfd_socket = pidfd_socket
        self.listen_fds = listen_fds
        self.notify_socket = notify_socket
        self.config = config

    @property
    def passed_fds(self) -> int:
        """How many descriptors from 3 on stay open in the user's program."""
        return self.listen_fds + self.preserve_fds


class ExecOptions:
    """How a process is to be executed in a container, beside what it is.

    Attributes:
        log_warning: is told what was asked for and cannot be granted.
        detach: do not wait for the process's end.
        pid_file: gets its decimal pid; None for none.
        console_socket: where a terminal's master goes; None for nowhere.
        pidfd_socket: where a pidfd of the process goes; None for nowhere.
        preserve_fds: how many descriptors from 3 on stay open in the process.
        cgroups: sub-groups to join instead of the container's own, "PATH" or "controller[,controller]:PATH".
        ignore_paused: let the process join a paused container; it runs when that is resumed.
        trace: file for a trace of the operations; None for none.
        streams: descriptors that become its standard input, output and error.
    """

    __slots__ = (
        "cgroups",
        "console_socket",
        "detach",
        "ignore_paused",
        "log_warning",
        "pid_file",
        "pidfd_socket",
        "preserve_fds",
        "streams",
        "trace",
    )

    def __init__(
        self,
        log_warning: Callable[[str], None],
        *,
        detach: bool = False,
        pid_file: str | None = None,
        console_socket: str | None = None,
        pidfd_socket: str | None = None,
        preserve_fds: int = 0,
        cgroups: Sequence[str] = (),
        ignore_paused: bool = False,
        trace: str | None = None,
        streams: Sequence[int] = (0, 1, 2),
    ) -> None:
        self.log_warning = log_warning
        self.detach = detach
        self.pid_file = pid_file
        self.console_socket = console_socket
        self.pidfd_socket = pidfd_socket
        self.preserve_fds = preserve_fds
        self.cgroups = cgroups
        self.ignore_paused = ignore_paused
        self.trace = trace
        self.streams = streams


def write_pid_file(path: str, pid: int) -> None:
    """The file holds the decimal pid and nothing else; it is never seen half written. Raises KernelError."""
    directory, slash, name = path.rpartition("/")
    temporary = f"{directory}{slash}.{name}"
    # One that a killed runtime has left is taken over, a link is not followed.
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        descriptor = posix.open(temporary, flags, 0o644)
        try:
            posix.write(descriptor, str(pid).encode())
        finally:
            posix.close(descriptor)
        posix.rename(temporary, path)
    except OSError as error:
        raise KernelError(f"write pid file {path}", error.errno or 0) from error


def send_terminal(socket: str, master: int) -> None:
    """Whoever listens at the console socket has the terminal's master. Raises KernelError."""
    from stave.native.module import send_descriptor

    try:
        send_descriptor(socket, master, "/dev/ptmx")
    except OSError as error:
        raise KernelError(f"send the terminal to {socket}", error.errno or 0) from error


def send_pidfd(socket: str, pid: int, name: str) -> None:
    """Whoever listens at the socket has a pidfd of the process. Raises KernelError.

    Args:
        name: "standard" for a container's first process, "setns" for another one, as runc calls them.
    """
    from stave.native.module import send_descriptor

    process = posix.pidfd_open(pid)
    try:
        send_descriptor(socket, process, name)
    except OSError as error:
        raise KernelError(f"send a pidfd to {socket}", error.errno or 0) from error
    finally:
        posix.close(process)


def check_preserved(count: int) -> None:
    """Descriptors 3 up to 3 + count are open; else Error."""
    for descriptor in range(3, 3 + count):
        try:
            posix.fstat(descriptor)
        except OSError as error:
            raise Error(f"--preserve-fds {count}: descriptor {descriptor} is not open") from error


def check_console(process: Process, console_socket: str | None, *, detach: bool) -> None:
    """A terminal goes where somebody can use it; else Error, worded as runc does.

    Args:
        detach: this command does not stay to serve the terminal itself.
    """
    terminal = process.get("terminal", False)
    if terminal and detach and not console_socket:
        raise Error("cannot allocate tty if stave will detach without setting console socket")
    if console_socket and not (terminal and detach):
        raise Error("cannot use console socket if stave will not detach or allocate tty")
