"""What a container's groups say about its use of the machine, in the form of runc's `events --stats`.

The parsers are pure; `statistics` reads the files and leaves out what this machine does not count.
"""

from __future__ import annotations

import posix

from stave.host.facts import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

UNLIMITED = 2**64 - 1
"""The limit "max" of cgroup v2 as a number."""


def statistics(paths: Mapping[str, str]) -> dict[str, Any]:
    """Use of CPU, memory, processes, block devices and huge pages. Times are in nanoseconds, sizes in bytes.

    Args:
        paths: `CgroupPlan.paths`; hierarchies that are not there are not counted.

    Raises:
        OSError: the groups are gone.
    """
    if "" in paths:
        from stave.cgroups.statistics_v2 import read_statistics

        return read_statistics(paths[""])
    from stave.cgroups.statistics_v1 import read_statistics as read_v1

    return read_v1(paths)


class Group:
    """The files of one group as numbers and tables; a file that is not there reads as empty."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def text(self, name: str) -> str:
        """The file's content; "" where the kernel does not have or fill it."""
        try:
            return read_file(f"{self.path}/{name}")
        except OSError:
            return ""

    def number(self, name: str) -> int:
        """A file with one number: 0 without it, UNLIMITED for "max"."""
        return parse_number(self.text(name))

    def numbers(self, name: str) -> dict[str, int]:
        """A file with a name and a number in each line."""
        return parse_flat(self.text(name))

    def pressure(self, name: str) -> dict[str, Any]:
        """A file of pressure stall information: {"psi": ...}, or nothing where the kernel keeps none."""
        found = parse_pressure(self.text(name))
        return {"psi": found} if found else {}

    def huge_page_sizes(self, suffix: str) -> dict[str, str]:
        """Page size, as "2MB", and what the names of its files begin with: reservations if they are counted."""
        found: dict[str, str] = {}
        for name in sorted(posix.listdir(self.path), key=len):
            if name.startswith("hugetlb.") and name.endswith(suffix):
                prefix = name.removesuffix(suffix)
                found[prefix.split(".")[1]] = prefix  # "2MB.rsvd" comes after "2MB"
        return found


def parse_number(text: str) -> int:
    """The number that is all of a file; 0 for an empty one.

    >>> parse_number("max\\n") == UNLIMITED
    True
    """
    word = text.strip()
    return UNLIMITED if word == "max" else int(word or "0")


def parse_flat(text: str) -> dict[str, int]:
    """Lines of a name and a number, as in memory.stat.

    >>> parse_flat("oom 1\\noom_kill 2\\n")
    {'oom': 1, 'oom_kill': 2}
    """
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def parse_nested(text: str) -> dict[str, dict[str, int]]:
    """Lines of a name and "key=number" words, as in io.stat; words without a number are left out.

    >>> parse_nested("8:0 rbytes=5 wbytes=0\\n")
    {'8:0': {'rbytes': 5, 'wbytes': 0}}
    """
    found: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        name, *words = line.split()
        pairs = [word.partition("=") for word in words]
        found[name] = {key: int(value) for key, _, value in pairs if value.isdigit()}
    return found


def parse_pressure(text: str) -> dict[str, dict[str, float]]:
    """Pressure stall information: shares of time in percent, and the total in microseconds.

    >>> parse_pressure("some avg10=1.50 avg60=0.00 avg300=0.00 total=70\\n")
    {'some': {'avg10': 1.5, 'avg60': 0.0, 'avg300': 0.0, 'total': 70}}

    Source: Documentation/accounting/psi.rst
    """
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        kind, *words = line.split()
        pairs = [word.partition("=") for word in words]
        found[kind] = {key: int(value) if key == "total" else float(value) for key, _, value in pairs}
    return found


def parse_list(text: str) -> list[int]:
    """A list of CPUs or memory nodes.

    >>> parse_list("0-2,7\\n")
    [0, 1, 2, 7]
    """
    found: list[int] = []
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        if part:
            found += range(int(first), int(last if dash else first) + 1)
    return found


def block_entry(device: str, operation: str, value: int) -> dict[str, Any]:
    """One count of one block device "MAJOR:MINOR"."""
    major, _, minor = device.partition(":")
    entry: dict[str, Any] = {"major": int(major), "minor": int(minor), "value": value}
    return {**entry, "op": operation} if operation else entry


def entry(limit: int, usage: int, highest: int, failures: int) -> dict[str, int]:
    """One kind of memory: its limit, what is used now and was at most, how often the limit was hit."""
    return {"limit": limit, "usage": usage, "max": highest, "failcnt": failures}


def parse_interfaces(text: str) -> list[dict[str, Any]]:
    """The network interfaces in a process's /proc/PID/net/dev.

    Source: proc_pid_net(5)
    """
    found = []
    for line in text.splitlines()[2:]:
        name, _, counts = line.partition(":")
        numbers = [int(word) for word in counts.split()]
        record: dict[str, Any] = {"Name": name.strip()}
        for direction, first in (("Rx", 0), ("Tx", 8)):
            for kind, value in zip(("Bytes", "Packets", "Errors", "Dropped"), numbers[first:], strict=False):
                record[direction + kind] = value
        found.append(record)
    return found
