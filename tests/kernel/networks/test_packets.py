"""Packets go where they should and nowhere else: the outside, published ports, other containers."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from cooper.errors import Conflict, Error
from cooper.networks import proxy
from cooper.networks.host import write_setting

from .. import host
from .world import BEYOND, BEYOND6, HOST, HOST6, OUTSIDE, OUTSIDE6, REFUSED_SECONDS, World, batch, plain

SUBNET6 = "fd00:5::/64"


def test_a_container_reaches_the_outside(world: World) -> None:
    """TCP, UDP and ICMP, to a neighbour of the host and beyond it, with the host's address; by IPv6 as well."""
    world.network("six", subnets=[SUBNET6], ipv6=True)
    web, _ = world.container("web", "six")
    with world.outside.listen(7) as tcp, world.outside.listen(7, BEYOND, "udp") as udp:
        assert web.talk(OUTSIDE, 7, tcp) == HOST
        assert web.talk(BEYOND, 7, tcp) == HOST
        assert web.talk(OUTSIDE6, 7, tcp) == HOST6
        assert web.exchange(BEYOND, 7, udp) == HOST
    assert web.pings(BEYOND)
    assert web.pings(BEYOND6)


def test_a_container_is_not_reached_from_outside(world: World) -> None:
    """What is not published is closed, even to somebody who has a route to the container."""
    web, attachment = world.container("web")
    address = attachment.endpoints[0].addresses[0]
    world.outside.run("ip", "route", "add", "10.210.0.0/24", "via", HOST)
    with web.listen(80) as listener:
        assert world.outside.is_refused(address, 80)
        assert world.host.talk(address, 80, listener) == "10.210.0.1"
    assert not world.outside.pings(address, 0.3)


def test_published_ports(world: World) -> None:
    """TCP and UDP ports are reached from outside, from the host by each of its addresses, from containers, itself too."""
    world.network("six", subnets=[SUBNET6], ipv6=True)
    world.network("other")
    web, attachment = world.container("web", "six", ports=("8080:80", "5300:53/udp"))
    neighbour, _ = world.container("neighbour", "six")
    stranger, _ = world.container("stranger", "other")
    with web.listen(80) as tcp, web.listen(53, protocol="udp") as udp:
        # The container sees who asks.
        assert world.outside.talk(HOST, 8080, tcp) == OUTSIDE
        assert world.outside.talk(HOST6, 8080, tcp) == OUTSIDE6
        assert world.outside.exchange(HOST, 5300, udp) == OUTSIDE
        assert world.outside.exchange(HOST6, 5300, udp) == OUTSIDE6
        for address in ("127.0.0.1", "::1", "127.0.0.77", HOST, HOST6):
            world.host.talk(address, 8080, tcp)
            world.host.exchange(address, 5300, udp)
        for asker in (neighbour, stranger, web):
            asker.talk(HOST, 8080, tcp)
            asker.exchange(HOST, 5300, udp)
        for asker in (neighbour, web):
            asker.talk(HOST6, 8080, tcp)
            asker.exchange(HOST6, 5300, udp)
    assert [repr(port) for port in attachment.ports] == [":8080:80/tcp", ":5300:53/udp"]


def test_a_published_port_crosses_the_families(world: World) -> None:
    """A container without IPv6 is reached over it all the same: through the proxy."""
    web, _ = world.container("web", ports=("8080:80", "5300:53/udp"))
    with web.listen(80) as tcp, web.listen(53, protocol="udp") as udp:
        assert world.outside.talk(HOST6, 8080, tcp) == "10.210.0.1"
        assert world.outside.exchange(HOST6, 5300, udp) == "10.210.0.1"
        world.host.talk("::1", 8080, tcp)
        with world.host.connect("::1", 8080) as client:
            client.sendall(b"x" * 1_000_000)
            client.shutdown(socket.SHUT_WR)
            server, _ = tcp.accept()
            with server:
                # One direction is over; the other goes on.
                assert sum(len(data) for data in iter(lambda: server.recv(100_000), b"")) == 1_000_000
                server.sendall(b"answer")
            assert client.recv(100) == b"answer"
            assert client.recv(100) == b""


def test_a_client_of_datagrams_finds_the_next_container(world: World) -> None:
    """One that asks all the time, from before the first container until the second, is not led to nobody for ever."""
    with world.outside.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((HOST, 5300))
        for name in ("first", "second"):
            client.send(b"early")
            with contextlib.suppress(ConnectionRefusedError):
                client.recv(100)
            web, _ = world.container(name, ports=("5300:53/udp",))
            with web.listen(53, protocol="udp") as listener:
                client.send(b"question")
                data, peer = listener.recvfrom(100)
                assert (data, plain(peer[0])) == (b"question", OUTSIDE)
                listener.sendto(b"answer", peer)
                assert client.recv(100) == b"answer"
            world.remove(name)


