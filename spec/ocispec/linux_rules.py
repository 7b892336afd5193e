"""The rules between fields of `linux`: see ocispec.rules."""

from __future__ import annotations

from ocispec.errors import Problem, pointer
from ocispec.sysctl import sysctl_namespace, sysctl_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocispec.types import Config, Device, IDMapping, Linux, MemoryPolicy, Resources, Seccomp

_MAX_ID = 4294967294
# The kernel keeps 12 bits of a device's major and 20 of its minor number; mknod(2) cuts off the rest.
_MAX_MAJOR, _MAX_MINOR = 4095, 1048575
_NODELESS_MODES = ("MPOL_DEFAULT", "MPOL_LOCAL")
_NODE_FLAGS = {"MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"}
_NO_NAMESPACE = "has no effect without a {} namespace in linux.namespaces"


def linux_problems(config: Config, linux: Linux) -> Iterator[Problem]:
    """Problems of `linux`, some of which depend on the rest of config.json."""
    paths: dict[str, str] = {}
    for index, namespace in enumerate(linux.get("namespaces", ())):
        if namespace["type"] in paths:
            text = f"a second namespace of type {namespace['type']}"
            yield Problem(f"/linux/namespaces/{index}", text, "config-linux.md#namespaces")
        paths[namespace["type"]] = namespace.get("path", "")
    for rule in _NAMESPACE_RULES:
        yield from rule(linux, paths)
    yield from _sysctl(config, linux, paths)
    for index, device in enumerate(linux.get("devices", ())):
        yield from _device(device, f"/linux/devices/{index}")
    yield from resources_problems(linux.get("resources", {}), "/linux/resources")
    if "seccomp" in linux:
        yield from _seccomp(linux["seccomp"])
    if "memoryPolicy" in linux:
        yield from _memory_policy(linux["memoryPolicy"])


def id_mapping_problems(mappings: list[IDMapping], at: str) -> Iterator[Problem]:
    """Problems of one list of mappings: the kernel takes neither overflow nor overlap."""
    section = "config-linux.md#user-namespace-mappings"
    for side in ("containerID", "hostID"):
        starts = [int(mapping[side]) for mapping in mappings]
        end, holder = 0, 0  # how far the mappings so far reach, and which of them does
        for index in sorted(range(len(mappings)), key=starts.__getitem__):
            if starts[index] < end:
                at_fault, other = max(index, holder), min(index, holder)
                text = f"overlaps the mapping of {starts[other]}"
                yield Problem(f"{at}/{at_fault}/{side}", text, section)
            if starts[index] + mappings[index]["size"] > end:
                end, holder = starts[index] + mappings[index]["size"], index
        if end > _MAX_ID + 1:
            yield Problem(f"{at}/{holder}", f"{side} and size reach beyond {_MAX_ID}", section)


def resources_problems(resources: Resources, at: str) -> Iterator[Problem]:
    """Problems of a resources object at this pointer: that of config.json, or the input of `update`."""
    cpu = resources.get("cpu", {})
    quota, burst = cpu.get("quota", 0), cpu.get("burst", 0)
    if 0 < quota < burst:
        text = f"must be at most the quota {quota}, is {burst}"
        yield Problem(f"{at}/cpu/burst", text, "config-linux.md#cpu")
    for index, device in enumerate(resources.get("blockIO", {}).get("weightDevice", ())):
        if "weight" not in device and "leafWeight" not in device:
            where = f"{at}/blockIO/weightDevice/{index}"
            yield Problem(where, "needs weight, leafWeight or both", "config-linux.md#block-io")
    for name, limit in resources.get("rdma", {}).items():
        if "hcaHandles" not in limit and "hcaObjects" not in limit:
            where = f"{at}/rdma{pointer(name)}"
            yield Problem(where, "needs hcaHandles, hcaObjects or both", "config-linux.md#rdma")
    for name in resources.get("unified", ()):
        if "/" in name or name in ("", ".", ".."):
            where = f"{at}/unified{pointer(name)}"
            yield Problem(where, "the name must be that of a file in the cgroup", "config-linux.md#unified")


def _masked_paths(linux: Linux, paths: dict[str, str]) -> Iterator[Problem]:
    """Without a mount namespace of the container's the host would lose the paths."""
    if "mount" in paths:
        return
    if linux.get("maskedPaths"):
        text = "cannot be masked without a mount namespace in linux.namespaces"
        yield Problem("/linux/maskedPaths", text, "config-linux.md#masked-paths")
    if linux.get("readonlyPaths"):
        text = "cannot be made read-only without a mount namespace in linux.namespaces"
        yield Problem("/linux/readonlyPaths", text, "config-linux.md#readonly-paths")


def _user_mappings(linux: Linux, paths: dict[str, str]) -> Iterator[Problem]:
    section = "config-linux.md#user-namespace-mappings"
    uids, gids = linux.get("uidMappings", []), linux.get("gidMappings", [])
    for name, mappings in (("uidMappings", uids), ("gidMappings", gids)):
        if mappings and "user" not in paths:
            yield Problem(f"/linux/{name}", _NO_NAMESPACE.format("user"), section)
        yield from id_mapping_problems(mappings, f"/linux/{name}")


