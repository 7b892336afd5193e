"""Cgroups of this machine, whichever version it has: made, limited, joined, frozen, emptied and removed."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import signal
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from stave.cgroups import manage, operations
from stave.cgroups.device_filter import attach_device_filter
from stave.cgroups.plan import CgroupPlan, plan_cgroups
from stave.errors import KernelError
from stave.host.facts import CgroupLayout, read_facts

LAYOUT = read_facts().cgroups if os.path.exists("/proc/self/mountinfo") else CgroupLayout(None, {})
V2 = LAYOUT.is_v2
BASE = f"/stave-test-{os.getpid()}"
TIMEOUT = 60.0

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="making cgroups needs root"),
    pytest.mark.skipif(not LAYOUT.v1 and not V2, reason="no cgroup file system is mounted"),
]
v1_only = pytest.mark.skipif(V2, reason="the machine has cgroup v2")
v2_only = pytest.mark.skipif(not V2, reason="the machine has cgroup v1")

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long


def bpf(command: int, attributes: bytearray, pointers: Sequence[tuple[int, bytes | bytearray]]) -> int:
    """bpf(2)."""
    kept = []
    for offset, data in pointers:
        mutable = isinstance(data, bytearray)
        buffer: Any = (
            (ctypes.c_char * len(data)).from_buffer(data) if mutable else ctypes.c_char_p(bytes(data))
        )
        address = ctypes.addressof(buffer) if mutable else ctypes.cast(buffer, ctypes.c_void_p).value
        attributes[offset : offset + 8] = (address or 0).to_bytes(8, "little")
        kept.append(buffer)
    block = (ctypes.c_char * len(attributes)).from_buffer(attributes)
    number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
    result = LIBC.syscall(number, command, block, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


class Groups:
    """The groups of a container that is set up for one test."""

    def __init__(self, path: str, resources: dict[str, Any]) -> None:
        config: Any = {"linux": {"cgroupsPath": path, "resources": resources}}
        self.plan: CgroupPlan = plan_cgroups(config, "test", LAYOUT)
        self.paths = self.plan.paths
        self.created: list[str] = []
        self.pids: list[int] = []

    def set_up(self) -> None:
        for operation in self.plan.setup:
            if operation.name == "make_cgroup":
                operations.make_cgroup(str(operation.arguments[0]), self.created)
            elif operation.name == "attach_device_filter":
                path, program = operation.arguments
                attach_device_filter(str(path), cast(bytes, program), bpf)
            else:
                getattr(operations, operation.name)(*operation.arguments)

    def start(self, action: Callable[[], int] | None = None) -> int:
        """A process in the groups that runs the action, and exits with its result, or waits for ever."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                for operation in self.plan.join:
                    Path(str(operation.arguments[0])).write_text("0")
                os.write(writer, b".")
                if action is not None:
                    status = action()
                else:
                    while True:
                        signal.pause()
            finally:
                os._exit(status)
        os.close(writer)
        self.pids.append(pid)
        joined = os.read(reader, 1)
        os.close(reader)
        assert joined == b"."
        return pid

    def result(self, action: Callable[[], int]) -> int:
        """What the action returns in a process in the groups."""
        pid = self.start(action)
        self.pids.remove(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def reap(self) -> list[int]:
        """How the processes that were started end."""
        found = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in self.pids]
        self.pids.clear()
        return found

    def file(self, controller: str, name: str) -> Path:
        return Path(self.paths["" if V2 else controller], name)

    def read(self, controller: str, name: str) -> str:
        return self.file(controller, name).read_text().strip()

    def exist(self) -> list[str]:
        return [path for path in self.paths.values() if os.path.isdir(path)]


@pytest.fixture
def make() -> Iterator[Callable[..., Groups]]:
    """Makes groups below the test's own parent; nothing of them is left afterwards."""
    made: list[Groups] = []

    def make_groups(name: str = "a", set_up: bool = True, **resources: Any) -> Groups:
        groups = Groups(f"{BASE}/{name}", resources)
        made.append(groups)
        if set_up:
            groups.set_up()
        return groups

    yield make_groups
    for groups in made:
        if groups.pids:
            manage.kill(groups.paths)
            groups.reap()
    for groups in reversed(made):
        manage.remove(groups.paths, groups.created)
    roots = set(LAYOUT.v1.values()) | {LAYOUT.unified}
    assert [root for root in roots if root and os.path.exists(root + BASE)] == []


def move(path: str, pid: int) -> None:
    """Moves a process to a group."""
    Path(path, "cgroup.procs").write_text(str(pid))


