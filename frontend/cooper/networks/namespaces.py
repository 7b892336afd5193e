"""Network namespaces that outlive the process that made them: each is mounted on a file (as of ip-netns(8))."""

from __future__ import annotations

import posix

from cooper.errors import Error
from cooper.settings import make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from cooper.settings import Settings

    Result = TypeVar("Result")

# Of the thread, not the process: only the calling thread is moved.
OWN = "/proc/thread-self/ns/net"


def path(settings: Settings, container: str) -> str:
    """Where the container's network namespace is mounted."""
    return f"{settings.run}/netns/{container}"


def create(settings: Settings, container: str) -> str:
    """An empty network namespace with its loopback interface up; returns its path, for the OCI configuration.

    Raises: Error; nothing is left then.
    """
    from cooper.networks._namespaces import ffi, lib

    target = path(settings, container)
    make_directory(f"{settings.run}/netns")
    try:
        posix.close(posix.open(target, posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o400))
    except FileExistsError:
        remove(settings, container)  # of a command that was killed
        posix.close(posix.open(target, posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o400))

    def fill() -> None:
        if lib.mount(OWN.encode(), target.encode(), b"none", lib.MS_BIND, ffi.NULL):
            raise _failure(f"mount a network namespace on {target}", ffi.errno)
        _loopback_up()

    try:
        call_inside(settings, "", fill)
    except BaseException:
        remove(settings, container)
        raise
    return target


def remove(settings: Settings, container: str) -> None:
    """The namespace is no longer mounted; it ends with the last process in it. It need not exist."""
    from cooper.networks._namespaces import lib

    target = path(settings, container).encode()
    # Once per mount: a killed `create` and its successor may both have mounted one.
    while not lib.umount2(target, lib.MNT_DETACH | lib.UMOUNT_NOFOLLOW):
        pass
    try:
        posix.unlink(target)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise Error(f"remove {target.decode()}: {error.strerror}") from error


def list_all(settings: Settings) -> list[str]:
    """The containers with a namespace."""
    try:
        return sorted(posix.listdir(f"{settings.run}/netns"))
    except FileNotFoundError:
        return []


def call_inside(settings: Settings, wanted: str, function: Callable[[], Result]) -> Result:
    """What the function returns or raises, called in the namespace of a path, or with "" in a new one."""
    if not settings.rootless:
        with Inside(wanted):
            return function()
    # An ordinary user has no power over the host's network, not even to return to it: a thread of its own ends there.
    import _thread

    ended = _thread.allocate_lock()
    ended.acquire()
    results: list[Result] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            Inside(wanted).__enter__()
            results.append(function())
        except BaseException as error:
            failures.append(error)
        finally:
            ended.release()

    _thread.start_new_thread(work, ())
    ended.acquire()
    if failures:
        raise failures[0]
    return results[0]


class Inside:
    """A context in which this thread is in the namespace of a path, or with "" in a new one.

    Sockets made there stay there.
    """

    __slots__ = ("_wanted", "_outside")

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self._outside = -1

    def __enter__(self) -> None:
        from cooper.networks._namespaces import ffi, lib

        self._outside = posix.open(OWN, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            if not self._wanted:
                if lib.unshare(lib.CLONE_NEWNET):
                    raise _failure("make a network namespace", ffi.errno)
                return
            try:
                descriptor = posix.open(self._wanted, posix.O_RDONLY | posix.O_CLOEXEC)
            except OSError as error:
                raise Error(f"open the network namespace {self._wanted}: {error.strerror}") from error
            failed, number = lib.setns(descriptor, lib.CLONE_NEWNET), ffi.errno
            posix.close(descriptor)
            if failed:
                raise _failure(f"enter the network namespace {self._wanted}", number)
        except BaseException:
            posix.close(self._outside)
            raise

    def __exit__(self, *details: object) -> None:
        from cooper.networks._namespaces import ffi, lib

        failed, number = lib.setns(self._outside, lib.CLONE_NEWNET), ffi.errno
        posix.close(self._outside)
        if failed:  # whatever would come next would happen in the container's network
            raise _failure("return to the host's network namespace", number)


def _loopback_up() -> None:
    """The loopback interface of this thread's namespace is up (netdevice(7))."""
    import _socket
    import fcntl

    SIOCSIFFLAGS, IFF_UP = 0x8914, 1
    with_socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        fcntl.ioctl(
            with_socket.fileno(),
            SIOCSIFFLAGS,
            b"lo".ljust(16, b"\0") + IFF_UP.to_bytes(2, "little") + bytes(22),
        )
    finally:
        with_socket.close()


def _failure(what: str, number: int) -> Error:
    hint = "this needs root, or a user namespace of one's own" if number == 1 else ""
    return Error(f"{what}: {posix.strerror(number)}", hint)