def _time_offsets(linux: Linux, paths: dict[str, str]) -> Iterator[Problem]:
    section = "config-linux.md#offset-for-time-namespace"
    offsets = linux.get("timeOffsets")
    if offsets and "time" not in paths:
        yield Problem("/linux/timeOffsets", _NO_NAMESPACE.format("time"), section)
    elif offsets and paths["time"]:
        text = "cannot be set in the existing time namespace that linux.namespaces names"
        yield Problem("/linux/timeOffsets", text, section)
    for clock in offsets or ():
        if clock not in ("monotonic", "boottime"):
            at = f"/linux/timeOffsets{pointer(clock)}"
            yield Problem(at, "the clock must be monotonic or boottime", section)


def _net_devices(linux: Linux, paths: dict[str, str]) -> Iterator[Problem]:
    section = "config-linux.md#network-devices"
    devices = linux.get("netDevices", {})
    if devices and "network" not in paths:
        yield Problem("/linux/netDevices", _NO_NAMESPACE.format("network"), section)
    targets: set[str] = set()
    for host_name, device in devices.items():
        at = f"/linux/netDevices{pointer(host_name)}"
        target = device.get("name") or host_name
        if not _is_interface(host_name):
            yield Problem(at, "is not the name of a network interface", section)
        elif not _is_interface(target):
            yield Problem(f"{at}/name", f"is not the name of a network interface: {target}", section)
        elif target in targets and "%d" not in target:
            yield Problem(f"{at}/name", f"a second device would be called {target}", section)
        targets.add(target)


_NAMESPACE_RULES: tuple[Callable[[Linux, dict[str, str]], Iterator[Problem]], ...] = (
    _masked_paths,
    _user_mappings,
    _time_offsets,
    _net_devices,
)


def _is_interface(name: str) -> bool:
    """True for what the kernel takes (dev_valid_name): at most 15 bytes, no slash, colon or space."""
    short = 0 < len(name.encode(errors="replace")) <= 15
    return short and name not in (".", "..") and not any(c in "/:" or c.isspace() for c in name)


def _sysctl(config: Config, linux: Linux, paths: dict[str, str]) -> Iterator[Problem]:
    section = "config-linux.md#sysctl"
    for name in linux.get("sysctl", ()):
        at = f"/linux/sysctl{pointer(name)}"
        try:
            path = sysctl_path(name)
        except ValueError:
            yield Problem(at, "is not the name of a kernel parameter", section)
            continue
        namespace = sysctl_namespace(path)
        field = path.removeprefix("kernel/")
        if namespace is None:
            yield Problem(at, "belongs to no namespace: setting it would change the host", section)
        elif namespace not in paths:
            text = f"would change the host: linux.namespaces has no {namespace} namespace"
            yield Problem(at, text, section)
        elif namespace == "uts" and config.get(field):
            yield Problem(at, f"conflicts with {field}, which sets the same", section)


def _device(device: Device, at: str) -> Iterator[Problem]:
    section = "config-linux.md#devices"
    if device["type"] == "p":
        return
    for name, number, highest in (
        ("major", device.get("major"), _MAX_MAJOR),
        ("minor", device.get("minor"), _MAX_MINOR),
    ):
        if number is None:
            yield Problem(f"{at}/{name}", f"is required for a device of type {device['type']}", section)
        elif not 0 <= number <= highest:
            yield Problem(f"{at}/{name}", f"must be 0 to {highest}, is {number}", section)


def _seccomp(seccomp: Seccomp) -> Iterator[Problem]:
    section = "config-linux.md#seccomp"
    at = "/linux/seccomp"
    default = seccomp["defaultAction"]
    rules = seccomp.get("syscalls", ())
    if default == "SCMP_ACT_NOTIFY":
        text = "must not be SCMP_ACT_NOTIFY: nothing could be sent to the listener"
        yield Problem(f"{at}/defaultAction", text, section)
    listens = bool(seccomp.get("listenerPath"))
    if not listens and any(rule["action"] == "SCMP_ACT_NOTIFY" for rule in rules):
        yield Problem(f"{at}/listenerPath", "is required by the action SCMP_ACT_NOTIFY", section)
    if not listens and seccomp.get("listenerMetadata"):
        yield Problem(f"{at}/listenerMetadata", "must not be set without listenerPath", section)
    if "defaultErrnoRet" in seccomp and default not in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
        yield Problem(f"{at}/defaultErrnoRet", f"has no meaning with {default}", section)
    for index, rule in enumerate(rules):
        if "errnoRet" in rule and rule["action"] not in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
            yield Problem(f"{at}/syscalls/{index}/errnoRet", f"has no meaning with {rule['action']}", section)


def _memory_policy(policy: MemoryPolicy) -> Iterator[Problem]:
    """What set_mempolicy(2) answers with EINVAL whatever the machine."""
    section = "config-linux.md#memory-policy"
    at = "/linux/memoryPolicy"
    mode, nodes, flags = policy["mode"], policy.get("nodes", ""), set(policy.get("flags", ()))
    if mode in _NODELESS_MODES:
        if nodes:
            yield Problem(f"{at}/nodes", f"must be empty for {mode}", section)
    elif not nodes and mode != "MPOL_PREFERRED":
        yield Problem(f"{at}/nodes", f"must not be empty for {mode}", section)
    if flags >= _NODE_FLAGS:
        text = "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other"
        yield Problem(f"{at}/flags", text, section)
    elif flags & _NODE_FLAGS and not nodes:
        yield Problem(f"{at}/flags", f"{min(flags & _NODE_FLAGS)} needs nodes", section)
    if "MPOL_F_NUMA_BALANCING" in flags and mode not in ("MPOL_BIND", "MPOL_PREFERRED_MANY"):
        text = "MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY only"
        yield Problem(f"{at}/flags", text, section)
