"""One lock for each container: a file in RUN/locks, which the kernel releases when its holder ends."""

from __future__ import annotations

import fcntl
import posix

from cooper.errors import Conflict, NotFound
from cooper.settings import PATIENCE_S, make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from cooper.settings import Settings

_FLAGS = posix.O_CREAT | posix.O_RDWR | posix.O_CLOEXEC | posix.O_NOFOLLOW


class ContainerLock:
    """A context in which nobody else changes the container.

    Args:
        wait: whether to wait for it; otherwise `held` says whether it was free.

    Raises: Conflict if it was not free for PATIENCE_S.
    """

    __slots__ = ("container_id", "_path", "_descriptor", "_wait", "held")

    def __init__(self, settings: Settings, container_id: str, wait: bool = True) -> None:
        self.container_id = container_id
        self._path = f"{settings.run}/locks/{container_id}"
        self._descriptor = -1
        self._wait = wait
        self.held = False

    def __enter__(self) -> ContainerLock:
        while not self.held:
            self._descriptor = _open(self._path)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not self._wait:
                    break
                self._wait_for_it()
            # Whoever had it before may have removed the file, and somebody else have made a new one.
            self.held = _is_file(self._descriptor, self._path)
            if not self.held:
                posix.close(self._descriptor)
        return self

    def _wait_for_it(self) -> None:
        import _signal

        def late(*details: object) -> None:
            raise TimeoutError

        before = _signal.signal(_signal.SIGALRM, late)
        _signal.setitimer(_signal.ITIMER_REAL, PATIENCE_S)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except TimeoutError as error:
            holder = _holder(self._descriptor)
            posix.close(self._descriptor)
            raise Conflict(
                f"another command{holder} has been at the container {self.container_id[:12]} for {PATIENCE_S} s"
                " and more",
                "try again when it has ended",
            ) from error
        finally:
            _signal.setitimer(_signal.ITIMER_REAL, 0)
            _signal.signal(_signal.SIGALRM, before)

    def __exit__(self, kind: type[BaseException] | None = None, *details: object) -> None:
        if kind is not None and issubclass(kind, NotFound) and self.held:
            self.remove()
        posix.close(self._descriptor)
        self.held = False

    def remove(self) -> None:
        """The file is gone: the container is. Who waits for the lock finds no record of it, and calls this again."""
        try:
            posix.unlink(self._path)
        except FileNotFoundError:
            pass


def _open(path: str) -> int:
    try:
        return posix.open(path, _FLAGS, 0o600)
    except FileNotFoundError:
        make_directory(path.rpartition("/")[0])
        return posix.open(path, _FLAGS, 0o600)


def _holder(descriptor: int) -> str:
    """Who has the lock, as /proc/locks knows it: " (process 12)", or ""."""
    inode = str(posix.fstat(descriptor).st_ino)
    descriptor = posix.open("/proc/locks", posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        lines = posix.read(descriptor, 1 << 20).decode().splitlines()
    finally:
        posix.close(descriptor)
    for line in lines:
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
            return f" (process {words[4]})"
    return ""


def _is_file(descriptor: int, path: str) -> bool:
    try:
        return posix.fstat(descriptor).st_ino == posix.stat(path).st_ino
    except FileNotFoundError:
        return False


def sweep(settings: Settings, known: Collection[str]) -> None:
    """Locks of containers that are not among those known, and that nobody is making, are gone."""
    try:
        names = posix.listdir(f"{settings.run}/locks")
    except FileNotFoundError:
        return
    for name in names:
        if name not in known:
            with ContainerLock(settings, name, wait=False) as lock:
                if lock.held:
                    lock.remove()


def is_held(path: str) -> bool:
    """Whether somebody holds the lock of this file."""
    try:
        descriptor = posix.open(path, posix.O_RDWR | posix.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        posix.close(descriptor)
    return False
