"""Control groups: the set-up, the controllers, and who may use them."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from stave.cgroups.device_filter import compile_filter, load_filter
from stave.doctor.finding import Finding, reason, setting
from stave.host.bus import SYSTEM_BUS, user_bus
from stave.host.facts import CgroupLayout, Facts
from stave.host.rootless import own_group
from stave.native import module as native

GROUP = "cgroups"

# Controllers by version, with what is missing in a container without them.
_V1 = {
    **{"cpu": "cpu.shares, quota", "cpuset": "cpu.cpus, mems", "memory": "memory", "pids": "pids"},
    **{"blkio": "blockIO", "devices": "devices", "freezer": "pause and resume", "hugetlb": "hugepageLimits"},
    **{"net_cls": "network.classID", "net_prio": "network.priorities", "rdma": "rdma"},
}
_V2 = {
    **{"cpu": "cpu.shares, quota", "cpuset": "cpu.cpus, mems", "memory": "memory", "pids": "pids"},
    **{"io": "blockIO", "hugetlb": "hugepageLimits", "rdma": "rdma"},
}


def examine(facts: Facts, environment: Mapping[str, str]) -> list[Finding]:
    """The control groups' part of the report."""
    layout = facts.cgroups
    mode = "v2" if layout.is_v2 else "v1 beside an empty v2 tree (hybrid)" if layout.unified else "v1"
    if not layout.v1 and not layout.unified:
        cure = "mount -t cgroup2 none /sys/fs/cgroup; without, containers run without limits"
        return [Finding(GROUP, "mounted", False, "no cgroup file system is mounted", cure)]
    findings = [Finding(GROUP, "mounted", True, f"cgroup {mode}")]
    if layout.is_v2:
        findings += _unified(layout.unified or "", facts.rootless)
    else:
        findings += _legacy(layout, facts.rootless)
    findings.append(_pressure())
    findings.append(_systemd(environment, facts.rootless))
    return findings


def _legacy(layout: CgroupLayout, rootless: bool) -> list[Finding]:
    findings = []
    known = known_controllers(setting("/proc/cgroups") or "")
    for name, properties in _V1.items():
        where = layout.v1.get(name)
        if where is None and name not in known:
            findings.append(_controller(name, False, "the kernel has none", f"without: no {properties}"))
        elif where is None:
            cure = f"mount -t cgroup -o {name} cgroup DIR"
            findings.append(_controller(name, False, "not mounted", f"{cure}; without: no {properties}"))
        elif rootless and not os.access(where, os.W_OK):
            why = "cgroup v1 cannot be delegated safely"
            findings.append(_controller(name, False, why, f"cgroup v2; without: no {properties}"))
        else:
            findings.append(_controller(name, True, where, ""))
    memory = layout.v1.get("memory", "")
    findings.append(_swap(os.path.exists(f"{memory}/memory.memsw.limit_in_bytes")))
    return findings


def known_controllers(text: str) -> set[str]:
    """The controllers that /proc/cgroups lists as enabled.

    >>> sorted(known_controllers("#subsys_name hierarchy num_cgroups enabled\\ncpu 1 9 1\\nrdma 0 1 0"))
    ['cpu']
    """
    rows = [line.split() for line in text.splitlines()]
    return {row[0] for row in rows if len(row) == 4 and row[3] == "1"}


def _controller(name: str, works: bool, detail: str, cure: str) -> Finding:
    return Finding(GROUP, f"controller {name}", works, detail, cure)


def _unified(mount_point: str, rootless: bool) -> list[Finding]:
    own = mount_point + own_group(setting("/proc/self/cgroup") or "").rstrip("/")
    group = own if rootless else mount_point
    available = (setting(f"{group}/cgroup.controllers") or "").split()
    findings = []
    if rootless:
        findings.append(_delegated(group))
    for name, properties in _V2.items():
        works = name in available
        if rootless:
            cure = f"delegate it: Delegate={name} for user@.service (systemctl edit user@.service)"
        else:
            cure = "a kernel with it, not given to cgroup v1 (cgroup_no_v1=all)"
        why = f"not in {group}/cgroup.controllers"
        findings.append(_controller(name, works, "" if works else why, f"{cure}; without: no {properties}"))
    if not rootless:
        findings.append(_device_filters())
    groups = [own, *(entry.path for entry in os.scandir(mount_point) if entry.is_dir(follow_symlinks=False))]
    children = [path for path in groups if path != mount_point and os.path.exists(f"{path}/cgroup.type")]
    if children:
        kill = any(os.path.exists(f"{path}/cgroup.kill") for path in children)
        findings.append(
            Finding(GROUP, "cgroup.kill", kill, "", "Linux 5.14; until then processes are killed one by one")
        )
        findings.append(_swap(any(os.path.exists(f"{path}/memory.swap.max") for path in children)))
    return findings


def _delegated(group: str) -> Finding:
    missing = [
        name
        for name in ("", "cgroup.procs", "cgroup.subtree_control")
        if not os.access(f"{group}/{name}".rstrip("/"), os.W_OK)
    ]
    why = ", ".join(f"{group}/{name}".rstrip("/") for name in missing)
    cure = "start from a group of your own: systemd-run --user --scope -p Delegate=yes COMMAND"
    detail = f"{why} cannot be written" if missing else group
    return Finding(GROUP, "a delegated group", not missing, detail, cure)


def _device_filters() -> Finding:
    try:
        os.close(load_filter(compile_filter(()), native.bpf))
    except OSError as error:
        cure = "CONFIG_CGROUP_BPF, and CAP_BPF or CAP_SYS_ADMIN in the host's user namespace"
        return Finding(GROUP, "device filters (eBPF)", False, reason(error.errno or 0), cure)
    return Finding(GROUP, "device filters (eBPF)", True)


def _swap(works: bool) -> Finding:
    why = "" if works else "the kernel does not account for swap"
    return Finding(GROUP, "memory.swap", works, why, "boot with swapaccount=1")


def _pressure() -> Finding:
    works = setting("/proc/pressure/cpu") is not None
    why = "" if works else "/proc/pressure cannot be read"
    return Finding(GROUP, "pressure (PSI) statistics", works, why, "boot with psi=1")


def _systemd(environment: Mapping[str, str], rootless: bool) -> Finding:
    name = "systemd driver (--systemd-cgroup)"
    if not os.path.isdir("/run/systemd/system"):
        return Finding(GROUP, name, False, "systemd does not run this machine", "use the cgroupfs driver")
    socket = user_bus(environment) if rootless else SYSTEM_BUS
    try:
        works = stat.S_ISSOCK(os.stat(socket).st_mode)
    except OSError:
        works = False
    cure = (
        "log in through systemd-logind (machinectl shell), or loginctl enable-linger"
        if rootless
        else "start dbus"
    )
    return Finding(
        GROUP, name, works, socket if works else f"there is no bus at {socket or 'a known place'}", cure
    )
