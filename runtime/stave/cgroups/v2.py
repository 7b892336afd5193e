"""`linux.resources` as writes to the files of cgroup v2."""

from __future__ import annotations

from math import ceil, log2

from stave.cgroups.device_filter import compile_filter
from stave.cgroups.devices import with_defaults
from stave.cgroups.writes import (
    POINTER,
    check_weight,
    escape,
    plan_hugepages,
    plan_pids,
    plan_rdma,
    swap_limit,
    throttles,
    write,
)
from stave.errors import ConfigError
from stave.plan.program import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocispec.types import CPU, Config, Memory, Resources
    from stave.cgroups.writes import Write

    # The same with a choice of files, each with its value: (controller, files, values, pointer).
    WriteFirst = Callable[[str, list[str], list[str], str], None]

# Enabled where they can be, whether or not a property needs them: for statistics, and for a later `update`.
_WANTED = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb")


def plan_group(mount_point: str, where: str, resources: Resources, devices: bool) -> list[Operation]:
    """The group exists, has the controllers it needs, and its limits are in force.

    Args:
        where: path of the group below the mount point, starting with "/".
        devices: whether the device rules are set, too.

    Raises:
        ConfigError: a property has no counterpart in cgroup v2, or makes no sense.
    """
    directory = mount_point + where
    needed: dict[str, None] = {}
    limits = _plan_resources(resources, directory, needed)
    wanted = [f"+{name}" for name in needed] + [f"?{name}" for name in _WANTED if name not in needed]
    setup = [Operation("make_cgroup", "/linux/cgroupsPath", (directory,))]
    ancestor = mount_point
    for name in where.split("/")[1:]:
        setup.append(Operation("enable_controllers", POINTER, (ancestor, " ".join(wanted))))
        ancestor += f"/{name}"
    if devices:
        program = compile_filter(with_defaults(resources.get("devices", ())))
        setup.append(Operation("attach_device_filter", f"{POINTER}/devices", (directory, program)))
    return setup + limits


def plan_ownership(config: Config, directory: str) -> list[Operation]:
    """The group belongs to the program's user, if the container has a new cgroup namespace and mounts its group
    writable. Spec: config-linux.md#cgroup-ownership"""
    linux = config.get("linux", {})
    namespaces = {each["type"]: each.get("path") for each in linux.get("namespaces", ())}
    writable = [
        mount
        for mount in config.get("mounts", ())
        if mount.get("source") == "cgroup"
        and mount["destination"] == "/sys/fs/cgroup"
        and not {"ro", "rro"} & set(mount.get("options", ()))
    ]
    if not writable or "process" not in config or namespaces.get("cgroup", "none"):
        return []
    uid = config["process"]["user"]["uid"]
    if "user" in namespaces:
        uid = next(
            (
                line["hostID"] + uid - line["containerID"]
                for line in linux.get("uidMappings", ())
                if 0 <= uid - line["containerID"] < line["size"]
            ),
            0,
        )
    return [Operation("delegate_cgroup", "/linux/cgroupsPath", (directory, uid))] if uid else []


def _plan_resources(resources: Resources, directory: str, needed: dict[str, None]) -> list[Operation]:
    """The writes; the controllers that they need go into `needed`."""
    operations: list[Operation] = []

    def put(controller: str, file: str, value: int | str, pointer: str) -> None:
        needed[controller] = None
        operations.append(write(pointer, f"{directory}/{file}", value))

    def put_first(controller: str, files: list[str], values: list[str], pointer: str) -> None:
        needed[controller] = None
        paths = [f"{directory}/{file}" if file else "" for file in files]
        operations.append(Operation("write_cgroup_first", pointer, (paths, values)))

    _plan_memory(resources.get("memory", {}), put, put_first)
    _plan_cpu(resources.get("cpu", {}), put)
    plan_pids(resources, put)
    _plan_weights(resources, put_first)
    _plan_throttles(resources, put)
    plan_hugepages(resources, put, "max")
    plan_rdma(resources, put)
    network = resources.get("network", {})
    _refuse("network/classID", network.get("classID"))
    _refuse("network/priorities", network.get("priorities"))
    # Last: what is said in the kernel's own words wins.
    for file, value in resources.get("unified", {}).items():
        if "/" in file or file in ("", ".", ".."):
            raise ConfigError(f"{POINTER}/unified", f"{file!r} is not the name of a file in a cgroup")
        controller = file.partition(".")[0]
        pointer = f"{POINTER}/unified/{escape(file)}"
        if controller != "cgroup" and not file.endswith(".pressure"):
            needed[controller] = None
        operations += [write(pointer, f"{directory}/{file}", line) for line in value.splitlines() or [""]]
    return operations


