"""What the caller hands over and gets back: descriptors, console socket, pid file."""

from __future__ import annotations

import posix

from stave.errors import Error, KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import Process


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
