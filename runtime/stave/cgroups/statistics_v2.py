"""Statistics of cgroup v2, with its pressure stall information."""

from __future__ import annotations

import posix

from stave.cgroups.statistics import UNLIMITED, Group, block_entry, entry, parse_list, parse_nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_EVENTS = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill")
# Key of io.stat, and where v1 counts the same.
_BLOCK = (
    ("rbytes", "ioServiceBytesRecursive", "Read"),
    ("wbytes", "ioServiceBytesRecursive", "Write"),
    ("dbytes", "ioServiceBytesRecursive", "Discard"),
    ("rios", "ioServicedRecursive", "Read"),
    ("wios", "ioServicedRecursive", "Write"),
    ("dios", "ioServicedRecursive", "Discard"),
)


def read_statistics(path: str) -> dict[str, Any]:
    """See `stave.cgroups.statistics.statistics`. Raises OSError."""
    posix.stat(path)
    group = Group(path)
    return {
        "cpu": _cpu(group),
        "cpuset": {
            "cpus": parse_list(group.text("cpuset.cpus.effective")),
            "mems": parse_list(group.text("cpuset.mems.effective")),
        },
        "memory": _memory(group),
        "pids": _pids(group),
        "blkio": _block_io(group),
        "hugetlb": _huge_pages(group),
    }


def _cpu(group: Group) -> dict[str, Any]:
    counts = group.numbers("cpu.stat")

    def nanoseconds(name: str) -> int:
        return counts.get(name, 0) * 1000

    usage = {
        "total": nanoseconds("usage_usec"),
        "kernel": nanoseconds("system_usec"),
        "user": nanoseconds("user_usec"),
    }
    throttling = {
        "periods": counts.get("nr_periods", 0),
        "throttledPeriods": counts.get("nr_throttled", 0),
        "throttledTime": nanoseconds("throttled_usec"),
    }
    return {"usage": usage, "throttling": throttling, **group.pressure("cpu.pressure")}


def _memory(group: Group) -> dict[str, Any]:
    raw = group.numbers("memory.stat")
    events = group.numbers("memory.events")
    limit, used = group.number("memory.max"), group.number("memory.current")
    # Readers expect v1's sums of memory and swap.
    swap_limit = group.number("memory.swap.max")
    swap_limit = UNLIMITED if UNLIMITED in (limit, swap_limit) else limit + swap_limit
    return {
        "cache": raw.get("file", 0),
        "usage": entry(limit, used, group.number("memory.peak"), events.get("max", 0)),
        "swap": entry(swap_limit, used + group.number("memory.swap.current"), 0, 0),
        "kernel": entry(UNLIMITED, raw.get("kernel", 0), 0, 0),
        "kernelTCP": entry(UNLIMITED, raw.get("sock", 0), 0, 0),
        "raw": raw,
        "event_count": {name: events.get(name, 0) for name in _EVENTS},
        **group.pressure("memory.pressure"),
    }


def _pids(group: Group) -> dict[str, Any]:
    limit = group.number("pids.max")
    return {"current": group.number("pids.current"), **({} if limit == UNLIMITED else {"limit": limit})}


def _block_io(group: Group) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for device, counts in parse_nested(group.text("io.stat")).items():
        for key, member, operation in _BLOCK:
            if key in counts:
                found.setdefault(member, []).append(block_entry(device, operation, counts[key]))
    return {**found, **group.pressure("io.pressure")}


def _huge_pages(group: Group) -> dict[str, Any]:
    return {
        size: {
            "usage": group.number(f"{prefix}.current"),
            "failcnt": group.numbers(f"{prefix}.events").get("max", 0),
        }
        for size, prefix in group.huge_page_sizes(".current").items()
    }
