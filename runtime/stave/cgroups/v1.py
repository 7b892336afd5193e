"""`linux.resources` as writes to the files of cgroup v1."""

from __future__ import annotations

from stave.cgroups.devices import v1_writes
from stave.cgroups.writes import (
    POINTER,
    check_weight,
    plan_hugepages,
    plan_pids,
    plan_rdma,
    swap_limit,
    throttles,
    write,
)
from stave.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocispec.types import Resources
    from stave.cgroups.writes import Write
    from stave.plan.program import Operation


def plan_resources(resources: Resources, paths: Mapping[str, str], devices: bool) -> list[Operation]:
    """The writes that put the limits in force.

    Args:
        paths: directory of the group per controller.
        devices: whether the device rules are set, too.

    Raises:
        ConfigError: a property needs a controller that is not mounted, or cgroup v2, or makes no sense.

    Spec: config-linux.md#control-groups
    """
    operations: list[Operation] = []

    def put(controller: str, file: str, value: int | str, pointer: str) -> None:
        if controller not in paths:
            cure = f"mount it (mount -t cgroup -o {controller} cgroup DIR) or leave the property out"
            raise ConfigError(pointer, f"the cgroup v1 controller {controller} is not mounted; {cure}")
        operations.append(write(pointer, f"{paths[controller]}/{file}", value))

    if resources.get("unified"):
        raise ConfigError(f"{POINTER}/unified", "needs cgroup v2; this machine sets limits through cgroup v1")
    rules = resources.get("devices", ())
    if devices and (rules or "devices" in paths):
        for file, rule, pointer in v1_writes(rules):
            put("devices", file, rule, pointer)
    _plan_memory(resources, put)
    _plan_cpu(resources, put)
    plan_pids(resources, put)
    _plan_block_io(resources, put)
    plan_hugepages(resources, put, "limit_in_bytes")
    _plan_network(resources, put)
    plan_rdma(resources, put)
    return operations


# File per property, in the order of writing: the kernel keeps memory <= memory+swap, and quota >= burst. New
# groups are unlimited, so the smaller one of each pair that has a lower bound goes first.
_MEMORY = (
    ("limit", "memory.limit_in_bytes"),
    ("swap", "memory.memsw.limit_in_bytes"),
    ("reservation", "memory.soft_limit_in_bytes"),
    ("kernelTCP", "memory.kmem.tcp.limit_in_bytes"),
)
_NO_LEAF_WEIGHT = "Linux has had no leaf weights since version 5.0: leave the property out"
_CPU = (
    ("shares", "cpu.shares"),
    ("period", "cpu.cfs_period_us"),
    ("quota", "cpu.cfs_quota_us"),
    ("burst", "cpu.cfs_burst_us"),
    ("realtimePeriod", "cpu.rt_period_us"),
    ("realtimeRuntime", "cpu.rt_runtime_us"),
)


def _plan_memory(resources: Resources, put: Write) -> None:
    # `kernel` and `useHierarchy` have had no effect since Linux 5.11.
    memory = resources.get("memory", {})
    swap_limit(memory)
    for name, file in _MEMORY:
        if value := memory.get(name):
            put("memory", file, value, f"{POINTER}/memory/{name}")  # type: ignore[arg-type]
    if "swappiness" in memory:
        put("memory", "memory.swappiness", memory["swappiness"], f"{POINTER}/memory/swappiness")
    if "disableOOMKiller" in memory:
        disabled = int(memory["disableOOMKiller"])
        put("memory", "memory.oom_control", disabled, f"{POINTER}/memory/disableOOMKiller")


def _plan_cpu(resources: Resources, put: Write) -> None:
    cpu = resources.get("cpu", {})
    for name, file in _CPU:
        value = cpu.get(name)
        if value or (name == "burst" and value is not None):
            put("cpu", file, value, f"{POINTER}/cpu/{name}")  # type: ignore[arg-type]
    if "idle" in cpu:  # after the shares, which an idle group refuses
        put("cpu", "cpu.idle", cpu["idle"], f"{POINTER}/cpu/idle")
    for name in ("cpus", "mems"):
        if value := cpu.get(name):
            put("cpuset", f"cpuset.{name}", value, f"{POINTER}/cpu/{name}")  # type: ignore[arg-type]


def _plan_block_io(resources: Resources, put: Write) -> None:
    # Weights are BFQ's: the scheduler that `blkio.weight` belonged to left with Linux 5.0, and leaf weights with it.
    block_io = resources.get("blockIO", {})
    pointer = f"{POINTER}/blockIO"
    if weight := block_io.get("weight"):
        put("blkio", "blkio.bfq.weight", check_weight(weight, f"{pointer}/weight"), f"{pointer}/weight")
    if block_io.get("leafWeight"):
        raise ConfigError(f"{pointer}/leafWeight", _NO_LEAF_WEIGHT)
    for index, entry in enumerate(block_io.get("weightDevice", ())):
        at, device = f"{pointer}/weightDevice/{index}", f"{entry['major']}:{entry['minor']}"
        if weight := entry.get("weight"):
            put("blkio", "blkio.bfq.weight_device", f"{device} {check_weight(weight, at)}", at)
        if entry.get("leafWeight"):
            raise ConfigError(f"{at}/leafWeight", _NO_LEAF_WEIGHT)
    for name, rates, file, _ in throttles(block_io):
        for index, rate in enumerate(rates):
            text = f"{rate['major']}:{rate['minor']} {rate['rate']}"
            put("blkio", file, text, f"{pointer}/{name}/{index}")


def _plan_network(resources: Resources, put: Write) -> None:
    network = resources.get("network", {})
    if class_id := network.get("classID"):
        put("net_cls", "net_cls.classid", class_id, f"{POINTER}/network/classID")
    for index, entry in enumerate(network.get("priorities", ())):
        text = f"{entry['name']} {entry['priority']}"
        put("net_prio", "net_prio.ifpriomap", text, f"{POINTER}/network/priorities/{index}")
