"""Being told when the memory limit of a container's group has killed, without asking again and again."""

from __future__ import annotations

import os
import select

from stave.cgroups.files import GONE, write_file
from stave.cgroups.statistics import parse_flat
from stave.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class OomWatch:
    """A descriptor that becomes ready, and the count of what has happened since it was looked at last.

    Attributes:
        descriptor: for poll(2), together with `events`; -1 where the container has no memory limit to reach.
        events: what to poll for.
        gone: the group was removed: the descriptor is good for nothing any more.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        """Raises KernelError if the group is there and does not let itself be watched."""
        self.descriptor = -1
        self.events = select.POLLPRI
        self.gone = False
        self._is_v2 = "" in paths
        group = paths.get("" if self._is_v2 else "memory")
        self._kills = 0
        if group is None:
            return
        try:
            if self._is_v2:
                self._watch_v2(group)
            else:
                self._watch_v1(group)
        except OSError as error:
            self.close()
            if error.errno not in GONE:
                raise KernelError(f"watch the memory of cgroup {group}", error.errno or 0) from error

    def _watch_v2(self, group: str) -> None:
        """memory.events: whoever has read it is woken when a number in it changes. Source: cgroup-v2.rst"""
        self.descriptor = os.open(f"{group}/memory.events", os.O_RDONLY | os.O_CLOEXEC)
        self._kills = self._read_kills()

    def _watch_v1(self, group: str) -> None:
        """An eventfd that the kernel counts up at each out-of-memory. Source: cgroup-v1/memory.rst, section 10"""
        control = os.open(f"{group}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self.events = select.POLLIN
            self._oom_control = f"{group}/memory.oom_control"
            write_file(f"{group}/cgroup.event_control", f"{self.descriptor} {control}")
        finally:
            os.close(control)

    def happened(self) -> bool:
        """Whether there was an out-of-memory since the last call. The kernel adds up what comes too fast."""
        if self.descriptor < 0 or self.gone:
            return False
        try:
            if self._is_v2:
                before, self._kills = self._kills, self._read_kills()
                return self._kills > before
            os.eventfd_read(self.descriptor)
            os.stat(self._oom_control)  # the removal of the group counts the eventfd up as well
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in GONE:
                raise
            self.gone = True
            return False
        return True

    def _read_kills(self) -> int:
        return parse_flat(os.pread(self.descriptor, 4096, 0).decode()).get("oom_kill", 0)

    def close(self) -> None:
        """The kernel is not asked any more."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
