"""Locks between processes: flock(2) on files of their own, which end with the process whatever ends it.

`content` is held shared by whoever adds blobs, layers or containers, and exclusively by whoever removes
what nothing needs; `index` is held for one change of index.json.
"""

from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class Lock:
    """A lock held in a `with` block; `held` tells whether it was obtained (a lock that waits always is)."""

    __slots__ = ("_path", "_operation", "_descriptor", "held")

    def __init__(self, path: str, *, shared: bool = False, wait: bool = True) -> None:
        self._path = path
        self._operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        self._descriptor = -1
        self.held = False

    def __enter__(self) -> Lock:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, self._operation)
            self.held = True
        except BlockingIOError:
            pass
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        self.held = False
