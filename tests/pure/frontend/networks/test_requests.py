"""The network flags of run, read into values."""

from __future__ import annotations

import pytest

from cooper.errors import UsageError
from cooper.networks.requests import (
    Port,
    parse_dns,
    parse_exposed,
    parse_hosts,
    parse_mac,
    parse_networks,
    parse_publish,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("80", [":0:80/tcp"]),
        ("8080:80", [":8080:80/tcp"]),
        ("8080:80/udp", [":8080:80/udp"]),
        ("127.0.0.1:8080:80", ["127.0.0.1:8080:80/tcp"]),
        ("127.0.0.1::80", ["127.0.0.1:0:80/tcp"]),
        ("0.0.0.0:8080:80", ["0.0.0.0:8080:80/tcp"]),
        ("[::1]:8080:80", ["[::1]:8080:80/tcp"]),
        ("[2001:DB8::0:1]::80/TCP", ["[2001:db8::1]:0:80/tcp"]),
        ("8000-8001:80-81", [":8000:80/tcp", ":8001:81/tcp"]),
        ("8000-8010:80", [":8000-8010:80/tcp"]),
        ("80-81", [":0:80/tcp", ":0:81/tcp"]),
    ],
)
def test_publish(value: str, expected: list[str]) -> None:
    """Every form that docker knows."""
    assert expected == [repr(request) for request in parse_publish([value])]


@pytest.mark.parametrize(
    "value",
    "0 65536 a :80: 80:0 80/sctp 80/ 8000-8001:80-82 81-80 1.2.3:80:80 [::1:80:80 ::1:80:80 [::1]80 -80 80- ²".split(),
)
def test_publish_refuses(value: str) -> None:
    """What is no port is refused with the value in the message."""
    with pytest.raises(UsageError, match=r"."):
        parse_publish([value])


def test_exposed_ports_are_published_anywhere() -> None:
    """`--publish-all` gives each exposed port one that is free."""
    assert [repr(each) for each in parse_exposed(["80/tcp", "53/udp", "80"])] == [":0:80/tcp", ":0:53/udp"]


def test_networks() -> None:
    """Several networks, each with its options; the flags are those of the first."""
    mode = parse_networks(
        ["front:alias=web,ip=10.1.2.3,mac=02-00-00-00-00-AA", "back:interface_name=data"], aliases=["w"]
    )
    front, back = mode.requests
    assert (
        front.name, front.addresses, front.mac, front.aliases,
    ) == ("front", {4: "10.1.2.3"}, "02:00:00:00:00:aa", ("web", "w"))  # fmt: skip
    assert (back.name, back.interface, back.aliases) == ("back", "data", ("w",))
    only = parse_networks([], address="10.1.2.4", address6="fd00::1", mac="02:00:00:00:00:01")
    assert (only.requests[0].name, only.requests[0].addresses) == ("default", {4: "10.1.2.4", 6: "fd00::1"})
    assert parse_networks(["bridge"]).requests[0].name == "default"


@pytest.mark.parametrize(
    ("value", "kind", "container"), [("host", "host", ""), ("container:web", "container", "web")]
)
def test_modes(value: str, kind: str, container: str) -> None:
    """Some values of --network are no network."""
    mode = parse_networks([value])
    assert (kind, container) == (mode.kind, mode.container)


@pytest.mark.parametrize(
    "values",
    [["host", "a"], ["container:"], ["none:ip=10.0.0.1"], ["a", "a"], ["a:ip"], ["a:ip=fd00::1"], ["a:ip6=10.0.0.1"],
     ["a:color=red"], ["a:alias=-x"], ["a:mac=1"], [":"], ["a:interface_name=a/b"], ["a:interface_name=lo"],
     ["a:interface_name=sixteen-letters-"]],
)  # fmt: skip
def test_networks_refuses(values: list[str]) -> None:
    """What cannot be meant is a usage error."""
    with pytest.raises(UsageError):
        parse_networks(values)


def test_addresses_are_for_one_network() -> None:
    """`--ip` with two networks, or with the host's, means nothing."""
    with pytest.raises(UsageError, match="one network"):
        parse_networks(["a", "b"], address="10.0.0.1")
    with pytest.raises(UsageError, match="need a network"):
        parse_networks(["host"], aliases=["x"])


@pytest.mark.parametrize(
    "text", ["01:00:00:00:00:00", "00:00:00:00:00:00", "02:00:00:00:00", "02:00:00:00:00:0g"]
)
def test_ethernet_addresses(text: str) -> None:
    """Multicast addresses and what is none are refused."""
    with pytest.raises(UsageError):
        parse_mac(text)


def test_hosts_and_dns() -> None:
    """Names go with addresses, or with the host; servers are addresses."""
    assert parse_hosts(["db:10.0.0.1", "h=host-gateway", "six:[::1]"]) == [
        ("db", "10.0.0.1"),
        ("h", "host-gateway"),
        ("six", "::1"),
    ]
    assert parse_dns(["1.1.1.1"], ["."], ["ndots:1"]).servers == ("1.1.1.1",)
    for values in (["db"], ["db:x"], ["-db:1.1.1.1"]):
        with pytest.raises(UsageError):
            parse_hosts(values)
    with pytest.raises(UsageError):
        parse_dns(["one.one"], [], [])
    with pytest.raises(UsageError):
        parse_dns([], ["a\nnameserver 1.1.1.1"], [])


@pytest.mark.parametrize(
    ("mine", "theirs", "meet"),
    [("", "127.0.0.1", True), ("0.0.0.0", "::1", False), ("::", "::1", True), ("127.0.0.1", "127.0.0.2", False),
     ("127.0.0.1", "127.0.0.1", True), ("", "", True), ("0.0.0.0", "::", False)],
)  # fmt: skip
def test_ports_meet(mine: str, theirs: str, meet: bool) -> None:
    """Two published ports are in each other's way if an address of the host belongs to both."""
    first, second = Port("tcp", mine, 80, 80), Port("tcp", theirs, 80, 80)
    assert meet == first.meets(second) == second.meets(first)
