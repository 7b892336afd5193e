"""Control groups: where a container is put, who owns it, and every resource, on version 1 and on version 2."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ociconformance import machine
from ociconformance.bundle import mount
from ociconformance.container import Container, eventually, fails
from ociconformance.plugin import NewContainer
from ociconformance.testing import case, covers

MIB = 1 << 20

v1_only = pytest.mark.skipif(machine.V2, reason="needs cgroup v1")
v2_only = pytest.mark.skipif(not machine.V2, reason="needs cgroup v2")


def need(controller: str) -> Path:
    """Where the controller's hierarchy is; the test is skipped without one."""
    found = machine.hierarchy(controller)
    if found is None:
        pytest.skip(f"the controller {controller} is not here")
    return found


def group_of(container: Container, controller: str) -> Path:
    """The cgroup of the container's process for a controller, as the kernel says."""
    top = need(controller)
    for line in Path(f"/proc/{container.pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if (machine.V2 and not controllers) or controller in controllers.split(","):
            return top / path.lstrip("/")
    raise AssertionError(f"the process is in no cgroup for {controller}")


def limits(container: Container, controller: str, *files: str) -> list[str]:
    """The contents of files of the container's cgroup, while it runs. A file that no cgroup here has is a skip."""
    need(controller)
    container.sleeps()
    group = group_of(container, controller)
    found = []
    for name in files:
        if not (group / name).exists():
            pytest.skip(f"the kernel has no {name}")
        found.append((group / name).read_text().strip())
    return found


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


# Memory.


@covers("linux/resources/memory/limit", "linux/resources/memory/reservation")
def test_memory(container: Container) -> None:
    """The limits of memory are the cgroup's."""
    container.resources(memory={"limit": 64 * MIB, "reservation": 32 * MIB})
    files = (
        ("memory.max", "memory.low")
        if machine.V2
        else ("memory.limit_in_bytes", "memory.soft_limit_in_bytes")
    )
    assert limits(container, "memory", *files) == [str(64 * MIB), str(32 * MIB)]


@covers("linux/resources/memory/unlimited")
def test_unlimited_memory(container: Container) -> None:
    """-1 is no limit."""
    container.resources(memory={"limit": -1})
    (limit,) = limits(container, "memory", "memory.max" if machine.V2 else "memory.limit_in_bytes")
    assert limit == "max" if machine.V2 else int(limit) > 1 << 60


@covers("linux/resources/memory/swap")
@pytest.mark.parametrize("swap", [64, 96])
def test_swap(container: Container, swap: int) -> None:
    """swap limits memory and swap together; version 2 counts swap alone."""
    container.resources(memory={"limit": 64 * MIB, "swap": swap * MIB})
    file, expected = ("memory.swap.max", swap - 64) if machine.V2 else ("memory.memsw.limit_in_bytes", swap)
    assert limits(container, "memory", file) == [str(expected * MIB)]


@covers("linux/resources/memory/kernel-tcp")
@v1_only
def test_kernel_tcp(container: Container) -> None:
    """kernelTCP limits the memory of TCP buffers."""
    container.resources(memory={"kernelTCP": 32 * MIB})
    assert limits(container, "memory", "memory.kmem.tcp.limit_in_bytes") == [str(32 * MIB)]


@covers("linux/resources/memory/swappiness")
@v1_only
@pytest.mark.parametrize("value", [0, 37])
def test_swappiness(container: Container, value: int) -> None:
    """swappiness is the cgroup's."""
    container.resources(memory={"swappiness": value})
    assert limits(container, "memory", "memory.swappiness") == [str(value)]


@covers("linux/resources/memory/disable-oom-killer")
@v1_only
@pytest.mark.parametrize("off", [True, False])
def test_oom_killer(container: Container, off: bool) -> None:
    """disableOOMKiller is the cgroup's."""
    container.resources(memory={"limit": 64 * MIB, "disableOOMKiller": off})
    (control,) = limits(container, "memory", "memory.oom_control")
    assert f"oom_kill_disable {int(off)}" in control


@covers("linux/resources/memory/use-hierarchy")
@v1_only
def test_use_hierarchy(container: Container) -> None:
    """useHierarchy counts the children's memory as well."""
    container.resources(memory={"useHierarchy": True})
    assert limits(container, "memory", "memory.use_hierarchy") == ["1"]


@covers("linux/resources/memory/limit", "linux/resources/memory/oom-killer")
def test_too_much_memory(container: Container) -> None:
    """A program that takes more than the limit is killed."""
    need("memory")
    container.resources(memory={"limit": 20 * MIB, "swap": 20 * MIB})
    container.mount(mount("/tmp", "size=100m", type="tmpfs"))
    container.script("dd if=/dev/zero of=/tmp/file bs=1M count=60 2>/dev/null; echo survived")
    container.run()
    assert "survived" not in container.output


# CPU.


@covers("linux/resources/cpu/shares")
def test_shares(container: Container) -> None:
    """shares is the cgroup's share; version 2 has a weight for it."""
    container.resources(cpu={"shares": 4096})
    (value,) = limits(container, "cpu", "cpu.weight" if machine.V2 else "cpu.shares")
    if machine.V2:
        # The conversion is the runtime's choice.
        assert 100 < int(value) <= 10_000
    else:
        assert value == "4096"


@covers("linux/resources/cpu/quota", "linux/resources/cpu/period")
def test_quota(container: Container) -> None:
    """quota and period are the cgroup's."""
    container.resources(cpu={"quota": 20_000, "period": 50_000})
    if machine.V2:
        assert limits(container, "cpu", "cpu.max") == ["20000 50000"]
    else:
        assert limits(container, "cpu", "cpu.cfs_quota_us", "cpu.cfs_period_us") == ["20000", "50000"]


@covers("linux/resources/cpu/burst")
def test_burst(container: Container) -> None:
    """burst is the cgroup's."""
    container.resources(cpu={"quota": 20_000, "period": 50_000, "burst": 10_000})
    assert limits(container, "cpu", "cpu.max.burst" if machine.V2 else "cpu.cfs_burst_us") == ["10000"]


@covers("linux/resources/cpu/idle")
def test_idle(container: Container) -> None:
    """idle is the cgroup's."""
    container.resources(cpu={"idle": 1})
    assert limits(container, "cpu", "cpu.idle") == ["1"]


@covers("linux/resources/cpu/realtime")
@v1_only
def test_realtime(container: Container) -> None:
    """realtimeRuntime and realtimePeriod are the cgroup's."""
    parent = need("cpu") / container.linux["cgroupsPath"].split("/")[1]
    parent.mkdir(exist_ok=True)
    if not (parent / "cpu.rt_runtime_us").exists():
        pytest.skip("the kernel has no cpu.rt_runtime_us")
    try:
        (parent / "cpu.rt_runtime_us").write_text("20000")
    except OSError:
        pytest.skip("there is no realtime to give away")
    container.resources(cpu={"realtimeRuntime": 10_000, "realtimePeriod": 900_000})
    assert limits(container, "cpu", "cpu.rt_runtime_us", "cpu.rt_period_us") == ["10000", "900000"]


@covers("linux/resources/cpu/cpus", "linux/resources/cpu/mems")
def test_cpuset(container: Container) -> None:
    """The program runs on the configured CPUs and uses the configured memory nodes."""
    need("cpuset")
    container.resources(cpu={"cpus": "0", "mems": "0"})
    said = container.says("grep allowed_list /proc/self/status").split()
    assert said == ["Cpus_allowed_list:", "0", "Mems_allowed_list:", "0"]


@covers("linux/resources/cpu/cpus", "runtime/create/not-applicable")
def test_missing_cpu(container: Container) -> None:
    """A CPU that the machine doesn't have is an error."""
    need("cpuset")
    container.resources(cpu={"cpus": "4000"})
    container.refused()


# The other controllers.


@covers("linux/resources/pids/limit")
def test_pids(container: Container) -> None:
    """The number of tasks is limited, and the program notices."""
    container.resources(pids={"limit": 5})
    container.script("for each in 1 2 3 4 5 6 7 8; do sleep 1000 & done")
    container.run()
    assert "can't fork" in container.errors


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        case(100, "100", covers="linux/resources/pids/limit"),
        case(-1, "max", covers="linux/resources/pids/unlimited"),
    ],
)
def test_pids_file(container: Container, limit: int, shown: str) -> None:
    """The limit is the cgroup's, and -1 is none."""
    container.resources(pids={"limit": limit})
    assert limits(container, "pids", "pids.max") == [shown]


