"""Cgroups of this machine, whichever version it has: made, limited, joined, frozen, emptied and removed."""

from __future__ import annotations

import mmap
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stave.cgroups import manage, operations
from stave.errors import KernelError

from .groups import LAYOUT, V2, Groups, move, there_are_groups, until, v1_only, v2_only

pytestmark = there_are_groups


MIB = 1 << 20


@v1_only
@pytest.mark.parametrize(
    ("resources", "controller", "file", "value"),
    [
        ({"memory": {"limit": 64 * MIB}}, "memory", "memory.limit_in_bytes", str(64 * MIB)),
        ({"memory": {"limit": MIB, "swap": MIB}}, "memory", "memory.memsw.limit_in_bytes", str(MIB)),
        ({"memory": {"reservation": MIB}}, "memory", "memory.soft_limit_in_bytes", str(MIB)),
        ({"memory": {"kernelTCP": MIB}}, "memory", "memory.kmem.tcp.limit_in_bytes", str(MIB)),
        ({"memory": {"swappiness": 0}}, "memory", "memory.swappiness", "0"),
        ({"cpu": {"shares": 512}}, "cpu", "cpu.shares", "512"),
        ({"cpu": {"period": 50000, "quota": 5000}}, "cpu", "cpu.cfs_quota_us", "5000"),
        ({"cpu": {"quota": 5000, "burst": 2000}}, "cpu", "cpu.cfs_burst_us", "2000"),
        ({"cpu": {"idle": 1, "shares": 512}}, "cpu", "cpu.idle", "1"),
        ({"cpu": {"cpus": "0", "mems": "0"}}, "cpuset", "cpuset.cpus", "0"),
        ({"pids": {"limit": 9}}, "pids", "pids.max", "9"),
        ({"pids": {"limit": 0}}, "pids", "pids.max", "0"),
        ({"pids": {"limit": -1}}, "pids", "pids.max", "max"),
        (
            {"hugepageLimits": [{"pageSize": "2MB", "limit": 2 * MIB}]},
            "hugetlb",
            "hugetlb.2MB.limit_in_bytes",
            str(2 * MIB),
        ),
        (
            {"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]},
            "hugetlb",
            "hugetlb.2MB.rsvd.limit_in_bytes",
            "0",
        ),
        ({"blockIO": {"weight": 200}}, "blkio", "blkio.bfq.weight", "200"),
    ],
)
def test_v1_limits(
    make_groups: Callable[..., Groups], resources: dict[str, Any], controller: str, file: str, value: str
) -> None:
    """A limit reads back as it was configured."""
    if controller not in LAYOUT.v1:
        pytest.skip(f"the {controller} controller is not mounted")
    if ".bfq." in file and not make_groups("probe").file(controller, file).exists():
        pytest.skip("the kernel has no BFQ scheduler")
    assert make_groups(**resources).read(controller, file) == value


@v2_only
@pytest.mark.parametrize(
    ("resources", "file", "value"),
    [
        ({"memory": {"limit": 64 * MIB}}, "memory.max", str(64 * MIB)),
        ({"memory": {"limit": MIB, "swap": 3 * MIB}}, "memory.swap.max", str(2 * MIB)),
        ({"memory": {"limit": MIB, "swap": MIB}}, "memory.swap.max", "0"),
        ({"memory": {"reservation": MIB}}, "memory.low", str(MIB)),
        ({"cpu": {"shares": 1024}}, "cpu.weight", "100"),
        ({"cpu": {"period": 50000, "quota": 5000}}, "cpu.max", "5000 50000"),
        ({"cpu": {"quota": 5000}}, "cpu.max", "5000 100000"),
        ({"cpu": {"period": 50000}}, "cpu.max", "max 50000"),
        ({"cpu": {"quota": 5000, "burst": 2000}}, "cpu.max.burst", "2000"),
        ({"cpu": {"idle": 1, "shares": 512}}, "cpu.idle", "1"),
        ({"cpu": {"cpus": "0", "mems": "0"}}, "cpuset.cpus", "0"),
        ({"pids": {"limit": 9}}, "pids.max", "9"),
        ({"pids": {"limit": 0}}, "pids.max", "0"),
        ({"pids": {"limit": -1}}, "pids.max", "max"),
        ({"unified": {"memory.high": str(MIB), "cgroup.max.depth": "3"}}, "memory.high", str(MIB)),
        ({"hugepageLimits": [{"pageSize": "2MB", "limit": 2 * MIB}]}, "hugetlb.2MB.max", str(2 * MIB)),
    ],
)
def test_v2_limits(
    make_groups: Callable[..., Groups], resources: dict[str, Any], file: str, value: str
) -> None:
    """A limit reads back as it was configured."""
    if "hugetlb" in file and "hugetlb" not in Path(f"{LAYOUT.unified}/cgroup.controllers").read_text():
        pytest.skip("the kernel has no hugetlb controller")
    if ".burst" in file and not make_groups("probe").file("cpu", file).exists():
        pytest.skip("the kernel is older than 5.14")
    if ".idle" in file and not make_groups("probe").file("cpu", file).exists():
        pytest.skip("the kernel is older than 5.15")
    if "swap" in file and value != "0" and not make_groups("probe").file("memory", file).exists():
        pytest.skip("the kernel has no swap")
    assert make_groups(**resources).read("", file) == value


@v2_only
def test_v2_weight(make_groups: Callable[..., Groups]) -> None:
    """The weight arrives in whichever file the kernel has."""
    groups = make_groups(blockIO={"weight": 505})
    if groups.file("io", "io.bfq.weight").exists():
        assert "505" in groups.read("io", "io.bfq.weight")
    else:
        assert groups.read("io", "io.weight") == "default 5000"


@v1_only
def test_cpuset_is_inherited(make_groups: Callable[..., Groups]) -> None:
    """A new cpuset group below a new parent has the CPUs and memory nodes of the next group that has some."""
    groups = make_groups("parent/child")
    for name in ("cpuset.cpus", "cpuset.mems"):
        expected = Path(LAYOUT.v1["cpuset"], name).read_text().strip()
        assert groups.read("cpuset", name) == expected
        assert groups.file("cpuset", f"../{name}").read_text().strip() == expected


@pytest.mark.parametrize(
    ("resources", "controller", "message"),
    [
        ({"cpu": {"cpus": "4000"}}, "cpuset", r"cpuset.cpus \(the group above has .*\): "),
        ({"hugepageLimits": [{"pageSize": "3MB", "limit": 1}]}, "hugetlb", "no huge pages of this size"),
        (
            {"blockIO": {"throttleReadBpsDevice": [{"major": 4000, "minor": 1, "rate": 9}]}},
            "blkio",
            "no such block device",
        ),
    ],
)
def test_refused_value(
    make_groups: Callable[..., Groups], resources: dict[str, Any], controller: str, message: str
) -> None:
    """An error names the file, the value and what is known about the failure."""
    if not V2 and controller not in LAYOUT.v1:
        pytest.skip(f"the {controller} controller is not mounted")
    if (
        controller == "hugetlb"
        and not make_groups("probe").file("hugetlb", "hugetlb.2MB.events").exists()
        and V2
    ):
        pytest.skip("the kernel has no hugetlb controller")
    groups = make_groups("refused", set_up=False, **resources)
    with pytest.raises(KernelError, match=message):
        groups.set_up()


@v2_only
def test_missing_controller(make_groups: Callable[..., Groups]) -> None:
    """A key of a controller that is not there is an error. Spec: config-linux.md#unified"""
    groups = make_groups(set_up=False, unified={"nonesuch.max": "1"})
    with pytest.raises(KernelError, match="enable cgroup controller nonesuch in .*delegated"):
        groups.set_up()


@v2_only
def test_processes_in_the_way_of_controllers(make_groups: Callable[..., Groups]) -> None:
    """A parent with processes cannot pass controllers on, and the error says so."""
    parent = make_groups("parent")
    parent.start()
    for resources in ({"pids": {"limit": 5}}, {"memory": {"limit": MIB}}):
        with pytest.raises(KernelError, match="cannot pass controllers on") as caught:
            make_groups("parent/child", **resources)
        assert caught.value.errno == 16


@v2_only
def test_optional_controllers_are_optional(make_groups: Callable[..., Groups]) -> None:
    """Where controllers that nothing needs cannot be had, a process can enter the group nonetheless."""
    parent = make_groups("parent")
    parent.start()
    assert make_groups("parent/child").result(lambda: 7) == 7


def test_first_existing_file(make_groups: Callable[..., Groups]) -> None:
    """Files that do not exist are passed over; if none is there, that is an error unless "" ends the list."""
    groups = make_groups()
    directory = groups.paths["" if V2 else "pids"]
    operations.write_cgroup_first([f"{directory}/none", f"{directory}/pids.max"], ["1", "7"])
    assert groups.read("pids", "pids.max") == "7"
    operations.write_cgroup_first([f"{directory}/none", ""], ["1", "1"])
    with pytest.raises(KernelError, match="/none"):
        operations.write_cgroup_first([f"{directory}/none"], ["1"])


def test_non_empty_group_is_refused(make_groups: Callable[..., Groups]) -> None:
    """A second container cannot have the group of a running one, and leaves that alone.

    Spec: config-linux.md#control-groups
    """
    first = make_groups()
    pid = first.start()
    second = make_groups(set_up=False)
    with pytest.raises(KernelError, match=f"holds processes already, such as {pid}") as caught:
        second.set_up()
    assert caught.value.errno == 16
    manage.remove_created(second.paths, second.created)
    assert first.exist() == list(first.paths.values())
    assert manage.processes(first.paths) == [pid]


def test_empty_group_is_used(make_groups: Callable[..., Groups]) -> None:
    """A group that a crash left behind serves again."""
    make_groups()
    again = make_groups(pids={"limit": 3})
    assert again.created == []
    assert again.read("pids", "pids.max") == "3"


def test_frozen_group_is_refused(make_groups: Callable[..., Groups]) -> None:
    """A group that is frozen, or below a frozen one, is an error and not a process that never starts."""
    parent = make_groups("parent")
    manage.freeze(parent.paths)
    with pytest.raises(KernelError, match="frozen"):
        make_groups("parent")
    child = make_groups("parent/child", set_up=False)
    with pytest.raises(KernelError, match="a group above it is frozen"):
        child.set_up()
    manage.thaw(parent.paths)
    child.set_up()


def test_created_and_removed(make_groups: Callable[..., Groups]) -> None:
    """Parents that were made with the group go with it, unless another group is below them by then."""
    first = make_groups("x/y/a")
    second = make_groups("x/y/b")
    top = next(iter(first.paths.values())).removesuffix("/x/y/a")
    assert first.created[:4] == [top, f"{top}/x", f"{top}/x/y", f"{top}/x/y/a"]
    manage.remove(first.paths, first.created)
    assert first.exist() == []
    assert os.path.isdir(f"{top}/x/y/b")
    manage.remove(second.paths, first.created)
    assert not os.path.exists(top)
    manage.remove(second.paths, second.created)


def test_failed_create_leaves_nothing(make_groups: Callable[..., Groups]) -> None:
    """What was made before a failure is known and removed, even while a process still leaves."""
    groups = make_groups("x/a")
    groups.start()
    manage.kill(groups.paths)
    manage.remove_created(groups.paths, groups.created)
    assert groups.exist() == []
    assert groups.reap() == [-signal.SIGKILL]


def test_processes(make_groups: Callable[..., Groups]) -> None:
    """Processes of the group and of groups that the container made below it are listed."""
    groups = make_groups()
    first, second = groups.start(), groups.start()
    for path in dict.fromkeys(groups.paths.values()):
        if V2 or path == groups.paths["pids"]:
            os.mkdir(f"{path}/inner")
            move(f"{path}/inner", second)
    assert sorted(manage.processes(groups.paths)) == sorted([first, second])
    manage.kill(groups.paths)
    groups.reap()
    assert manage.processes(groups.paths) == []
    manage.remove(groups.paths, groups.created)
    assert manage.processes(groups.paths) == []


def test_kill(make_groups: Callable[..., Groups]) -> None:
    """Every process is killed, frozen or not, whatever signals it ignores."""
    groups = make_groups()

    def deaf() -> int:
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_IGN)
        while True:
            signal.pause()

    groups.start(deaf)
    groups.start()
    manage.freeze(groups.paths)
    manage.kill(groups.paths)
    assert groups.reap() == [-signal.SIGKILL] * 2
    manage.remove(groups.paths, groups.created)
    assert groups.exist() == []


