"""Where the groups are, and in which order they are made."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from stave.cgroups.plan import join_operations, plan_cgroups
from stave.errors import ConfigError
from stave.host.facts import CgroupLayout

from .layouts import V1, V2, plan


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/a/b", "/a/b"),
        ("a/b", "/a/b"),
        ("//a/./b/", "/a/b"),
        ("", "/web"),
        ("system.slice:docker:x", "/system.slice:docker:x"),
        ("/-a", "/-a"),
        ("/...", "/..."),
    ],
)
def test_place(path: str, place: str) -> None:
    """Absolute and relative paths count from the mount point of every hierarchy; "" is like absent."""
    config: Any = {"linux": {"cgroupsPath": path}}
    assert plan_cgroups(config, "web", V2).paths == {"": f"/cg{place}"}
    expected = {name: mount_point + place for name, mount_point in V1.v1.items()}
    assert plan_cgroups(config, "web", V1).paths == expected


@pytest.mark.parametrize("config", [{}, {"linux": {}}, {"linux": {"resources": {}}}])
def test_default_place(config: Any) -> None:
    """Without cgroupsPath the group has the container's id."""
    assert plan_cgroups(config, "web", V2).paths == {"": "/cg/web"}


@pytest.mark.parametrize("path", ["/", ".", "//", "/..", "a/../b", "../x", "/a/..", "a\0b"])
def test_refused_place(path: str) -> None:
    """The root group, "..", and NUL are refused."""
    with pytest.raises(ConfigError, match="cgroupsPath"):
        plan_cgroups({"linux": {"cgroupsPath": path}}, "web", V1)  # type: ignore[typeddict-item]


def test_comounted_controllers() -> None:
    """Controllers that share a mount point share a group, which is made and joined once."""
    layout = CgroupLayout(None, {"cpu": "/cg/cpu,cpuacct", "cpuacct": "/cg/cpu,cpuacct", "pids": "/cg/pids"})
    found = plan_cgroups({}, "web", layout)  # type: ignore[typeddict-item]
    places = ["/cg/cpu,cpuacct/web", "/cg/pids/web"]
    assert found.paths == {"cpu": places[0], "cpuacct": places[0], "pids": places[1]}
    assert [operation.arguments for operation in found.setup] == [(place,) for place in places]
    assert [operation.arguments for operation in found.join] == [(f"{place}/tasks",) for place in places]
    assert join_operations(found.paths) == found.join


def test_join() -> None:
    """A process enters v1 groups by way of "tasks", the v2 group by "cgroup.procs"."""
    assert {str(one.arguments[0]).rpartition("/")[2] for one in plan({}, V1).join} == {"tasks"}
    assert [one.arguments for one in plan({}, V2).join] == [("/cg/web/cgroup.procs",)]


def test_v1_order() -> None:
    """All groups are made first; the cpuset has CPUs before limits are written."""
    names = [operation.name for operation in plan({"pids": {"limit": 1}}, V1).setup]
    assert names[:10] == ["make_cgroup"] * 10
    assert names[10] == "inherit_cpuset"
    assert set(names[11:]) == {"write_cgroup"}


def test_v2_order() -> None:
    """Controllers are enabled from the mount point down to the parent of the group, needed ones first."""
    config: Any = {"linux": {"cgroupsPath": "/a/b/c", "resources": {"pids": {"limit": 1}}}}
    setup = plan_cgroups(config, "web", V2).setup
    assert [operation.name for operation in setup] == [
        "make_cgroup",
        *["enable_controllers"] * 3,
        "attach_device_filter",
        "write_cgroup",
    ]
    assert [operation.arguments[0] for operation in setup[1:4]] == ["/cg", "/cg/a", "/cg/a/b"]
    assert setup[1].arguments[1] == "+pids ?cpu ?cpuset ?io ?memory ?hugetlb"


def test_rootless() -> None:
    """Without root's power groups are made where something asks for them, and device rules are left out."""

    def paths(linux: Any, layout: CgroupLayout) -> int:
        found = plan_cgroups({"linux": linux}, "web", layout, rootless=True)  # type: ignore[typeddict-item]
        text = repr(found.setup)
        assert "attach_device_filter" not in text and "devices.deny" not in text
        return len(found.paths)

    devices = [{"allow": False, "access": "rwm"}]
    assert paths({"resources": {"devices": devices, "memory": {}}}, V2) == 0
    assert paths({"resources": {"devices": devices}}, V1) == 0
    assert paths({"cgroupsPath": "/a", "resources": {"devices": devices}}, V2) == 1
    assert paths({"resources": {"pids": {"limit": 5}}}, V2) == 1


def test_no_cgroups_mounted() -> None:
    """Without any hierarchy a container that asks for nothing has no groups; others are refused."""
    nothing = CgroupLayout(None, {})
    assert plan_cgroups({}, "web", nothing).setup == []  # type: ignore[typeddict-item]
    with pytest.raises(ConfigError, match="no cgroup file system is mounted"):
        plan_cgroups({"linux": {"cgroupsPath": "/a"}}, "web", nothing)  # type: ignore[typeddict-item]
    with pytest.raises(ConfigError, match="pids is not mounted"):
        config: Any = {"linux": {"resources": {"pids": {"limit": 5}}}}
        plan_cgroups(config, "web", nothing)


def test_imports() -> None:
    """Neither planning nor acting nor management imports anything slow."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; before = set(sys.modules)\n"
        "from stave.cgroups import manage, operations, plan, v1, v2\n"
        "print(*(name for name in set(sys.modules) - before if not name.startswith('stave')))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, *sys.path]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert set(found) <= {"__future__", "errno", "math", "ocispec"}
