"""The resources of a control group, controller by controller, on version 1 and on version 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ociconformance import machine
from ociconformance.bundle import mount
from ociconformance.cgroups import MIB, group_of, limits, need, v1_only
from ociconformance.container import Container
from ociconformance.testing import case, covers

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


@covers("linux/resources/cpu/quota-burst", "linux/resources/cpu/burst-quota")
def test_burst_above_the_quota(container: Container) -> None:
    """A burst that is larger than the quota can't be applied, and is an error."""
    need("cpu")
    container.resources(cpu={"quota": 20_000, "period": 50_000, "burst": 30_000})
    container.refused()


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


@pytest.mark.parametrize(
    "file",
    [
        case("", covers="linux/resources/hugepages/limit", id="limit"),
        case("rsvd.", covers="linux/resources/hugepages/reservation", id="reservation"),
    ],
)
def test_hugepages(container: Container, file: str) -> None:
    """The huge pages of every size are limited, and the reservations where the kernel can."""
    need("hugetlb")
    container.resources(hugepageLimits=[{"pageSize": name, "limit": 4 * size} for name, size in sizes()])
    file += "max" if machine.V2 else "limit_in_bytes"
    found = limits(container, "hugetlb", *(f"hugetlb.{name}.{file}" for name, _ in sizes()))
    assert found == [str(4 * size) for _, size in sizes()]


@covers("linux/resources/hugepages/unknown-size")
def test_unknown_hugepages(container: Container) -> None:
    """A size that the kernel doesn't have is an error."""
    need("hugetlb")
    container.resources(hugepageLimits=[{"pageSize": "3MB", "limit": 3 * MIB}])
    container.refused()


@pytest.fixture
def disk() -> tuple[int, int]:
    """The numbers of a block device."""
    found = machine.disk()
    if found is None:
        pytest.skip("needs a block device")
    return found


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
def test_weight_of_a_device(container: Container, disk: tuple[int, int]) -> None:
    """weightDevice is the weight for a device."""
    name = "io" if machine.V2 else "blkio"
    top = need(name)
    file = "io.bfq.weight" if machine.V2 else "blkio.weight_device"
    probe = top / container.linux["cgroupsPath"].split("/")[1]
    probe.mkdir(exist_ok=True)
    if not (probe / file).exists():
        pytest.skip(f"the kernel has no {file}")
    major, minor = disk
    try:
        (probe / file).write_text(f"{major}:{minor} 300")
    except OSError:
        pytest.skip("no device here has a scheduler with weights")
    container.resources(blockIO={"weightDevice": [{"major": major, "minor": minor, "weight": 300}]})
    assert f"{major}:{minor} 300" in limits(container, name, file)[0]


@pytest.mark.parametrize(
    ("controller", "resources"),
    [
        case(
            "io" if machine.V2 else "blkio",
            {"blockIO": {"weightDevice": [{"major": 7, "minor": 0}]}},
            covers="linux/resources/block-io/weight-or-leaf", id="weightDevice",
        ),
        case("rdma", {"rdma": {"mlx5_0": {}}}, covers="linux/resources/rdma/one", id="rdma"),
    ],
)  # fmt: skip
def test_entry_without_a_value(container: Container, controller: str, resources: dict[str, Any]) -> None:
    """An entry that names a device and no limit for it is an error."""
    need(controller)
    container.resources(**resources)
    container.refused()


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
def test_throttle(
    container: Container, disk: tuple[int, int], property: str, v1_file: str, v2_word: str
) -> None:
    """The limit for a device is the cgroup's."""
    major, minor = disk
    container.resources(blockIO={property: [{"major": major, "minor": minor, "rate": 1_048_576}]})
    if machine.V2:
        (text,) = limits(container, "io", "io.max")
        assert f"{v2_word}=1048576" in text
    else:
        assert limits(container, "blkio", f"blkio.throttle.{v1_file}") == [f"{major}:{minor} 1048576"]


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
