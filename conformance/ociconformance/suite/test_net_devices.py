"""Network devices that are moved into the container."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ociconformance import isolation, machine
from ociconformance.container import Container
from ociconformance.testing import covers, unclaimed

_CLONE_NEWNET = 0x40000000

Ip = Callable[..., str]


@pytest.fixture
def ip(features: dict[str, Any]) -> Iterator[Ip]:
    """Calls `ip` in a network namespace of the test's own, in which there is a dummy device, `dummy-a`."""
    if not ((features.get("linux") or {}).get("netDevices") or {}).get("enabled"):
        unclaimed("netDevices")
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    isolation.unshare(_CLONE_NEWNET)

    def call(*words: str) -> str:
        command = [str(machine.busybox()), "ip", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout

    try:
        try:
            call("link", "add", "dummy-a", "type", "dummy")
        except subprocess.CalledProcessError:
            pytest.skip("the kernel has no dummy network devices")
        yield call
    finally:
        isolation.setns(f"/proc/self/fd/{before}", _CLONE_NEWNET)
        os.close(before)


@covers("linux/net-devices/moved", "linux/net-devices/name", "linux/net-devices/up")
def test_moved(container: Container, ip: Ip) -> None:
    """The device is in the container under its own name, up, and no longer outside."""
    container.linux["netDevices"] = {"dummy-a": {}}
    said = container.says("ip link show dummy-a")
    assert ",UP" in said or "<UP" in said
    assert "dummy-a" not in ip("link")


@covers("linux/net-devices/name")
def test_renamed(container: Container, ip: Ip) -> None:
    """The device has the configured name."""
    container.linux["netDevices"] = {"dummy-a": {"name": "inside0"}}
    said = container.says("ip link")
    assert "inside0" in said and "dummy-a" not in said


@covers("linux/net-devices/addresses", "linux/net-devices/attributes")
def test_addresses(container: Container, ip: Ip) -> None:
    """The device keeps its addresses of both families, its MTU and its hardware address."""
    ip("addr", "add", "10.11.12.13/24", "dev", "dummy-a")
    ip("addr", "add", "2001:db8::5/64", "dev", "dummy-a")
    ip("link", "set", "dummy-a", "mtu", "1400", "address", "02:00:00:00:00:05")
    container.linux["netDevices"] = {"dummy-a": {"name": "inside0"}}
    said = container.says("ip addr show inside0")
    for word in ("10.11.12.13/24", "2001:db8::5/64", "mtu 1400", "02:00:00:00:00:05"):
        assert word in said, said


@covers("linux/net-devices/check")
def test_missing(container: Container, ip: Ip) -> None:
    """A device that is not there is an error."""
    container.linux["netDevices"] = {"no-such-device": {}}
    container.refused()


@covers("linux/net-devices/name-taken")
def test_name_taken(container: Container, ip: Ip) -> None:
    """A name that the container has already is an error, and the device stays."""
    container.linux["netDevices"] = {"dummy-a": {"name": "lo"}}
    container.refused()


@covers("linux/net-devices/template")
def test_template(container: Container, ip: Ip) -> None:
    """A name with %d gets a free number."""
    ip("link", "add", "dummy-b", "type", "dummy")
    container.linux["netDevices"] = {"dummy-a": {"name": "eth%d"}, "dummy-b": {"name": "eth%d"}}
    said = container.says("ip link")
    assert "eth0" in said and "eth1" in said


@covers("linux/net-devices/managed", "linux/net-devices/not-moved-back")
def test_left_alone(container: Container, ip: Ip) -> None:
    """The device stays inside when the container is stopped and deleted, and dies with its namespace."""
    container.linux["netDevices"] = {"dummy-a": {}}
    container.capabilities("CAP_NET_ADMIN")
    container.says("ip link set dummy-a down; ip link show dummy-a | grep -qv UP")
    container.delete()
    assert "dummy-a" not in ip("link")