@covers("linux/resources/pids/zero")
def test_no_pids(container: Container) -> None:
    """0 is a limit like any other: the container has none, or cannot be created."""
    container.resources(pids={"limit": 0})
    container.script("exec sleep 1000")
    if container.try_create().status == 0:
        assert (group_of(container, "pids") / "pids.max").read_text() == "0\n"


def sizes() -> list[tuple[str, int]]:
    """The sizes of huge pages that the kernel has, as the specification writes them, and in bytes."""
    directory = Path("/sys/kernel/mm/hugepages")
    kib = sorted(int(each.name[len("hugepages-") : -len("kB")]) for each in directory.glob("hugepages-*"))
    return [(f"{each >> 20}GB" if each >= 1 << 20 else f"{each >> 10}MB", each << 10) for each in kib]


@covers("linux/resources/hugepages/limit")
def test_hugepages(container: Container) -> None:
    """The huge pages of every size are limited."""
    need("hugetlb")
    container.resources(hugepageLimits=[{"pageSize": name, "limit": 4 * size} for name, size in sizes()])
    end = "max" if machine.V2 else "limit_in_bytes"
    found = limits(container, "hugetlb", *(f"hugetlb.{name}.{end}" for name, _ in sizes()))
    assert found == [str(4 * size) for _, size in sizes()]


