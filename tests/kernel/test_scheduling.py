"""When and where the process runs, as the kernel sees it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .driver import Container
from .host import CGROUPS, exit_code, status_field
from .test_user_namespaces import with_user_namespace

LIBC = ctypes.CDLL(None, use_errno=True)
IOPRIO_GET = {"x86_64": 252, "aarch64": 31}[os.uname().machine]
SCHED_DEADLINE = 6  # sched.h
REALTIME_BUDGET = CGROUPS / "cpu/cpu.rt_runtime_us"
CPUS = sorted(os.sched_getaffinity(0))


def io_priority(pid: int) -> int:
    """What ioprio_get(2) says of a process."""
    return int(LIBC.syscall(ctypes.c_long(IOPRIO_GET), 1, pid))


def nice(pid: int) -> int:
    """The process's nice value."""
    return os.getpriority(os.PRIO_PROCESS, pid)


@contextlib.contextmanager
def executed(container: Container, *words: str) -> Iterator[int]:
    """The pid of a process that `exec` has left behind, until it is killed."""
    pid_file = container.bundle / "executed"
    container.exec("--detach", f"--pid-file={pid_file}", *words)
    pid = int(pid_file.read_text())
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        exit_code(pid)


@pytest.mark.parametrize("mapped", [False, True])
def test_scheduler_and_io_priority(container: Container, mapped: bool) -> None:
    """Both are in force, also where the container's root could not have set them; and for exec."""
    if mapped:
        with_user_namespace(container)
    container.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": -3}
    container.process["ioPriority"] = {"class": "IOPRIO_CLASS_RT", "priority": 5}
    container.launch()
    assert (os.sched_getscheduler(container.pid), nice(container.pid)) == (os.SCHED_BATCH, -3)
    assert io_priority(container.pid) == 1 << 13 | 5
    with executed(container, "sleep", "1000") as pid:
        assert (os.sched_getscheduler(pid), nice(pid)) == (os.SCHED_BATCH, -3)


def test_exec_with_its_own(container: Container, directory: Path) -> None:
    """A process file says what that process has."""
    container.launch()
    process = {
        **container.process,
        "args": ["sleep", "1000"],
        "scheduler": {"policy": "SCHED_IDLE", "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
        "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 0},
    }
    (directory / "process.json").write_text(json.dumps(process))
    with executed(container, f"--process={directory}/process.json") as pid:
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE | os.SCHED_RESET_ON_FORK
        assert io_priority(pid) == 3 << 13
    assert os.sched_getscheduler(container.pid) == os.SCHED_OTHER


def test_impossible_scheduler(container: Container) -> None:
    """What the kernel refuses is an error with the property and what it may be about."""
    container.process["scheduler"] = {"policy": "SCHED_ISO"}
    assert container.fails() == (
        "process.scheduler: set scheduler sched_setattr (this kernel has no such scheduler, or its flags do not go"
        " together): Invalid argument"
    )


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ({"policy": "SCHED_FIFO", "priority": 3}, (os.SCHED_FIFO, 3)),
        (
            {"policy": "SCHED_RR", "priority": 4, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
            (os.SCHED_RR | os.SCHED_RESET_ON_FORK, 4),
        ),
        (
            {"policy": "SCHED_DEADLINE", "runtime": 10**6, "deadline": 10**7, "period": 10**8},
            (SCHED_DEADLINE, 0),
        ),
    ],
    ids=["fifo", "rr", "deadline"],
)
def test_realtime(container: Container, scheduler: dict[str, object], expected: tuple[int, int]) -> None:
    """A realtime policy is in force, where the machine lets the runtime ask for it."""
    if not may_be_realtime():
        pytest.skip("no realtime scheduling on this machine")
    if REALTIME_BUDGET.exists() and scheduler["policy"] != "SCHED_DEADLINE":
        pytest.skip("a control group of version 1 has no realtime budget of its own")
    container.process["scheduler"] = scheduler
    container.launch()
    said = os.sched_getscheduler(container.pid), os.sched_getparam(container.pid).sched_priority
    assert said == expected


def may_be_realtime() -> bool:
    """Whether a process in this one's control group may have a realtime policy."""
    tried = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    return subprocess.run([sys.executable, "-c", tried], stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(len(CPUS) < 2, reason="there is but one CPU")
def test_affinity_of_exec(container: Container, directory: Path) -> None:
    """exec runs on the final CPUs; the container's own process on all."""
    first, second = CPUS[:2]
    container.launch()
    process = {
        **container.process,
        "args": ["grep", "Cpus_allowed_list", "/proc/self/status"],
        "execCPUAffinity": {"initial": str(first), "final": str(second)},
    }
    (directory / "process.json").write_text(json.dumps(process))
    output = container.exec(f"--process={directory}/process.json").output
    assert output.split()[1] == str(second)
    process["execCPUAffinity"] = {"final": f"{first},4000"}
    (directory / "process.json").write_text(json.dumps(process))
    assert container.exec(f"--process={directory}/process.json").output.split()[1] == str(first)
    assert status_field(container.pid, "Cpus_allowed_list") == status_field(os.getpid(), "Cpus_allowed_list")


def test_impossible_affinity(container: Container, directory: Path) -> None:
    """CPUs that are not there are an error."""
    container.launch()
    process = {**container.process, "execCPUAffinity": {"final": "4000"}}
    (directory / "process.json").write_text(json.dumps(process))
    line = container.stave.fails("exec", f"--process={directory}/process.json", container.id, status=255)
    assert line.endswith(
        "process.execCPUAffinity.final: set affinity sched_setaffinity (none of these CPUs is there and in the"
        " process's cpuset): Invalid argument"
    )


@pytest.mark.skipif(not Path("/proc/self/numa_maps").exists(), reason="the kernel has no NUMA")
def test_memory_policy(container: Container) -> None:
    """The policy of the program's memory is the configured one, and that of what is executed later."""
    container.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}
    container.launch()
    assert " bind=static:0 " in Path(f"/proc/{container.pid}/numa_maps").read_text()
    assert " bind=static:0 " in container.exec_says("cat", "/proc/self/numa_maps")


@pytest.mark.skipif(not Path("/proc/self/numa_maps").exists(), reason="the kernel has no NUMA")
def test_impossible_memory_policy(container: Container) -> None:
    """A node that is not there is an error."""
    container.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "900"}
    assert container.fails().startswith(
        "linux.memoryPolicy: set_mempolicy (the container's cpuset does not hold"
    )


@pytest.mark.skipif(Path("/sys/fs/resctrl/schemata").exists(), reason="resctrl is mounted")
def test_without_resctrl(container: Container) -> None:
    """Where no resctrl is mounted a group in it is an error. Spec: config-linux.md#intelrdt"""
    container.linux["intelRdt"] = {"closID": "gold"}
    assert container.fails().startswith("linux.intelRdt: no resctrl file system is mounted")


def test_time_offsets(container: Container) -> None:
    """The container's clocks are ahead of the host's by what the configuration says."""
    container.linux["namespaces"] += [{"type": "time"}]
    container.linux["timeOffsets"] = {
        "boottime": {"secs": 1_000_000, "nanosecs": 5},
        "monotonic": {"secs": 7},
    }
    container.launch()
    assert container.exec_says("cat", "/proc/self/timens_offsets").split() == [
        "monotonic", "7", "0", "boottime", "1000000", "5",
    ]  # fmt: skip
    assert float(container.exec_says("cut", "-d ", "-f1", "/proc/uptime")) > 1_000_000