def until(condition: Callable[[], bool]) -> None:
    """Waits for the condition, with a bound."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


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
    make: Callable[..., Groups], resources: dict[str, Any], controller: str, file: str, value: str
) -> None:
    """A limit reads back as it was configured."""
    if controller not in LAYOUT.v1:
        pytest.skip(f"the {controller} controller is not mounted")
    if ".bfq." in file and not make("probe").file(controller, file).exists():
        pytest.skip("the kernel has no BFQ scheduler")
    assert make(**resources).read(controller, file) == value


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
def test_v2_limits(make: Callable[..., Groups], resources: dict[str, Any], file: str, value: str) -> None:
    """A limit reads back as it was configured."""
    if "hugetlb" in file and "hugetlb" not in Path(f"{LAYOUT.unified}/cgroup.controllers").read_text():
        pytest.skip("the kernel has no hugetlb controller")
    if ".burst" in file and not make("probe").file("cpu", file).exists():
        pytest.skip("the kernel is older than 5.14")
    if ".idle" in file and not make("probe").file("cpu", file).exists():
        pytest.skip("the kernel is older than 5.15")
    if "swap" in file and value != "0" and not make("probe").file("memory", file).exists():
        pytest.skip("the kernel has no swap")
    assert make(**resources).read("", file) == value


@v2_only
def test_v2_weight(make: Callable[..., Groups]) -> None:
    """The weight arrives in whichever file the kernel has."""
    groups = make(blockIO={"weight": 505})
    if groups.file("io", "io.bfq.weight").exists():
        assert "505" in groups.read("io", "io.bfq.weight")
    else:
        assert groups.read("io", "io.weight") == "default 5000"


@v1_only
def test_cpuset_is_inherited(make: Callable[..., Groups]) -> None:
    """A new cpuset group below a new parent has the CPUs and memory nodes of the next group that has some."""
    groups = make("parent/child")
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
    make: Callable[..., Groups], resources: dict[str, Any], controller: str, message: str
) -> None:
    """An error names the file, the value and what is known about the failure."""
    if not V2 and controller not in LAYOUT.v1:
        pytest.skip(f"the {controller} controller is not mounted")
    if controller == "hugetlb" and not make("probe").file("hugetlb", "hugetlb.2MB.events").exists() and V2:
        pytest.skip("the kernel has no hugetlb controller")
    groups = make("refused", set_up=False, **resources)
    with pytest.raises(KernelError, match=message):
        groups.set_up()


@v2_only
def test_missing_controller(make: Callable[..., Groups]) -> None:
    """A key of a controller that is not there is an error. Spec: config-linux.md#unified"""
    groups = make(set_up=False, unified={"nonesuch.max": "1"})
    with pytest.raises(KernelError, match="enable cgroup controller nonesuch in .*delegated"):
        groups.set_up()


@v2_only
def test_processes_in_the_way_of_controllers(make: Callable[..., Groups]) -> None:
    """A parent with processes cannot pass controllers on, and the error says so."""
    parent = make("parent")
    parent.start()
    for resources in ({"pids": {"limit": 5}}, {"memory": {"limit": MIB}}):
        with pytest.raises(KernelError, match="cannot pass controllers on") as caught:
            make("parent/child", **resources)
        assert caught.value.errno == 16


@v2_only
def test_optional_controllers_are_optional(make: Callable[..., Groups]) -> None:
    """Where controllers that nothing needs cannot be had, a process can enter the group nonetheless."""
    parent = make("parent")
    parent.start()
    assert make("parent/child").result(lambda: 7) == 7


def test_first_existing_file(make: Callable[..., Groups]) -> None:
    """Files that do not exist are passed over; if none is there, that is an error unless "" ends the list."""
    groups = make()
    directory = groups.paths["" if V2 else "pids"]
    operations.write_cgroup_first([f"{directory}/none", f"{directory}/pids.max"], ["1", "7"])
    assert groups.read("pids", "pids.max") == "7"
    operations.write_cgroup_first([f"{directory}/none", ""], ["1", "1"])
    with pytest.raises(KernelError, match="/none"):
        operations.write_cgroup_first([f"{directory}/none"], ["1"])


def test_non_empty_group_is_refused(make: Callable[..., Groups]) -> None:
    """A second container cannot have the group of a running one, and leaves that alone.

    Spec: config-linux.md#control-groups
    """
    first = make()
    pid = first.start()
    second = make(set_up=False)
    with pytest.raises(KernelError, match=f"holds processes already, such as {pid}") as caught:
        second.set_up()
    assert caught.value.errno == 16
    manage.remove_created(second.paths, second.created)
    assert first.exist() == list(first.paths.values())
    assert manage.processes(first.paths) == [pid]


def test_empty_group_is_used(make: Callable[..., Groups]) -> None:
    """A group that a crash left behind serves again."""
    make()
    again = make(pids={"limit": 3})
    assert again.created == []
    assert again.read("pids", "pids.max") == "3"