@pytest.mark.parametrize("at_once", [True, False], ids=["cgroup.kill", "one by one"])
def test_kill_while_forking(
    make_groups: Callable[..., Groups], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """Processes that keep forking do not get away, with and without the kernel's help."""
    if not at_once:
        monkeypatch.setattr(manage, "_kill_at_once", lambda path: False)
    groups = make_groups(pids={"limit": 20})

    def breed() -> int:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        for _ in range(3):
            try:
                os.fork()
            except OSError:
                pass
        while True:
            try:
                if os.fork() == 0:
                    os._exit(0)
            except OSError:
                pass

    groups.start(breed)
    until(lambda: len(manage.processes(groups.paths)) > 5)
    manage.kill(groups.paths)
    manage.remove(groups.paths, groups.created)
    assert groups.exist() == []
    assert groups.reap() == [-signal.SIGKILL]


def test_signal_all(make_groups: Callable[..., Groups]) -> None:
    """Every process gets the signal, and none if there are none."""
    groups = make_groups()
    manage.signal_all(groups.paths, signal.SIGTERM)
    groups.start(), groups.start()
    manage.signal_all(groups.paths, signal.SIGTERM)
    assert groups.reap() == [-signal.SIGTERM] * 2
    assert not manage.is_frozen(groups.paths)


def test_signal_to_a_frozen_group(make_groups: Callable[..., Groups]) -> None:
    """A signal that a paused container handles waits until it goes on."""
    groups = make_groups()

    def handle() -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        os.write(writer, b".")
        return int(signal.sigwait([signal.SIGTERM]))

    reader, writer = os.pipe()
    pid = groups.start(handle)
    os.read(reader, 1)
    os.close(reader)
    os.close(writer)
    manage.freeze(groups.paths)
    manage.signal_all(groups.paths, signal.SIGTERM)
    until(lambda: manage.is_frozen(groups.paths))
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    manage.thaw(groups.paths)
    assert groups.reap() == [signal.SIGTERM]


def test_freeze_and_thaw(make_groups: Callable[..., Groups]) -> None:
    """A frozen process does not run until it is thawed; freezing twice is no error."""
    groups = make_groups()
    reader, writer = os.pipe()

    def tick() -> int:
        while True:
            os.write(writer, b".")
            time.sleep(0.001)

    groups.start(tick)
    os.close(writer)
    os.set_blocking(reader, False)
    assert not manage.is_frozen(groups.paths)
    manage.freeze(groups.paths)
    manage.freeze(groups.paths)
    assert manage.is_frozen(groups.paths)
    while True:
        try:
            os.read(reader, 4096)
        except BlockingIOError:
            break
    # Any tick would come within a millisecond; 50 are waited for one that must not come.
    with pytest.raises(BlockingIOError):
        time.sleep(0.05)
        os.read(reader, 1)
    manage.thaw(groups.paths)
    assert not manage.is_frozen(groups.paths)
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b"."
    os.close(reader)


def test_thaw_below_a_frozen_group(make_groups: Callable[..., Groups]) -> None:
    """It cannot be done, and the error says why."""
    parent = make_groups("parent")
    child = make_groups("parent/child")
    manage.freeze(parent.paths)
    assert manage.is_frozen(child.paths)
    with pytest.raises(KernelError, match="a group above it is frozen"):
        manage.thaw(child.paths, timeout_s=0.01)
    manage.thaw(parent.paths)


def test_remove_is_bounded(make_groups: Callable[..., Groups]) -> None:
    """A process that stays makes removal fail in time, with its number and state."""
    groups = make_groups()
    pid = groups.start()
    with pytest.raises(KernelError, match=rf"remove cgroup .*in the way: process {pid} \([A-Z]") as caught:
        manage.remove(groups.paths, groups.created, timeout_s=0.05)
    assert caught.value.errno == 16


def test_remove_groups_below(make_groups: Callable[..., Groups]) -> None:
    """Groups that the container made below its own go as well."""
    groups = make_groups()
    for path in groups.paths.values():
        os.makedirs(f"{path}/one/two", exist_ok=True)
    manage.remove(groups.paths, groups.created)
    assert groups.exist() == []


def test_foreign_group_stays(make_groups: Callable[..., Groups]) -> None:
    """A group that the container's process was moved to by others is nobody's business but theirs."""
    groups, foreign = make_groups("a"), make_groups("foreign")
    pid = groups.start()
    other = foreign.paths["" if V2 else "freezer"]
    move(other, pid)
    manage.remove({"": other.removesuffix("foreign") + "a"} if V2 else {"freezer": groups.paths["freezer"]})
    assert os.path.isdir(other)
    assert Path(other, "cgroup.procs").read_text().split() == [str(pid)]
    os.kill(pid, signal.SIGKILL)
    groups.reap()


def test_memory_limit_kills(make_groups: Callable[..., Groups]) -> None:
    """A process that needs more than its limit is killed."""
    groups = make_groups(memory={"limit": 16 * MIB, "swap": 16 * MIB})

    def hoard() -> int:
        area = mmap.mmap(-1, 64 * MIB)
        for offset in range(0, 64 * MIB, 4096):
            area[offset] = 1
        return 0

    assert groups.result(hoard) == -signal.SIGKILL


def test_pids_limit(make_groups: Callable[..., Groups]) -> None:
    """The process after the last allowed one cannot be made; with a limit of 0 none can."""

    def fork() -> int:
        try:
            pid = os.fork()
        except OSError as error:
            return error.errno or 99
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return 0

    assert make_groups("two", pids={"limit": 2}).result(fork) == 0
    assert make_groups("one", pids={"limit": 1}).result(fork) == 11
    assert make_groups("none", pids={"limit": 0}).result(fork) == 11
