"""Limits as config.json and the runtimes' `update` have them: linux.resources. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PERIOD = 100_000
_CPU = (("cpu_shares", "shares"), ("cpu_period", "period"), ("cpu_quota", "quota"))
_SETS = (("cpuset_cpus", "cpus"), ("cpuset_mems", "mems"))


def resources(limits: dict[str, Any]) -> dict[str, Any]:
    """linux.resources without devices; only what was asked for."""
    result: dict[str, Any] = {}
    memory = _memory(limits)
    cpu: dict[str, Any] = {name: limits[key] for key, name in (*_CPU, *_SETS) if key in limits}
    if "cpus" in limits:
        cpu |= {"period": _PERIOD, "quota": int(limits["cpus"] * _PERIOD)}
    if memory:
        result["memory"] = memory
    if cpu:
        result["cpu"] = cpu
    if "pids_limit" in limits:
        result["pids"] = {"limit": limits["pids_limit"] if limits["pids_limit"] > 0 else -1}
    if "unified" in limits:
        result["unified"] = limits["unified"]
    block = _block(limits)
    if block:
        result["blockIO"] = block
    return result


def _memory(limits: dict[str, Any]) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    if "memory" in limits:
        memory["limit"] = limits["memory"]
        # As docker: as much swap as memory, unless it is said otherwise.
        memory["swap"] = limits.get("memory_swap", limits["memory"] * 2)
    if "memory_reservation" in limits:
        memory["reservation"] = limits["memory_reservation"]
    if "memory_swappiness" in limits:
        memory["swappiness"] = limits["memory_swappiness"]
    if limits.get("oom_kill_disable"):
        memory["disableOOMKiller"] = True
    return memory


def _block(limits: dict[str, Any]) -> dict[str, Any]:
    import posix

    block: dict[str, Any] = {"weight": limits["blkio_weight"]} if "blkio_weight" in limits else {}
    for key, name in (
        ("device_read_bps", "throttleReadBpsDevice"),
        ("device_write_bps", "throttleWriteBpsDevice"),
        ("device_read_iops", "throttleReadIOPSDevice"),
        ("device_write_iops", "throttleWriteIOPSDevice"),
    ):
        for path, rate in limits.get(key, ()):
            device = posix.stat(path).st_rdev
            block.setdefault(name, []).append(
                {"major": posix.major(device), "minor": posix.minor(device), "rate": rate}
            )
    return block