def test_ports_are_bound_to_what_was_asked(world: World) -> None:
    """A port at one address is closed at the others."""
    web, attachment = world.container(
        "web", ports=("127.0.0.1:8080:80", f"{HOST}:8081:80", "[::1]:8082:80", "0.0.0.0:8083:80")
    )
    other, _ = world.container("other")
    with web.listen(80) as tcp:
        world.host.talk("127.0.0.1", 8080, tcp)
        world.outside.talk(HOST, 8081, tcp)
        world.host.talk(HOST, 8081, tcp)
        world.host.talk("::1", 8082, tcp)
        world.outside.talk(HOST, 8083, tcp)
        for place, address, port in (
            (world.outside, HOST, 8080), (world.host, HOST, 8080), (world.host, "::1", 8080), (other, HOST, 8080),
            (world.host, "127.0.0.1", 8081), (world.outside, HOST6, 8082), (world.outside, HOST6, 8083),
        ):  # fmt: skip
            assert place.is_refused(address, port), (place.path, address, port)
    assert [port.host_port for port in attachment.ports] == [8080, 8081, 8082, 8083]


def test_the_hosts_loopback_is_not_reached_from_a_container(world: World) -> None:
    """Not by packets to 127.0.0.1 that are sent to the bridge, though the kernel would route them."""
    web, _ = world.container("web")
    with world.host.listen(9, "127.0.0.1"):
        web.run("ip", "address", "del", "127.0.0.1/8", "dev", "lo")
        web.run("ip", "route", "flush", "table", "local")
        web.run("ip", "route", "add", "local", "10.210.0.2", "dev", "eth0", "table", "local")
        web.run("ip", "route", "add", "127.0.0.1", "via", "10.210.0.1")
        web.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1", "net.ipv4.conf.eth0.route_localnet=1")
        assert web.is_refused("127.0.0.1", 9)


def test_a_port_that_is_in_use(world: World) -> None:
    """It is refused, whoever has it; a port of a range, or any, is one that is free. Others cannot take it."""
    with world.host.listen(8080, "0.0.0.0"):
        with pytest.raises(Conflict, match="8080:80/tcp: the port is in use on the host"):
            world.container("web", ports=("8080:80",))
        _, attachment = world.container("web", ports=("8080-8081:80", "80"))
        assert attachment.ports[0].host_port == 8081
        assert attachment.ports[1].host_port > 1024
    with pytest.raises(Conflict, match="in use"):
        world.container("other", ports=("127.0.0.1:8081:80",))
    with pytest.raises(OSError, match="in use"):
        world.host.listen(8081, "0.0.0.0")
    with pytest.raises(Error, match=r"the host has no address 203.0.113.9"):
        world.container("other", ports=("203.0.113.9:8082:80",))


