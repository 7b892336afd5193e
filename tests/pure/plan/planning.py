"""Configurations to plan, and how to look at the Programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stave.host.facts import CgroupLayout, Facts
from stave.plan.create import plan_create
from stave.plan.execute import plan_exec
from stave.plan.operations import CODES, CONTAINER, WAITS
from stave.plan.program import Operation, Program, encode
from stave.plan.result import Plan

V2 = CgroupLayout("/sys/fs/cgroup", {})
V1 = CgroupLayout(
    None,
    {
        "cpu": "/sys/fs/cgroup/cpu,cpuacct",
        "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
        "memory": "/sys/fs/cgroup/memory",
        "name=systemd": "/sys/fs/cgroup/systemd",
    },
)
HYBRID = CgroupLayout("/sys/fs/cgroup/unified", V1.v1)
ROOT = Facts(V2)
DESCRIPTORS = {"listener": 5, "container": 6} | {
    f"ns/{name}": 10 + index
    for index, name in enumerate(("user", "pid", "net", "mnt", "ipc", "uts", "cgroup", "time"))
}
MAPPINGS = {
    "uidMappings": [
        {"containerID": 0, "hostID": 1000, "size": 1},
        {"containerID": 1, "hostID": 5000, "size": 9},
    ],
    "gidMappings": [
        {"containerID": 0, "hostID": 2000, "size": 1},
        {"containerID": 1, "hostID": 6000, "size": 9},
    ],
}


def make_process(**members: Any) -> dict[str, Any]:
    """A process object."""
    return {"cwd": "/", "args": ["sh"], "user": {"uid": 0, "gid": 0}, **members}


def make_config(namespaces: str = "mount", linux: Mapping[str, Any] = {}, **members: Any) -> dict[str, Any]:
    """A configuration with these namespaces ("mount pid network=/run/ns") and members."""
    entries = []
    for word in namespaces.split():
        kind, _, path = word.partition("=")
        entries.append({"type": kind, "path": path} if path else {"type": kind})
    return {
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": make_process(),
        "linux": {"namespaces": entries, **linux},
        **members,
    }


def create(config: dict[str, Any], facts: Facts = ROOT, **arguments: Any) -> Plan:
    """The plan of `create`; every operation in it can be encoded."""
    defaults: dict[str, Any] = {
        "container_id": "web",
        "bundle": "/bundle",
        "cgroup_setup": [Operation("make_cgroup", "", ("/sys/fs/cgroup/web",))],
        "cgroup_join": [Operation("join_cgroup", "", ("/sys/fs/cgroup/web",))],
        "cgroup_paths": {"": "/sys/fs/cgroup/web"},
        "hook_state": lambda status: (f'{{"status":"{status}","pid":'.encode(), b"}"),
    }
    plan = plan_create(config, facts=facts, **{**defaults, **arguments})  # type: ignore[arg-type]
    check(plan.program)
    return plan


def execute(process: dict[str, Any], namespaces: int, config: dict[str, Any], **arguments: Any) -> Plan:
    """The plan of `exec`; every operation in it can be encoded."""
    defaults: dict[str, Any] = {
        "container_id": "web",
        "bundle": "/bundle",
        "facts": ROOT,
        "cgroup_join": [Operation("join_cgroup", "", ("/sys/fs/cgroup/web",))],
    }
    plan = plan_exec(
        process,  # type: ignore[arg-type]
        config=config,  # type: ignore[arg-type]
        namespaces=namespaces,
        **{**defaults, **arguments},
    )
    check(plan.program)
    return plan


def check(program: Program) -> None:
    """What holds for every Program: it can be encoded, and nobody acts before the other side waits."""
    encode(program, DESCRIPTORS)
    before = None
    for operation in program:
        if not operation.in_container and before in CONTAINER:
            assert before in WAITS, f"{operation.name} would run at the same time as {before}"
        before = operation.name
    ends = [operation.name for operation in program if operation.name in ("execute", "wait_for_start")]
    assert ends[-1] == program.container_operations()[-1].name


def names(plan: Plan) -> list[str]:
    """The names of the operations, in order."""
    return [operation.name for operation in plan.program]


def found(plan: Plan, name: str) -> list[tuple[Any, ...]]:
    """The arguments of every operation of this name, in order."""
    return [operation.arguments for operation in plan.program if operation.name == name]


def one(plan: Plan, name: str) -> tuple[Any, ...]:
    """The arguments of the only operation of this name."""
    (arguments,) = found(plan, name)
    return arguments


def by_name(operation: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The arguments of a container operation with their names."""
    assert operation in CODES
    return dict(zip(CONTAINER[operation][0].split(), arguments, strict=True))


def in_order(plan: Plan, *expected: str) -> bool:
    """Whether these operations occur in this order, with any others between them."""
    rest = iter(names(plan))
    return all(name in rest for name in expected)
