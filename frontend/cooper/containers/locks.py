"""One lock for each container: a file in RUN/locks, which the kernel releases when its holder ends."""

from __future__ import annotations

import fcntl
import posix

from cooper.errors import NotFound
from cooper.settings import make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from cooper.settings import Settings

_FLAGS = posix.O_CREAT | posix.O_RDWR | posix.O_CLOEXEC | posix.O_NOFOLLOW


class ContainerLock:
    """A context in which nobody else changes the container.

    Args:
        wait: whether to wait for it; otherwise `held` says whether it was free.
    """

    __slots__ = ("container_id", "_path", "_descriptor", "_wait", "held")

    def __init__(self, settings: Settings, container_id: str, wait: bool = True) -> None:
        self.container_id = container_id
        self._path = f"{settings.run}/locks/{container_id}"
        self._descriptor = -1
        self._wait = wait
        self.held = False

    def __enter__(self) -> ContainerLock:
        flags = fcntl.LOCK_EX | (0 if self._wait else fcntl.LOCK_NB)
        while not self.held:
            self._descriptor = _open(self._path)
            try:
                fcntl.flock(self._descriptor, flags)
            except BlockingIOError:
                break
            # Whoever had it before may have removed the file, and somebody else have made a new one.
            self.held = _is_file(self._descriptor, self._path)
            if not self.held:
                posix.close(self._descriptor)
        return self

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