def test_a_kernel_without_ipv6(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports are published in the other family alone."""
    monkeypatch.setattr(proxy, "_has_ipv6", lambda: False)
    with world.host.listen(8080, "::1"):
        web, _ = world.container("web", ports=("8080:80",))
        with web.listen(80) as listener:
            assert world.outside.talk(HOST, 8080, listener) == OUTSIDE


def test_containers_of_one_network(world: World) -> None:
    """They reach each other; containers of two networks do not, by either's address or the other's gateway's."""
    world.network("a", subnets=["10.1.1.0/24", "fd00:a::/64"])
    world.network("b", subnets=["10.1.2.0/24", "fd00:b::/64"])
    first, one = world.container("first", "a")
    second, two = world.container("second", "a")
    third, three = world.container("third", "b")
    with second.listen(80) as near, third.listen(80):
        for address in two.endpoints[0].addresses:
            assert first.talk(address, 80, near) in one.endpoints[0].addresses
            assert first.pings(address)
        for address in three.endpoints[0].addresses:
            assert first.is_refused(address, 80)
            assert not first.pings(address, 0.3)


def test_a_container_on_two_networks(world: World) -> None:
    """It reaches both, and the outside by the first."""
    world.network("a", subnets=["10.1.1.0/24"])
    world.network("b", subnets=["10.1.2.0/24"])
    both, attachment = world.container("both", "a", "b:ip=10.1.2.77")
    one, _ = world.container("one", "a")
    two, _ = world.container("two", "b")
    assert [endpoint.addresses for endpoint in attachment.endpoints] == [("10.1.1.2",), ("10.1.2.77",)]
    with both.listen(80) as listener:
        one.talk("10.1.1.2", 80, listener)
        two.talk("10.1.2.77", 80, listener)
    assert "default via 10.1.1.1 dev eth0" in both.run("ip", "route")
    assert both.pings(BEYOND)


def test_internal_networks_reach_nothing(world: World) -> None:
    """Neither the outside nor the host nor another network; its containers reach each other, and the host them."""
    world.network("inside", subnets=["10.1.1.0/24", "fd00:a::/64"], internal=True)
    first, one = world.container("first", "inside")
    second, two = world.container("second", "inside")
    other, there = world.container("other", ports=("8080:80",))
    first.run("ip", "route", "add", "default", "via", "10.1.1.1")
    with world.outside.listen(7), world.host.listen(7), other.listen(80), second.listen(80) as near:
        for address, port in (
            (OUTSIDE, 7),
            (BEYOND, 7),
            (HOST, 7),
            ("10.1.1.1", 7),
            (HOST, 8080),
            ("fd00:a::1", 7),
        ):
            assert first.is_refused(address, port), address
        assert first.is_refused(there.endpoints[0].addresses[0], 80)
        assert other.is_refused(two.endpoints[0].addresses[0], 80)
        for address in two.endpoints[0].addresses:
            first.talk(address, 80, near)
            world.host.talk(address, 80, near)
    assert not first.pings(BEYOND, 0.3)
    with pytest.raises(Conflict, match="not internal"):
        world.container("web", "inside", ports=("80",))


def test_a_container_cannot_lend_an_address(world: World) -> None:
    """Packets with an address that is not of its network do not leave the host."""
    web, _ = world.container("web")
    web.run("ip", "address", "add", "203.0.113.7/32", "dev", "eth0")
    world.outside.run("ip", "route", "add", "203.0.113.7", "via", HOST)
    batch("route add 203.0.113.7 dev cooper0")
    with world.outside.listen(7), web.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(REFUSED_SECONDS)
        client.bind(("203.0.113.7", 0))
        with pytest.raises(OSError, match="timed out"):
            client.connect((OUTSIDE, 7))


def test_macvlan(world: World) -> None:
    """A container is a neighbour of the host's neighbours, with an address of its own."""
    world.network(
        "lan", driver="macvlan", subnets=["192.0.2.0/24"], ranges=["192.0.2.128/26"], gateways=[OUTSIDE]
    )
    web, attachment = world.container("web", "lan")
    assert attachment.endpoints[0].addresses == ("192.0.2.128",)
    with world.outside.listen(7) as tcp, web.listen(80) as listener:
        assert web.talk(BEYOND, 7, tcp) == "192.0.2.128"
        assert world.outside.talk("192.0.2.128", 80, listener) == OUTSIDE


def test_forwarding_is_switched_on(world: World) -> None:
    """A host that was no router becomes one with the first network; with IPv6 it still hears advertisements."""
    world.host.run("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
    write_setting("net/ipv6/conf/uplink/accept_ra", "1")
    world.network("six", ipv6=True)
    assert world.host.run("sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding").split() == [
        "1",
        "1",
    ]
    assert world.host.run("sysctl", "-n", "net.ipv6.conf.uplink.accept_ra").strip() == "2"


def test_forwarding_that_cannot_be_switched_on(world: World) -> None:
    """The warning names the setting and the command; the container runs."""
    world.host.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    setting = Path("/proc/sys/net/ipv4/ip_forward")
    with host.mounted(setting, "--bind", "-o", "ro", setting):
        (warning,) = world.network("front")
        assert (
            "write 1 to net.ipv4.ip_forward: Read-only file system (sysctl -w net.ipv4.ip_forward=1)"
            in warning
        )
        web, _ = world.container("web", "front")
        assert not web.pings(BEYOND, REFUSED_SECONDS)


def test_the_uplinks_mtu_is_the_networks(world: World) -> None:
    """Packets that the uplink cannot carry are not sent by containers."""
    batch("link set uplink mtu 1400")  # the uplink's MTU is not among what is compared
    web, _ = world.container("web")
    assert " mtu 1400 " in web.run("ip", "link", "show", "eth0")
    world.network("jumbo", options={"mtu": "9000"})
    other, _ = world.container("other", "jumbo")
    assert " mtu 9000 " in other.run("ip", "link", "show", "eth0")
