"""Texts of /etc/hosts and /etc/resolv.conf, and what the name server reads."""

from __future__ import annotations

import pytest

from cooper.errors import UsageError
from cooper.networks.addresses import parse_subnet
from cooper.networks.files import Resolver, hosts, parse_resolv_conf, resolv_conf, upstream_servers
from cooper.networks.names import configuration
from cooper.networks.requests import DNS, HOST_GATEWAY
from cooper.networks.store import Connected, Endpoint, Lease, Network

HOST = """
# made by hand
search example.com corp.example.com
nameserver 127.0.0.1
nameserver 192.0.2.53
options edns0 timeout:1
"""


def test_the_hosts_lines_are_taken_over() -> None:
    """Search domains and options are the host's, servers those of the network."""
    text = resolv_conf(parse_resolv_conf(HOST), DNS(), ["10.210.0.1"])
    assert text == "search example.com corp.example.com\nnameserver 10.210.0.1\noptions edns0 timeout:1\n"


def test_flags_replace_the_hosts_lines() -> None:
    """`--dns-search .` is none; more than three servers are read by nobody."""
    text = resolv_conf(parse_resolv_conf(HOST), DNS((), ["."], ["ndots:2"]), ["a", "b", "c", "d"])
    assert text == "nameserver a\nnameserver b\nnameserver c\noptions ndots:2\n"


def test_servers_out_of_reach_are_left_out() -> None:
    """A container cannot ask the host's loopback address."""
    assert upstream_servers(parse_resolv_conf(HOST), DNS()) == ["192.0.2.53"]
    assert upstream_servers(Resolver((), (), ()), DNS(["1.1.1.1"])) == ["1.1.1.1"]


def test_hosts() -> None:
    """The container's names, the host's, and those that were added."""
    text = hosts(
        ["web", "web", "w"],
        ["10.210.0.2", "fd00::2"],
        ["10.210.0.1"],
        [("db", "10.9.9.9"), ("h", HOST_GATEWAY)],
    )
    lines = text.splitlines()
    assert lines[0] == "127.0.0.1\tlocalhost"
    assert lines[-5:] == [
        "10.210.0.2\tweb w", "fd00::2\tweb w", "10.210.0.1\thost.docker.internal host.containers.internal",
        "10.9.9.9\tdb", "10.210.0.1\th",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="do not reach the host"):
        hosts(["web"], [], [], [("h", HOST_GATEWAY)])


def network(internal: bool = False) -> Network:
    """A network with both families."""
    leases = [
        Lease(parse_subnet("10.210.0.0/24"), "10.210.0.1", parse_subnet("10.210.0.0/24")),
        Lease(parse_subnet("fd00::/64"), "fd00::1", parse_subnet("fd00::/64")),
    ]
    return Network("ab" * 32, "front", "bridge", "cooper0", internal=internal, subnets=leases)


def test_names() -> None:
    """One line per container: addresses of both families, all its names, the servers asked for it."""
    endpoints = [
        Endpoint("c" * 64, "ab", "eth0", "cv-1", "", ["www"], ["10.210.0.2", "fd00::2"]),
        Endpoint("d" * 64, "ab", "eth0", "cv-2", "", [], ["10.210.0.3"]),
    ]
    containers = [Connected("c" * 64, "Web", ""), Connected("d" * 64, "", "", ["1.1.1.1", "9.9.9.9"])]
    text = configuration(network(), endpoints, {each.id: each for each in containers})
    assert [
        "10.210.0.1,fd00::1",
        f"{'c' * 64} 10.210.0.2 fd00::2 web,www,{'c' * 12}",
        f"{'d' * 64} 10.210.0.3  {'d' * 12} 1.1.1.1,9.9.9.9",
    ] == text.splitlines()


def test_an_internal_network_asks_nobody() -> None:
    """Questions about the outside would be a way out."""
    endpoint = Endpoint("d" * 64, "ab", "eth0", "cv-2", "", [], ["10.210.0.3"])
    text = configuration(network(True), [endpoint], {"d" * 64: Connected("d" * 64, "db", "", ["1.1.1.1"])})
    assert text.splitlines()[0] == "10.210.0.1,fd00::1 255.255.255.255"
    assert "1.1.1.1" not in text
