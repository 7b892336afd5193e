"""What `stave doctor` makes of the texts that it reads, and how it prints its findings."""

from __future__ import annotations

import doctest

import pytest

from stave.cli.doctor import as_text
from stave.doctor import control_groups, drift, kernel
from stave.doctor.control_groups import known_controllers
from stave.doctor.drift import same
from stave.doctor.finding import Finding
from stave.host import rootless
from stave.host.bus import user_bus
from stave.host.rootless import own_group


@pytest.mark.parametrize("module", [control_groups, drift, kernel, rootless])
def test_examples(module: object) -> None:
    """The examples in the docstrings are true."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "wanted", "actual"),
    [
        ("pids.max", "10", "10\n"),
        ("pids.max", "max", "max\n"),
        ("memory.limit_in_bytes", "1000000", "999424\n"),  # whole pages
        ("memory.limit_in_bytes", "-1", "9223372036854771712\n"),
        ("memory.max", "max", "max\n"),
        ("memory.oom_control", "1", "oom_kill_disable 1\nunder_oom 0\noom_kill 0\n"),
        ("cpuset.cpus", "0,1,2", "0-2\n"),
        ("cpu.max", "max", "max 100000\n"),
        ("cpu.max", "5000 10000", "5000 10000\n"),
        ("io.max", "8:0 rbps=1000", "7:0 rbps=1 wbps=max riops=max wiops=max\n8:0 rbps=1000 wbps=max\n"),
        ("io.max", "8:0 rbps=max", ""),
        ("blkio.throttle.read_bps_device", "8:0 1000", "8:0 1000\n"),
        ("blkio.throttle.read_bps_device", "8:0 0", ""),
    ],
)
def test_a_file_that_shows_what_was_written(file: str, wanted: str, actual: str) -> None:
    """The kernel's own way to write a value down makes no difference."""
    assert same(file, wanted, actual)


@pytest.mark.parametrize(
    ("file", "wanted", "actual"),
    [
        ("pids.max", "10", "max\n"),
        ("memory.limit_in_bytes", "1048576", "9223372036854771712\n"),
        ("memory.max", "1048576", "max\n"),
        ("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\n"),
        ("cpuset.cpus", "0", "0-1\n"),
        ("cpu.max", "5000 10000", "max 10000\n"),
        ("io.max", "8:0 rbps=1000", ""),
        ("io.max", "8:0 rbps=1000", "8:0 rbps=max wbps=5 riops=max wiops=max\n"),
        ("blkio.throttle.read_bps_device", "8:0 1000", ""),
    ],
)
def test_a_file_that_shows_something_else(file: str, wanted: str, actual: str) -> None:
    """Another value, or none, is a difference."""
    assert not same(file, wanted, actual)


def test_own_group_on_v1() -> None:
    """Without a v2 hierarchy it is the root."""
    assert own_group("4:memory:/a\n") == "/"


def test_controllers_that_the_kernel_has() -> None:
    """Those that were disabled at boot do not count."""
    assert known_controllers("#subsys_name\thierarchy\tnum\tenabled\nmemory\t0\t1\t0\ncpu\t0\t1\t1\n") == {
        "cpu"
    }


@pytest.mark.parametrize(
    ("environment", "socket"),
    [
        ({}, ""),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/bus"),
        ({"DBUS_SESSION_BUS_ADDRESS": "tcp:host=a;unix:path=/b", "XDG_RUNTIME_DIR": "/c"}, "/b"),
    ],
)
def test_bus_of_the_user(environment: dict[str, str], socket: str) -> None:
    """The address counts before the usual place."""
    assert user_bus(environment) == socket


def test_text() -> None:
    """A group's findings stand below its name, a cure below the no, and control characters are shown as such."""
    findings = [
        Finding("kernel", "openat2", True, "a\x1bb", "unused"),
        Finding("kernel", "pidfd", False, "too old", "a newer one", required=True),
        Finding("tools", "criu", False, "not installed"),
    ]
    assert as_text(findings).splitlines() == [
        "kernel:",
        "  yes  openat2  a\\x1bb",
        "  NO   pidfd    too old",
        "                -> a newer one",
        "tools:",
        "  no   criu     not installed",
    ]
