"""Control groups: where a container is put, who owns it, what version 2 alone has, and errors."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ociconformance import isolation, machine
from ociconformance.bundle import mount
from ociconformance.cgroups import MIB, group_of, limits, need, v1_only, v2_only
from ociconformance.container import Container, eventually, fails
from ociconformance.plugin import NewContainer
from ociconformance.testing import covers

# Places.


@covers("linux/cgroups-path/absolute", "linux/cgroups-path/created")
def test_absolute_path(container: Container) -> None:
    """An absolute path counts from where the hierarchy is mounted; the cgroup is made."""
    container.sleeps()
    for controller in ("memory", "pids"):
        group = group_of(container, controller)
        assert group == need(controller) / container.linux["cgroupsPath"].lstrip("/")
        assert str(container.pid) in (group / "cgroup.procs").read_text().split()


@covers("linux/cgroups-path/relative", "linux/cgroups-path/created")
def test_relative_path(container: Container) -> None:
    """A relative path is taken, wherever it counts from."""
    container.linux["cgroupsPath"] = container.linux["cgroupsPath"].lstrip("/")
    container.sleeps()
    assert container.linux["cgroupsPath"] in str(group_of(container, "pids"))


@covers("linux/cgroups-path/consistent")
@pytest.mark.parametrize("relative", [False, True])
def test_the_same_path_again(new_container: NewContainer, relative: bool) -> None:
    """The same path leads to the same cgroup, whatever container and bundle."""
    first, second = new_container(), new_container()
    path = first.linux["cgroupsPath"].lstrip("/" if relative else "")
    groups = []
    for container in (first, second):
        container.linux["cgroupsPath"] = path
        container.sleeps()
        groups.append(group_of(container, "pids"))
        container.kill().wait()
        container.delete()
    assert groups[0] == groups[1]


@covers("linux/cgroups-path/created")
def test_no_path(container: Container) -> None:
    """Without a path the runtime finds a place."""
    del container.linux["cgroupsPath"]
    assert container.says("echo hello") == "hello"


@covers("linux/namespaces/cgroup")
def test_view_from_a_namespace(container: Container) -> None:
    """In a new cgroup namespace the container's own cgroup is the root."""
    container.namespace("cgroup")
    said = container.says("cat /proc/self/cgroup")
    ours = [line for line in said.splitlines() if any(word in line for word in (":pids:", "0::", ":memory:"))]
    assert ours and all(line.endswith(":/") for line in ours if machine.V2 or not line.startswith("0::")), (
        said
    )


@covers("config/mounts/type", "linux/namespaces/cgroup")
def test_mount(container: Container) -> None:
    """A mount of the type cgroup shows the container its own limits."""
    container.namespace("cgroup")
    container.resources(pids={"limit": 123})
    container.mount(mount("/sys/fs/cgroup", "nosuid", "noexec", "nodev", "relatime", "ro", type="cgroup"))
    file = "/sys/fs/cgroup/pids.max" if machine.V2 else "/sys/fs/cgroup/pids/pids.max"
    assert container.says(f"cat {file}") == "123"


# Owners.


def owners(container: Container, *names: str) -> dict[str, int]:
    """The owners of the container's cgroup and of files in it, as the host counts them."""
    container.sleeps()
    group = group_of(container, "pids")
    return {name: (group / name).stat().st_uid for name in names if (group / name).exists()}


@covers("linux/cgroup-ownership/v1")
@v1_only
def test_owner_on_v1(container: Container) -> None:
    """On version 1 the cgroup stays root's."""
    container.namespace("cgroup")
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.mount(mount("/sys/fs/cgroup", "rw", type="cgroup"))
    assert set(owners(container, ".", "cgroup.procs", "tasks").values()) == {0}


DELEGATED = (".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads")


def writable(container: Container, *options: str) -> None:
    """The container mounts its own cgroup, with the configured user."""
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.mount(mount("/sys/fs/cgroup", *options, type="cgroup"))


@covers(
    "linux/cgroup-ownership/writable",
    "linux/cgroup-ownership/delegate",
    "linux/cgroup-ownership/missing-files",
)
@v2_only
def test_owner(container: Container) -> None:
    """The cgroup and its delegated files belong to the program's user if it is mounted writable."""
    container.namespace("cgroup")
    writable(container, "rw")
    assert set(owners(container, *DELEGATED).values()) == {1000}


@covers("linux/cgroup-ownership/no-list")
@v2_only
def test_owner_without_a_list(container: Container) -> None:
    """Where the kernel doesn't list the delegated files, they are the three that every kernel has."""
    container.namespace("cgroup")
    writable(container, "rw")
    isolation.mount("none", "/sys/kernel/cgroup", "tmpfs")
    assert owners(container, *DELEGATED, "cgroup.freeze") == {
        **dict.fromkeys(DELEGATED, 1000),
        "cgroup.freeze": 0,
    }