@covers("linux/resources/hugepages/reservation")
def test_hugepage_reservations(container: Container) -> None:
    """The reservations are limited where the kernel can."""
    need("hugetlb")
    container.resources(hugepageLimits=[{"pageSize": name, "limit": 4 * size} for name, size in sizes()])
    end = "rsvd.max" if machine.V2 else "rsvd.limit_in_bytes"
    found = limits(container, "hugetlb", *(f"hugetlb.{name}.{end}" for name, _ in sizes()))
    assert found == [str(4 * size) for _, size in sizes()]


@covers("linux/resources/hugepages/unknown-size")
def test_unknown_hugepages(container: Container) -> None:
    """A size that the kernel doesn't have is an error."""
    need("hugetlb")
    container.resources(hugepageLimits=[{"pageSize": "3MB", "limit": 3 * MIB}])
    container.refused()


def disk() -> str:
    """The numbers of a block device, "major:minor"."""
    devices = sorted(
        Path("/sys/block").iterdir(), key=lambda each: (each.name.startswith(("loop", "ram")), each.name)
    )
    for each in devices:
        return (each / "dev").read_text().strip()
    pytest.skip("needs a block device")


@covers("linux/resources/block-io/weight")
def test_weight(container: Container) -> None:
    """weight is the cgroup's."""
    name = "io" if machine.V2 else "blkio"
    top = need(name)
    names = ("io.bfq.weight", "io.weight") if machine.V2 else ("blkio.weight", "blkio.bfq.weight")
    probe = top / container.linux["cgroupsPath"].split("/")[1]
    probe.mkdir(exist_ok=True)
    there = [each for each in names if (probe / each).exists()]
    if not there:
        pytest.skip(f"the kernel has none of {', '.join(names)}")
    container.resources(blockIO={"weight": 500})
    container.sleeps()
    group = group_of(container, name)
    shown = {each: (group / each).read_text().split() for each in there}
    assert any(words[-1:] not in (["100"], []) for words in shown.values()), shown


@covers("linux/resources/block-io/weight-device")
def test_weight_of_a_device(container: Container) -> None:
    """weightDevice is the weight for a device."""
    name = "io" if machine.V2 else "blkio"
    top = need(name)
    file = "io.bfq.weight" if machine.V2 else "blkio.weight_device"
    probe = top / container.linux["cgroupsPath"].split("/")[1]
    probe.mkdir(exist_ok=True)
    if not (probe / file).exists():
        pytest.skip(f"the kernel has no {file}")
    major, minor = map(int, disk().split(":"))
    try:
        (probe / file).write_text(f"{disk()} 300")
    except OSError:
        pytest.skip("no device here has a scheduler with weights")
    container.resources(blockIO={"weightDevice": [{"major": major, "minor": minor, "weight": 300}]})
    assert f"{disk()} 300" in limits(container, name, file)[0]


