"""Machines to plan for."""

from __future__ import annotations

from typing import Any

from stave.cgroups.plan import CgroupPlan, plan_cgroups
from stave.host.facts import CgroupLayout

CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb")
V1 = CgroupLayout(
    "/cg/unified", {name: f"/cg/{name}" for name in CONTROLLERS} | {"name=systemd": "/cg/systemd"}
)
V1_FULL = CgroupLayout(None, {name: f"/cg/{name}" for name in (*CONTROLLERS, "net_cls", "net_prio", "rdma")})
V2 = CgroupLayout("/cg", {})


def plan(resources: dict[str, Any], layout: CgroupLayout) -> CgroupPlan:
    """The plan of a container "web" with these resources."""
    config: Any = {"linux": {"cgroupsPath": "/web", "resources": resources}}
    return plan_cgroups(config, "web", layout)


def writes(resources: dict[str, Any], layout: CgroupLayout) -> list[tuple[str, str, str]]:
    """(file below the group's mount point, value, pointer below the resources) of each limit that is written.

    The files that `write_cgroup_first` chooses from are joined by "|", as are their values.
    """
    found = []
    for operation in plan(resources, layout).setup:
        pointer = operation.pointer.removeprefix("/linux/resources/")
        if operation.name == "write_cgroup" and "/devices." not in str(operation.arguments[0]):
            file, value = operation.arguments
            found.append((_short(file), str(value), pointer))
        elif operation.name == "write_cgroup_first":
            files, values = operation.arguments
            found.append(("|".join(map(_short, files)), "|".join(values), pointer))
    return found


def _short(file: Any) -> str:
    return str(file).rpartition("/")[2]
