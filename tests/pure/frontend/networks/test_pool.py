"""Subnets and addresses, chosen."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooper.errors import Conflict
from cooper.networks.addresses import Subnet, format_address, parse, parse_subnet
from cooper.networks.pool import POOL, Route, choose_address, choose_ipv6_subnet, choose_subnet, clash


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.integers(0, 128))
def test_addresses_agree_with_ipaddress(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int
) -> None:
    """Parsing, printing and masking are those of the ipaddress module."""
    family, number = parse(str(address))
    assert (address.version, int(address)) == (family, number)
    assert address == ipaddress.ip_address(format_address(family, number))
    length = min(length, address.max_prefixlen)
    network = ipaddress.ip_network(f"{address}/{length}", strict=False)
    subnet = parse_subnet(f"{address}/{length}")
    assert network == ipaddress.ip_network(str(subnet))
    assert (int(network[0]), int(network[-1])) == (subnet.first, subnet.last)


@pytest.mark.parametrize(
    "text", ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1", "10.0.0.0/8x", "a\0/8"]
)
def test_what_is_no_subnet(text: str) -> None:
    """It is refused."""
    with pytest.raises(ValueError, match=r"."):
        parse_subnet(text)


def test_subnets_avoid_routes() -> None:
    """The first subnet that no network and no route uses; a default route is in nobody's way."""
    routes = [Route(parse_subnet("0.0.0.0/0"), "default"), Route(parse_subnet("10.210.0.0/23"), "vpn")]
    assert str(choose_subnet([], routes)) == "10.210.2.0/24"
    assert str(choose_subnet([parse_subnet("10.210.2.128/25")], routes)) == "10.210.3.0/24"
    with pytest.raises(Conflict, match="every /24"):
        choose_subnet([POOL], [])


def test_clash_names_the_route() -> None:
    """A wider and a narrower route clash, the default one does not."""
    routes = [Route(parse_subnet("0.0.0.0/0"), "default"), Route(parse_subnet("10.0.0.0/8"), "vpn")]
    found = clash(parse_subnet("10.1.0.0/16"), routes)
    assert found is not None and found.text == "vpn"
    assert clash(parse_subnet("192.168.0.0/16"), routes) is None
    assert clash(parse_subnet("fd00::/8"), routes) is None


def test_ipv6_subnets_are_unique_local() -> None:
    """40 random bits below fd00::/8 (RFC 4193)."""
    assert str(choose_ipv6_subnet(bytes((1, 2, 3, 4, 5)))) == "fd01:203:405::/64"


def take_all(subnet: Subnet, among: Subnet, gateway: str) -> list[str]:
    """Addresses in the order in which they are given out."""
    taken: list[str] = []
    while address := choose_address(subnet, among, taken, gateway, taken[-1] if taken else ""):
        taken.append(address)
    return taken


def test_every_address_is_given_out_once() -> None:
    """All but the network's, the broadcasts' and the gateway's."""
    subnet = parse_subnet("10.0.0.0/29")
    assert [f"10.0.0.{n}" for n in (2, 3, 4, 5, 6)] == take_all(subnet, subnet, "10.0.0.1")
    assert take_all(subnet, parse_subnet("10.0.0.4/31"), "10.0.0.1") == ["10.0.0.4", "10.0.0.5"]
    assert take_all(parse_subnet("fd00::/126"), parse_subnet("fd00::/126"), "fd00::1") == [
        "fd00::2",
        "fd00::3",
    ]


def test_an_address_is_not_used_again_at_once() -> None:
    """The next one is after the one given out last, and after the last the first."""
    subnet = parse_subnet("10.0.0.0/29")
    assert choose_address(subnet, subnet, (), "10.0.0.1", "10.0.0.3") == "10.0.0.4"
    assert choose_address(subnet, subnet, (), "10.0.0.1", "10.0.0.6") == "10.0.0.2"