def _plan_memory(memory: Memory, put: Write, put_first: WriteFirst) -> None:
    # `kernel` and `useHierarchy` have no effect in cgroup v1 either.
    pointer = f"{POINTER}/memory"
    swap = swap_limit(memory)
    if swap:
        only_swap = "max" if swap < 0 else str(swap - memory["limit"])
        # A kernel without swap has no such file, and nothing to forbid or to grant.
        files = ["memory.swap.max", ""] if only_swap in ("max", "0") else ["memory.swap.max"]
        put_first("memory", files, [only_swap] * len(files), f"{pointer}/swap")
    for name, file in (("limit", "memory.max"), ("reservation", "memory.low")):
        if value := memory.get(name):
            put("memory", file, _or_max(value), f"{pointer}/{name}")
    _refuse("memory/swappiness", "swappiness" in memory)
    _refuse("memory/disableOOMKiller", memory.get("disableOOMKiller"))
    _refuse("memory/kernelTCP", memory.get("kernelTCP", 0) > 0)


def _plan_cpu(cpu: CPU, put: Write) -> None:
    pointer = f"{POINTER}/cpu"
    if shares := cpu.get("shares"):
        put("cpu", "cpu.weight", weight_of_shares(shares), f"{pointer}/shares")
    quota, period = cpu.get("quota", 0), cpu.get("period", 0)
    if quota or period:
        text = str(quota) if quota > 0 else "max"
        name = "quota" if quota else "period"
        put("cpu", "cpu.max", f"{text} {period}" if period else text, f"{pointer}/{name}")
    if "burst" in cpu:
        put("cpu", "cpu.max.burst", cpu["burst"], f"{pointer}/burst")
    if "idle" in cpu:  # after the weight, which an idle group refuses
        put("cpu", "cpu.idle", cpu["idle"], f"{pointer}/idle")
    for name in ("cpus", "mems"):
        if value := cpu.get(name):
            put("cpuset", f"cpuset.{name}", value, f"{pointer}/{name}")  # type: ignore[arg-type]
    _refuse("cpu/realtimeRuntime", cpu.get("realtimeRuntime"))
    _refuse("cpu/realtimePeriod", cpu.get("realtimePeriod"))


def weight_of_shares(shares: int) -> int:
    """The weight (1 to 10000) for these v1 shares (2 to 262144).

    The defaults, 1024 and 100, correspond, as do both ends; in between the curve is a parabola of logarithms.
    """
    if shares <= 2:
        return 1
    if shares >= 262144:
        return 10000
    power = log2(shares)
    return ceil(round(10 ** ((power * power + 125 * power) / 612 - 7 / 34), 9))


def _plan_weights(resources: Resources, put_first: WriteFirst) -> None:
    # BFQ's own file where that scheduler is loaded, else that of the cost model, whose range is wider.
    block_io = resources.get("blockIO", {})
    pointer = f"{POINTER}/blockIO"
    files = ["io.bfq.weight", "io.weight"]
    if weight := block_io.get("weight"):
        check_weight(weight, f"{pointer}/weight")
        put_first("io", files, [str(weight), str(_io_weight(weight))], f"{pointer}/weight")
    _refuse("blockIO/leafWeight", block_io.get("leafWeight"))
    for index, entry in enumerate(block_io.get("weightDevice", ())):
        at, device = f"{pointer}/weightDevice/{index}", f"{entry['major']}:{entry['minor']}"
        if weight := entry.get("weight"):
            check_weight(weight, at)
            put_first("io", files, [f"{device} {weight}", f"{device} {_io_weight(weight)}"], at)
        _refuse(f"blockIO/weightDevice/{index}/leafWeight", entry.get("leafWeight"))


def _io_weight(weight: int) -> int:
    """10 to 1000 as 1 to 10000."""
    return 1 + (weight - 10) * 9999 // 990


def _plan_throttles(resources: Resources, put: Write) -> None:
    for name, rates, _, key in throttles(resources.get("blockIO", {})):
        for index, rate in enumerate(rates):
            # A rate of 0 lifts a limit in cgroup v1.
            text = f"{rate['major']}:{rate['minor']} {key}={rate['rate'] or 'max'}"
            put("io", "io.max", text, f"{POINTER}/blockIO/{name}/{index}")


def _or_max(value: object) -> int | str:
    return "max" if not isinstance(value, int) or value < 0 else value


def _refuse(name: str, given: object) -> None:
    if given:
        reason = "has no counterpart in cgroup v2, which this machine uses; leave it out"
        raise ConfigError(f"{POINTER}/{name}", reason)