def test_frozen_group_is_refused(make: Callable[..., Groups]) -> None:
    """A group that is frozen, or below a frozen one, is an error and not a process that never starts."""
    parent = make("parent")
    manage.freeze(parent.paths)
    with pytest.raises(KernelError, match="frozen"):
        make("parent")
    child = make("parent/child", set_up=False)
    with pytest.raises(KernelError, match="a group above it is frozen"):
        child.set_up()
    manage.thaw(parent.paths)
    child.set_up()


def test_created_and_removed(make: Callable[..., Groups]) -> None:
    """Parents that were made with the group go with it, unless another group is below them by then."""
    first = make("x/y/a")
    second = make("x/y/b")
    top = next(iter(first.paths.values())).removesuffix("/x/y/a")
    assert first.created[:4] == [top, f"{top}/x", f"{top}/x/y", f"{top}/x/y/a"]
    manage.remove(first.paths, first.created)
    assert first.exist() == []
    assert os.path.isdir(f"{top}/x/y/b")
    manage.remove(second.paths, first.created)
    assert not os.path.exists(top)
    manage.remove(second.paths, second.created)


def test_failed_create_leaves_nothing(make: Callable[..., Groups]) -> None:
    """What was made before a failure is known and removed, even while a process still leaves."""
    groups = make("x/a")
    groups.start()
    manage.kill(groups.paths)
    manage.remove_created(groups.paths, groups.created)
    assert groups.exist() == []
    assert groups.reap() == [-signal.SIGKILL]


def test_processes(make: Callable[..., Groups]) -> None:
    """Processes of the group and of groups that the container made below it are listed."""
    groups = make()
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


def test_kill(make: Callable[..., Groups]) -> None:
    """Every process is killed, frozen or not, whatever signals it ignores."""
    groups = make()

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
    make: Callable[..., Groups], monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """Processes that keep forking do not get away, with and without the kernel's help."""
    if not at_once:
        monkeypatch.setattr(manage, "_kill_at_once", lambda path: False)
    groups = make(pids={"limit": 20})

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


def test_signal_all(make: Callable[..., Groups]) -> None:
    """Every process gets the signal, and none if there are none."""
    groups = make()
    manage.signal_all(groups.paths, signal.SIGTERM)
    groups.start(), groups.start()
    manage.signal_all(groups.paths, signal.SIGTERM)
    assert groups.reap() == [-signal.SIGTERM] * 2
    assert not manage.is_frozen(groups.paths)


def test_signal_to_a_frozen_group(make: Callable[..., Groups]) -> None:
    """A signal that a paused container handles waits until it goes on."""
    groups = make()

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


def test_freeze_and_thaw(make: Callable[..., Groups]) -> None:
    """A frozen process does not run until it is thawed; freezing twice is no error."""
    groups = make()
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


def test_thaw_below_a_frozen_group(make: Callable[..., Groups]) -> None:
    """It cannot be done, and the error says why."""
    parent = make("parent")
    child = make("parent/child")
    manage.freeze(parent.paths)
    assert manage.is_frozen(child.paths)
    with pytest.raises(KernelError, match="a group above it is frozen"):
        manage.thaw(child.paths, timeout_s=0.01)
    manage.thaw(parent.paths)


def test_remove_is_bounded(make: Callable[..., Groups]) -> None:
    """A process that stays makes removal fail in time, with its number and state."""
    groups = make()
    pid = groups.start()
    with pytest.raises(KernelError, match=rf"remove cgroup .*in the way: process {pid} \([A-Z]") as caught:
        manage.remove(groups.paths, groups.created, timeout_s=0.05)
    assert caught.value.errno == 16


def test_remove_groups_below(make: Callable[..., Groups]) -> None:
    """Groups that the container made below its own go as well."""
    groups = make()
    for path in groups.paths.values():
        os.makedirs(f"{path}/one/two", exist_ok=True)
    manage.remove(groups.paths, groups.created)
    assert groups.exist() == []


def test_foreign_group_stays(make: Callable[..., Groups]) -> None:
    """A group that the container's process was moved to by others is nobody's business but theirs."""
    groups, foreign = make("a"), make("foreign")
    pid = groups.start()
    other = foreign.paths["" if V2 else "freezer"]
    move(other, pid)
    manage.remove({"": other.removesuffix("foreign") + "a"} if V2 else {"freezer": groups.paths["freezer"]})
    assert os.path.isdir(other)
    assert Path(other, "cgroup.procs").read_text().split() == [str(pid)]
    os.kill(pid, signal.SIGKILL)
    groups.reap()


def test_memory_limit_kills(make: Callable[..., Groups]) -> None:
    """A process that needs more than its limit is killed."""
    groups = make(memory={"limit": 16 * MIB, "swap": 16 * MIB})

    def hoard() -> int:
        area = mmap.mmap(-1, 64 * MIB)
        for offset in range(0, 64 * MIB, 4096):
            area[offset] = 1
        return 0

    assert groups.result(hoard) == -signal.SIGKILL


