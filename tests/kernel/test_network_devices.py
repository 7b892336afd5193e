"""Network devices that the container gets from the host; here the host is a network namespace of the test's own."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from typing import Any

import pytest
from pyroute2 import IPRoute

from .conftest import MakeContainer
from .driver import Container
from .test_user_namespaces import with_user_namespace

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


class World:
    """A network namespace with a pair of devices: `out` stays, `dev` is for the container."""

    def __init__(self) -> None:
        self.route: Any = IPRoute()
        try:
            self.route.link("add", ifname="dev", kind="veth", peer="out")
        except Exception as error:  # the kernel's word for it
            pytest.skip(f"the kernel makes no veth devices: {error}")
        self.index = self.find("dev")["index"]
        self.route.addr("add", index=self.index, address="10.99.0.1", prefixlen=24, broadcast="10.99.0.255")
        self.route.addr("add", index=self.index, address="fd99::1", prefixlen=64)
        self.route.addr("add", index=self.index, address="10.98.0.1", prefixlen=24, scope=253)

    def find(self, name: str) -> Any:
        """The device of this name, or None."""
        return next((each for each in self.route.get_links() if each.get_attr("IFLA_IFNAME") == name), None)

    def addresses(self) -> set[str]:
        """Those of `dev`."""
        found = self.route.get_addr(index=self.find("dev")["index"])
        return {f"{each.get_attr('IFA_ADDRESS')}/{each['prefixlen']}" for each in found}


@pytest.fixture
def world() -> Iterator[World]:
    """The test, and what it starts, is in a network namespace of its own."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    assert LIBC.unshare(CLONE_NEWNET) == 0
    world = None
    try:
        world = World()
        yield world
    finally:
        if world:
            world.route.close()
        assert LIBC.setns(before, CLONE_NEWNET) == 0
        os.close(before)


@pytest.mark.parametrize("mapped", [False, True])
def test_move(container: Container, world: World, mapped: bool) -> None:
    """A device keeps its name, and its permanent addresses of global scope; it is up."""
    if mapped:
        with_user_namespace(container)
    container.linux["netDevices"] = {"dev": {}}
    container.launch()
    assert world.find("dev") is None
    lines = container.exec_says("ip", "-o", "addr", "show", "dev", "dev").splitlines()
    addresses = {line.split()[3] for line in lines}
    assert {"10.99.0.1/24", "fd99::1/64"} <= addresses and "10.98.0.1/24" not in addresses
    assert any("brd 10.99.0.255" in line for line in lines)
    flags = container.exec_says("ip", "-o", "link", "show", "dev", "dev").partition("<")[2].partition(">")[0]
    assert "UP" in flags.split(",")


@pytest.mark.parametrize(("name", "expected"), [("eth0", "eth0"), ("net%d", "net0")])
def test_rename(container: Container, world: World, name: str, expected: str) -> None:
    """It may have another name, or one with a number from the kernel."""
    container.linux["netDevices"] = {"dev": {"name": name}}
    output = container.says("ls /sys/class/net").split()
    assert output == sorted(["lo", expected])


def test_joined_namespace(make_container: MakeContainer, world: World) -> None:
    """The container's network namespace may be another container's, where the kernel finds a free number."""
    first, second = make_container(), make_container()
    first.linux["netDevices"] = {"dev": {"name": "eth%d"}}
    first.launch()
    second.linux["namespaces"] = [
        {"type": "network", "path": f"/proc/{first.pid}/ns/net"} if each["type"] == "network" else each
        for each in second.linux["namespaces"]
    ]
    second.linux["netDevices"] = {"out": {"name": "eth%d"}}
    assert second.says("ls /sys/class/net").split() == ["eth0", "eth1", "lo"]


def test_missing_device(container: Container, world: World) -> None:
    """A device that is not there is named."""
    container.linux["netDevices"] = {"nosuch": {}}
    assert container.fails() == "linux.netDevices.nosuch: move network device nosuch: No such device"


def test_taken_name(container: Container, world: World) -> None:
    """A name that the container has already is an error, and the device stays."""
    container.linux["netDevices"] = {"dev": {"name": "lo"}}
    assert container.fails() == (
        "linux.netDevices.dev: move network device dev (the container has a device lo already): File exists"
    )
    assert world.find("dev")


def test_failure_later_on(container: Container, world: World) -> None:
    """Devices come back if the container cannot be made, with what they had."""
    world.route.link("set", index=world.index, state="up")
    container.linux["netDevices"] = {"dev": {"name": "eth7"}, "out": {}}
    container.mount("/data", "bind", source="/no/such")
    assert "open source /no/such" in container.fails()
    assert world.find("out")
    assert world.find("dev")["flags"] & 1
    assert {"10.99.0.1/24", "fd99::1/64"} <= world.addresses()


def test_second_device_fails(container: Container, world: World) -> None:
    """The same where one device of two cannot be moved."""
    container.linux["netDevices"] = {"dev": {}, "nosuch": {}}
    assert "nosuch" in container.fails()
    assert world.find("dev")
