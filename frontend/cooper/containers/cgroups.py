"""A container's control group, version 1 or 2: what the kernel counts there, and its end."""

from __future__ import annotations

import _signal
import contextlib
import errno
import posix
import time

from cooper.containers.record import read_file
from cooper.settings import PATIENCE_S

# v1 controllers that something here reads.
_V1 = ("memory", "cpuacct", "pids", "blkio")


class Groups:
    """Where the groups of a process are.

    Attributes:
        paths: controller -> directory; "" is the unified one.
    """

    __slots__ = ("paths",)

    def __init__(self, pid: int, mount: str = "/sys/fs/cgroup") -> None:
        """Raises: OSError if the process has gone."""
        self.paths: dict[str, str] = {}
        for line in read_file(f"/proc/{pid}/cgroup").decode().splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                if controller in _V1:
                    directory = f"{mount}/{controller}{path}"
                    if posix.access(directory, posix.F_OK):
                        self.paths[controller] = directory
                elif controller == "":
                    for directory in (f"{mount}{path}", f"{mount}/unified{path}"):
                        if posix.access(f"{directory}/cgroup.procs", posix.F_OK):
                            self.paths[""] = directory
                            break

    def processes(self) -> list[int]:
        """All processes of the group and of those below it, by the host's numbers."""
        directory = self.paths.get("pids") or self.paths.get("memory") or self.paths.get("")
        return sorted(set(_processes(directory))) if directory else []

    def memory(self) -> tuple[int, int]:
        """Bytes of the working set, which is what cannot be dropped, and the limit (0: none)."""
        if "memory" in self.paths:
            directory = self.paths["memory"]
            usage, limit = (
                _number(f"{directory}/memory.usage_in_bytes"),
                _number(f"{directory}/memory.limit_in_bytes"),
            )
            inactive = _table(f"{directory}/memory.stat").get("total_inactive_file", 0)
        else:
            directory = self.paths.get("", "")
            usage, limit = _number(f"{directory}/memory.current"), _number(f"{directory}/memory.max")
            inactive = _table(f"{directory}/memory.stat").get("inactive_file", 0)
        return max(usage - inactive, 0), limit if limit < 1 << 60 else 0

    def cpu_ns(self) -> int:
        """Nanoseconds of processor time so far."""
        if "cpuacct" in self.paths:
            return _number(f"{self.paths['cpuacct']}/cpuacct.usage")
        return _table(f"{self.paths.get('', '')}/cpu.stat").get("usage_usec", 0) * 1000

    def pids(self) -> int:
        """How many tasks there are."""
        return _number(f"{self.paths.get('pids') or self.paths.get('', '')}/pids.current")

    def block_bytes(self) -> tuple[int, int]:
        """Bytes read from and written to disks so far."""
        read = written = 0
        if "blkio" in self.paths:
            for line in _text(f"{self.paths['blkio']}/blkio.throttle.io_service_bytes").splitlines():
                words = line.split()
                if len(words) == 3 and words[1] == "Read":
                    read += int(words[2])
                elif len(words) == 3 and words[1] == "Write":
                    written += int(words[2])
            return read, written
        for line in _text(f"{self.paths.get('', '')}/io.stat").splitlines():
            for word in line.split()[1:]:
                key, _, value = word.partition("=")
                read += int(value) if key == "rbytes" else 0
                written += int(value) if key == "wbytes" else 0
        return read, written


def remove(path: str, mount: str = "/sys/fs/cgroup") -> None:
    """The group of this path, which is one container's alone, is gone from every hierarchy, with what still runs there.

    Raises: OSError if it cannot be removed.
    """
    for base in (mount, *(f"{mount}/{name}" for name in posix.listdir(mount))):
        if posix.access(f"{base}{path}/cgroup.procs", posix.F_OK):
            _remove(f"{base}{path}")


def _remove(directory: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        for pid in _processes(directory):
            with contextlib.suppress(ProcessLookupError):
                posix.kill(pid, _signal.SIGKILL)
        try:
            _remove_empty(directory)
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _remove_empty(directory: str) -> None:
    try:
        for name in posix.listdir(directory):
            if posix.access(f"{directory}/{name}/cgroup.procs", posix.F_OK):
                _remove_empty(f"{directory}/{name}")
        posix.rmdir(directory)
    except FileNotFoundError:  # by another of its hierarchy's names, or the kernel was faster
        pass


def namespace_processes(pid: int) -> list[int]:
    """All processes of the process's PID namespace, by the host's numbers: of a container without a group.

    Raises: OSError if the process has gone.
    """
    wanted = posix.stat(f"/proc/{pid}/ns/pid").st_ino
    found = []
    for name in posix.listdir("/proc"):
        try:
            if name.isdigit() and posix.stat(f"/proc/{name}/ns/pid").st_ino == wanted:
                found.append(int(name))
        except OSError:
            continue  # it has gone, or is another user's
    return sorted(found)


def network_bytes(pid: int) -> tuple[int, int]:
    """Bytes received and sent by all interfaces but the loopback of the process's network namespace."""
    received = sent = 0
    for line in _text(f"/proc/{pid}/net/dev").splitlines()[2:]:
        name, _, rest = line.partition(":")
        if name.strip() != "lo":
            words = rest.split()
            received, sent = received + int(words[0]), sent + int(words[8])
    return received, sent


def _processes(directory: str) -> list[int]:
    found = [int(word) for word in _text(f"{directory}/cgroup.procs").split()]
    try:
        names = posix.listdir(directory)
    except OSError:
        return found
    for name in names:
        if "." not in name and posix.access(f"{directory}/{name}/cgroup.procs", posix.F_OK):
            found += _processes(f"{directory}/{name}")
    return found


def _text(path: str) -> str:
    try:
        return read_file(path).decode()
    except OSError:
        return ""


def _number(path: str) -> int:
    text = _text(path).strip()
    return int(text) if text.isdigit() else 1 << 63 if text == "max" else 0


def _table(path: str) -> dict[str, int]:
    rows = [line.split() for line in _text(path).splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
