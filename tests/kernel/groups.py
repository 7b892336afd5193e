"""The control groups of a container, without one: planned and made by stave, joined by processes of the test."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from stave.cgroups import manage, operations
from stave.cgroups.device_filter import attach_device_filter
from stave.cgroups.plan import CgroupPlan, plan_cgroups
from stave.host.facts import CgroupLayout, read_facts

LAYOUT = read_facts().cgroups if os.path.exists("/proc/self/mountinfo") else CgroupLayout(None, {})
V2 = LAYOUT.is_v2
BASE = f"/stave-test-{os.getpid()}"
TIMEOUT = 60.0

there_are_groups = [
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


def move(path: str, pid: int) -> None:
    """Moves a process to a group."""
    Path(path, "cgroup.procs").write_text(str(pid))


def until(condition: Callable[[], bool]) -> None:
    """Waits for the condition, with a bound."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextlib.contextmanager
def below_our_own() -> Iterator[Callable[..., Groups]]:
    """A function that makes groups below the test's own parent; nothing of them is left afterwards."""
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