@covers("linux/cgroup-ownership/others", "linux/cgroup-ownership/delegate")
@v2_only
def test_owner_of_other_files(container: Container) -> None:
    """No other file changes its owner."""
    container.namespace("cgroup")
    writable(container, "rw")
    assert set(owners(container, "pids.max", "memory.max", "cgroup.freeze", "cgroup.events").values()) == {0}


@covers("linux/cgroup-ownership/read-only")
@v2_only
def test_owner_of_a_read_only_mount(container: Container) -> None:
    """Nothing changes its owner if the cgroup is mounted read-only."""
    container.namespace("cgroup")
    writable(container, "ro")
    assert set(owners(container, *DELEGATED).values()) == {0}


@covers("linux/cgroup-ownership/namespace")
@v2_only
def test_owner_without_a_namespace(container: Container) -> None:
    """Nothing changes its owner without a new cgroup namespace."""
    writable(container, "rw")
    assert set(owners(container, *DELEGATED).values()) == {0}


# Version 2's own.


@covers("linux/unified/written", "linux/unified/controllers")
@v2_only
@pytest.mark.parametrize(
    ("file", "value"),
    [("memory.high", str(64 * MIB)), ("cpu.weight", "250"), ("pids.max", "77"), ("io.weight", "default 200")],
)
def test_unified(container: Container, file: str, value: str) -> None:
    """The file has the value, and the controller is enabled for it."""
    need(file.split(".")[0])
    container.linux["resources"]["unified"] = {file: value}
    assert limits(container, file.split(".")[0], file) == [value]


@covers("linux/unified/unknown")
@v2_only
@pytest.mark.parametrize(("file", "value"), [("cgroup.max.descendants", "7"), ("memory.oom.group", "1")])
def test_unified_unknown(container: Container, file: str, value: str) -> None:
    """A file that no property of the specification is for is written as well."""
    container.linux["resources"]["unified"] = {file: value}
    assert limits(container, "pids", file) == [value]


@covers("linux/unified/missing-controller")
@v2_only
@pytest.mark.parametrize("file", ["weather.max", "memory.no_such_file"])
def test_unified_missing(container: Container, file: str) -> None:
    """A controller, or a file, that is not there is an error."""
    container.linux["resources"]["unified"] = {file: "1"}
    container.refused()


@covers("linux/unified/written")
@v1_only
def test_unified_on_v1(container: Container) -> None:
    """On version 1 there is nothing to write to, and the runtime says so or leaves it."""
    container.linux["resources"]["unified"] = {"memory.high": str(64 * MIB)}
    if container.try_create().status == 0:
        container.start().wait()


@covers("linux/unified/conversion")
@v2_only
def test_conversion(container: Container) -> None:
    """Settings of version 1 are converted, or refused; never left out silently."""
    container.resources(memory={"limit": 64 * MIB})
    if container.try_create().status == 0:
        assert (group_of(container, "memory") / "memory.max").read_text().strip() == str(64 * MIB)


@covers("linux/unified/no-conversion")
@v2_only
@pytest.mark.parametrize(
    "resources",
    [
        {"memory": {"limit": 64 * MIB, "swappiness": 60}},
        {"memory": {"limit": 64 * MIB, "disableOOMKiller": True}},
        {"memory": {"kernelTCP": 32 * MIB}},
        {"cpu": {"realtimeRuntime": 10_000, "realtimePeriod": 100_000}},
        {"network": {"classID": 5}},
    ],
    ids=["swappiness", "oom-killer", "kernel-tcp", "realtime", "class-id"],
)
def test_no_conversion(container: Container, resources: dict[str, Any]) -> None:
    """A setting of version 1 that version 2 has nothing for is an error."""
    container.resources(**resources)
    container.refused()


# Errors and what is left.


@pytest.mark.parametrize(
    "resources",
    [
        {"memory": {"limit": "much"}},
        {"cpu": {"shares": -5}},
        {"pids": {"limit": "few"}},
        {"cpu": {"cpus": "zero"}},
    ],
    ids=["memory", "shares", "pids", "cpus"],
)
@covers("config/valid-values/error", "runtime/errors/nothing-left")
def test_invalid(container: Container, resources: dict[str, Any]) -> None:
    """A value of the wrong kind is an error, and leaves no cgroup."""
    container.resources(**resources)
    fails(container.try_create())
    path = container.linux["cgroupsPath"].lstrip("/")
    eventually(
        lambda: not any((top / path).exists() for top in machine.hierarchies()),
        "the cgroups are gone",
        seconds=8,
    )


@covers("linux/intel-rdt/no-resctrl")
def test_no_resctrl(container: Container) -> None:
    """Without a mounted resctrl intelRdt is an error."""
    if os.path.ismount("/sys/fs/resctrl"):
        pytest.skip("needs a machine without resctrl")
    container.linux["intelRdt"] = {"closID": "some-class", "l3CacheSchema": "L3:0=f"}
    container.refused()
