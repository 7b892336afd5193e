"""The devices that the processes of a cgroup may use, by the kernel's list or by a filter."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stave.cgroups.device_filter import attach_device_filter
from stave.errors import KernelError

from .groups import Groups, bpf, there_are_groups, v1_only, v2_only

pytestmark = there_are_groups


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
    make_groups: Callable[..., Groups], nodes: Callable[[int, int], Path], tmp_path: Path
) -> None:
    """Without rules the usual devices can be used, others not, and any node can be made."""
    groups = make_groups()

    def make_node() -> int:
        os.mknod(tmp_path / "new", stat.S_IFCHR | 0o600, os.makedev(*KMSG))
        return 0

    assert groups.result(opener(nodes(*NULL), os.O_RDWR)) == 0
    assert groups.result(opener(nodes(*ZERO), os.O_RDONLY)) == 0
    assert groups.result(opener(nodes(*KMSG), os.O_RDONLY)) == 1
    assert groups.result(make_node) == 0


def test_device_rules(make_groups: Callable[..., Groups], nodes: Callable[[int, int], Path]) -> None:
    """Each kind of access is granted or not by itself."""
    rule = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    groups = make_groups(devices=[DENY_ALL, rule])
    assert groups.result(opener(nodes(*KMSG), os.O_RDONLY)) == 0
    assert groups.result(opener(nodes(*KMSG), os.O_WRONLY)) == 1
    assert groups.result(opener(nodes(*KMSG), os.O_RDWR)) == 1


def test_all_devices(make_groups: Callable[..., Groups], nodes: Callable[[int, int], Path]) -> None:
    """A privileged container can use everything, save what a later rule takes away."""
    rules = [
        {"allow": True, "access": "rwm"},
        {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "w"},
    ]
    groups = make_groups(devices=rules)
    assert groups.result(opener(nodes(*KMSG), os.O_RDONLY)) == 0
    assert groups.result(opener(nodes(*KMSG), os.O_WRONLY)) == 1


@v1_only
def test_v1_device_list(make_groups: Callable[..., Groups]) -> None:
    """The kernel's list begins with the configured rules in their order."""
    rules = [
        DENY_ALL,
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": True, "type": "b", "major": 8, "minor": 20, "access": "rw"},
        {"allow": True, "type": "b", "major": 10, "minor": 200, "access": "r"},
    ]
    lines = make_groups(devices=rules).read("devices", "devices.list").splitlines()
    assert lines[:4] == ["c 10:229 rw", "b 8:20 rw", "b 10:200 r", "c *:* m"]


@v2_only
def test_v2_filter_is_replaced(make_groups: Callable[..., Groups], nodes: Callable[[int, int], Path]) -> None:
    """A second filter takes the first one's place, however many there were."""
    from stave.cgroups.device_filter import compile_filter

    groups = make_groups()
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
def test_v2_filter_refused(make_groups: Callable[..., Groups]) -> None:
    """The error says what failed and for which group; no descriptor is left open."""
    groups = make_groups()
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(KernelError, match=f"load a device filter for cgroup {groups.paths['']}"):
        attach_device_filter(groups.paths[""], bytes(8), bpf)
    with pytest.raises(KernelError, match="open cgroup"):
        attach_device_filter(f"{groups.paths['']}/none", bytes(8), bpf)
    assert sorted(os.listdir("/proc/self/fd")) == before