def test_pids_limit(make: Callable[..., Groups]) -> None:
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

    assert make("two", pids={"limit": 2}).result(fork) == 0
    assert make("one", pids={"limit": 1}).result(fork) == 11
    assert make("none", pids={"limit": 0}).result(fork) == 11


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Callable[[int, int], Path]]:
    """Makes character device nodes."""

    def node(major: int, minor: int) -> Path:
        path = tmp_path / f"{major}:{minor}"
        if not path.exists():
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        return path

    yield node


DENY_ALL = {"allow": False, "access": "rwm"}
NULL, ZERO, KMSG = (1, 3), (1, 5), (1, 11)


def opener(path: Path, flags: int) -> Callable[[], int]:
    def attempt() -> int:
        try:
            os.close(os.open(path, flags))
        except OSError as error:
            return error.errno or 99
        return 0

    return attempt


def test_default_devices(
    make: Callable[..., Groups], nodes: Callable[[int, int], Path], tmp_path: Path
) -> None:
    """Without rules the usual devices can be used, others not, and any node can be made."""
    groups = make()

    def make_node() -> int:
        os.mknod(tmp_path / "new", stat.S_IFCHR | 0o600, os.makedev(*KMSG))
        return 0

    assert groups.result(opener(nodes(*NULL), os.O_RDWR)) == 0
    assert groups.result(opener(nodes(*ZERO), os.O_RDONLY)) == 0
    assert groups.result(opener(nodes(*KMSG), os.O_RDONLY)) == 1
    assert groups.result(make_node) == 0


def test_device_rules(make: Callable[..., Groups], nodes: Callable[[int, int], Path]) -> None:
    """Each kind of access is granted or not by itself."""
    rule = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    groups = make(devices=[DENY_ALL, rule])
    assert groups.result(opener(nodes(*KMSG), os.O_RDONLY)) == 0
    assert groups.result(opener(nodes(*KMSG), os.O_WRONLY)) == 1
    assert groups.result(opener(nodes(*KMSG), os.O_RDWR)) == 1


def test_all_devices(make: Callable[..., Groups], nodes: Callable[[int, int], Path]) -> None:
    """A privileged container can use everything, save what a later rule takes away."""
    rules = [
        {"allow": True, "access": "rwm"},
        {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "w"},
    ]
    groups = make(devices=rules)
    assert groups.result(opener(nodes(*KMSG), os.O_RDONLY)) == 0
    assert groups.result(opener(nodes(*KMSG), os.O_WRONLY)) == 1


@v1_only
def test_v1_device_list(make: Callable[..., Groups]) -> None:
    """The kernel's list begins with the configured rules in their order."""
    rules = [
        DENY_ALL,
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": True, "type": "b", "major": 8, "minor": 20, "access": "rw"},
        {"allow": True, "type": "b", "major": 10, "minor": 200, "access": "r"},
    ]
    lines = make(devices=rules).read("devices", "devices.list").splitlines()
    assert lines[:4] == ["c 10:229 rw", "b 8:20 rw", "b 10:200 r", "c *:* m"]


@v2_only
def test_v2_filter_is_replaced(make: Callable[..., Groups], nodes: Callable[[int, int], Path]) -> None:
    """A second filter takes the first one's place, however many there were."""
    from stave.cgroups.device_filter import compile_filter

    groups = make()
    path = groups.paths[""]
    everything = compile_filter([(True, "a", -1, -1, "rwm")])
    nothing = compile_filter([])
    kmsg = opener(nodes(*KMSG), os.O_RDONLY)
    assert groups.result(kmsg) == 1
    attach_device_filter(path, everything, bpf)
    assert groups.result(kmsg) == 0
    attach_device_filter(path, nothing, bpf)
    assert groups.result(opener(nodes(*NULL), os.O_RDONLY)) == 1

    def adding(command: int, attributes: bytearray, pointers: Any) -> int:
        if command == 16:  # as if none were attached
            attributes[24:28] = bytes(4)
            return 0
        return bpf(command, attributes, pointers)

    attach_device_filter(path, everything, adding)
    assert groups.result(kmsg) == 1
    attach_device_filter(path, everything, bpf)
    assert groups.result(kmsg) == 0


@v2_only
def test_v2_filter_refused(make: Callable[..., Groups]) -> None:
    """The error says what failed and for which group; no descriptor is left open."""
    groups = make()
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(KernelError, match=f"load a device filter for cgroup {groups.paths['']}"):
        attach_device_filter(groups.paths[""], bytes(8), bpf)
    with pytest.raises(KernelError, match="open cgroup"):
        attach_device_filter(f"{groups.paths['']}/none", bytes(8), bpf)
    assert sorted(os.listdir("/proc/self/fd")) == before
