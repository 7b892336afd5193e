"""One lock for each container: a file in RUN/locks, which the kernel releases when its holder ends."""

from __future__ import annotations

import fcntl
import posix

from cooper.settings import make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
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
        self._descriptor = _open(self._path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if self._wait else fcntl.LOCK_NB))
            self.held = True
        except BlockingIOError:
            pass
        return self

    def __exit__(self, *details: object) -> None:
        posix.close(self._descriptor)
        self.held = False

    def remove(self) -> None:
        """The file is gone: the container is. Who waits for the lock finds no record of it afterwards."""
        posix.unlink(self._path)


def _open(path: str) -> int:
    try:
        return posix.open(path, _FLAGS, 0o600)
    except FileNotFoundError:
        make_directory(path.rpartition("/")[0])
        return posix.open(path, _FLAGS, 0o600)


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
