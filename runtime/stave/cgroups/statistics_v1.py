"""Statistics of cgroup v1."""

from __future__ import annotations

import posix

from stave.cgroups.statistics import UNLIMITED, Group, block_entry, entry, parse_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_CPUSET = (
    "cpu_exclusive mem_hardwall mem_exclusive memory_migrate memory_spread_page memory_spread_slab"
    " memory_pressure sched_load_balance sched_relax_domain_level"
).split()
_MEMORY = (
    ("usage", "memory."),
    ("swap", "memory.memsw."),
    ("kernel", "memory.kmem."),
    ("kernelTCP", "memory.kmem.tcp."),
)
# Member, and the file's name behind the prefix of BFQ, or of the throttling layer, which counts less.
_BLOCK = (
    ("ioServiceBytesRecursive", "io_service_bytes_recursive"),
    ("ioServicedRecursive", "io_serviced_recursive"),
    ("ioQueueRecursive", "io_queued_recursive"),
    ("ioServiceTimeRecursive", "io_service_time_recursive"),
    ("ioWaitTimeRecursive", "io_wait_time_recursive"),
    ("ioMergedRecursive", "io_merged_recursive"),
    ("ioTimeRecursive", "time_recursive"),
    ("sectorsRecursive", "sectors_recursive"),
)
_PREFIXES = ("blkio.bfq.", "blkio.throttle.")


def read_statistics(paths: Mapping[str, str]) -> dict[str, Any]:
    """See `stave.cgroups.statistics.statistics`. Raises OSError."""
    for path in paths.values():
        posix.stat(path)

    def of(controller: str, read: Callable[[Group], dict[str, Any]]) -> dict[str, Any]:
        return read(Group(paths[controller])) if controller in paths else {}

    return {
        "cpu": {"usage": of("cpuacct", _cpu_usage), "throttling": of("cpu", _throttling)},
        "cpuset": of("cpuset", _cpuset),
        "memory": of("memory", _memory),
        "pids": of("pids", _pids),
        "blkio": of("blkio", _block_io),
        "hugetlb": of("hugetlb", _huge_pages),
    }


def _cpu_usage(group: Group) -> dict[str, Any]:
    tick = 10**9 // posix.sysconf("SC_CLK_TCK")
    totals = group.numbers("cpuacct.stat")
    per_cpu = [
        [int(word) for word in line.split()] for line in group.text("cpuacct.usage_all").splitlines()[1:]
    ]
    return {
        "total": group.number("cpuacct.usage"),
        "percpu": [int(word) for word in group.text("cpuacct.usage_percpu").split()],
        "percpu_kernel": [kernel for _, _, kernel in per_cpu],
        "percpu_user": [user for _, user, _ in per_cpu],
        "kernel": totals.get("system", 0) * tick,
        "user": totals.get("user", 0) * tick,
    }


def _throttling(group: Group) -> dict[str, Any]:
    counts = group.numbers("cpu.stat")
    return {
        "periods": counts.get("nr_periods", 0),
        "throttledPeriods": counts.get("nr_throttled", 0),
        "throttledTime": counts.get("throttled_time", 0),
    }


def _cpuset(group: Group) -> dict[str, Any]:
    return {
        "cpus": parse_list(group.text("cpuset.cpus")),
        "mems": parse_list(group.text("cpuset.mems")),
        **{name: group.number(f"cpuset.{name}") for name in _CPUSET},
    }


def _memory(group: Group) -> dict[str, Any]:
    raw = group.numbers("memory.stat")
    kinds = {
        name: entry(
            group.number(f"{prefix}limit_in_bytes"),
            group.number(f"{prefix}usage_in_bytes"),
            group.number(f"{prefix}max_usage_in_bytes"),
            group.number(f"{prefix}failcnt"),
        )
        for name, prefix in _MEMORY
    }
    return {"cache": raw.get("cache", 0), **kinds, "raw": raw}


def _pids(group: Group) -> dict[str, Any]:
    limit = group.number("pids.max")
    return {"current": group.number("pids.current"), **({} if limit == UNLIMITED else {"limit": limit})}


def _block_io(group: Group) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member, name in _BLOCK:
        entries = next(
            (each for each in (_block_file(group.text(at + name)) for at in _PREFIXES) if each), []
        )
        if entries:
            found[member] = entries
    return found


def _block_file(text: str) -> list[dict[str, Any]]:
    """Lines "MAJOR:MINOR [OPERATION] NUMBER"; the sum over all devices in the end is left out."""
    found = []
    for line in text.splitlines():
        device, *words = line.split()
        if ":" in device:
            found.append(block_entry(device, " ".join(words[:-1]), int(words[-1])))
    return found


def _huge_pages(group: Group) -> dict[str, Any]:
    return {
        size: {
            "usage": group.number(f"{prefix}.usage_in_bytes"),
            "max": group.number(f"{prefix}.max_usage_in_bytes"),
            "failcnt": group.number(f"{prefix}.failcnt"),
        }
        for size, prefix in group.huge_page_sizes(".usage_in_bytes").items()
    }