@pytest.mark.parametrize(
    ("property", "v1_file", "v2_word"),
    [
        case(
            "throttleReadBpsDevice", "read_bps_device", "rbps", covers="linux/resources/block-io/throttle-bps"
        ),
        case(
            "throttleWriteBpsDevice",
            "write_bps_device",
            "wbps",
            covers="linux/resources/block-io/throttle-bps",
        ),
        case(
            "throttleReadIOPSDevice",
            "read_iops_device",
            "riops",
            covers="linux/resources/block-io/throttle-iops",
        ),
        case(
            "throttleWriteIOPSDevice",
            "write_iops_device",
            "wiops",
            covers="linux/resources/block-io/throttle-iops",
        ),
    ],
)
def test_throttle(container: Container, property: str, v1_file: str, v2_word: str) -> None:
    """The limit for a device is the cgroup's."""
    major, minor = map(int, disk().split(":"))
    container.resources(blockIO={property: [{"major": major, "minor": minor, "rate": 1_048_576}]})
    if machine.V2:
        (text,) = limits(container, "io", "io.max")
        assert f"{v2_word}=1048576" in text
    else:
        assert limits(container, "blkio", f"blkio.throttle.{v1_file}") == [f"{disk()} 1048576"]


@covers("linux/resources/network/class-id")
@v1_only
def test_class_id(container: Container) -> None:
    """classID tags the cgroup's packets."""
    container.resources(network={"classID": 1_048_577})
    assert limits(container, "net_cls", "net_cls.classid") == ["1048577"]


@covers("linux/resources/network/priorities")
@v1_only
def test_priorities(container: Container) -> None:
    """priorities are those of the cgroup's traffic."""
    container.resources(network={"priorities": [{"name": "lo", "priority": 5}]})
    assert "lo 5" in limits(container, "net_prio", "net_prio.ifpriomap")[0]


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
        seconds=3,
    )


@covers("linux/intel-rdt/no-resctrl")
def test_no_resctrl(container: Container) -> None:
    """Without a mounted resctrl intelRdt is an error."""
    if os.path.ismount("/sys/fs/resctrl"):
        pytest.skip("needs a machine without resctrl")
    container.linux["intelRdt"] = {"closID": "some-class", "l3CacheSchema": "L3:0=f"}
    container.refused()


@covers("linux/sysctl")
@pytest.mark.parametrize(
    ("name", "value"),
    [("net.ipv4.ip_forward", "1"), ("kernel.msgmax", "12345"), ("net/ipv4/ip_default_ttl", "77")],
)
def test_sysctl(container: Container, name: str, value: str) -> None:
    """A kernel parameter has the configured value in the container, and not on the host."""
    file = Path("/proc/sys", *name.replace(".", "/").split("/"))
    before = file.read_text()
    container.linux["sysctl"] = {name: value}
    assert container.says(f"cat {file}") == value
    assert file.read_text() == before


@covers("linux/sysctl", "runtime/create/not-applicable")
@pytest.mark.parametrize("name", ["no.such.parameter", "net.ipv4.no_such_parameter"])
def test_unknown_sysctl(container: Container, name: str) -> None:
    """A parameter that there is not is an error."""
    container.linux["sysctl"] = {name: "1"}
    container.refused()


@covers("linux/sysctl", "runtime/create/not-applicable")
@pytest.mark.parametrize(
    ("namespace", "name"),
    [("network", "net.ipv4.ip_forward"), ("ipc", "kernel.msgmax"), ("uts", "kernel.domainname")],
)
def test_sysctl_of_the_host(container: Container, namespace: str, name: str) -> None:
    """A parameter of a namespace that is the host's is refused, or the host's value stays."""
    file = Path("/proc/sys", *name.split("."))
    before = file.read_text()
    container.no_namespace(namespace)
    if namespace == "network":
        container.unmount("/sys")
    container.linux["sysctl"] = {name: before.strip() if namespace == "network" else "4321"}
    if namespace == "network":
        container.try_create()
    else:
        container.refused()
    assert file.read_text() == before
