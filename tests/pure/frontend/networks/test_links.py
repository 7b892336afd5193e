"""The requests that are packed by hand are those that pyroute2 would make."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from cooper.networks.links import add_address, add_default_route, add_veth, delete_link, set_hairpin, set_up
from cooper.networks.netlink import Request


@pytest.fixture(scope="module")
def rtnl() -> Iterator[Any]:
    """pyroute2's messages."""
    from pyroute2.netlink import rtnl
    from pyroute2.netlink.rtnl import ifaddrmsg, ifinfmsg, rtmsg  # noqa: F401

    yield rtnl


def check(request: Request, message: Any, **fields: Any) -> None:
    """The request's body is the message's."""
    for name, value in fields.items():
        message[name] = value
    message.encode()
    assert bytes(message.data[16:]) == request.body


def test_veth(rtnl: Any) -> None:
    """Both halves of the pair."""
    namespace = os.open("/dev/null", os.O_RDONLY)
    try:
        peer = [
            ("IFLA_IFNAME", "eth0"), ("IFLA_ADDRESS", "02:00:0a:01:02:03"), ("IFLA_MTU", 1400),
            ("IFLA_NET_NS_FD", namespace),
        ]  # fmt: skip
        info = [
            ("IFLA_INFO_KIND", "veth"),
            ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", {"attrs": peer})]}),
        ]
        check(
            add_veth("cv-0123456789ab", 7, 1400, "eth0", "02:00:0a:01:02:03", namespace, ""),
            rtnl.ifinfmsg.ifinfmsg(),
            flags=1,
            change=1,
            attrs=[
                ("IFLA_IFNAME", "cv-0123456789ab"), ("IFLA_MTU", 1400), ("IFLA_MASTER", 7),
                ("IFLA_LINKINFO", {"attrs": info}),
            ],
        )  # fmt: skip
    finally:
        os.close(namespace)


def test_links(rtnl: Any) -> None:
    """Up, in hairpin mode, gone."""
    check(set_up("eth0", 300), rtnl.ifinfmsg.ifinfmsg(), index=300, flags=1, change=1)
    check(delete_link("eth0"), rtnl.ifinfmsg.ifinfmsg(), attrs=[("IFLA_IFNAME", "eth0")])
    info = [
        ("IFLA_INFO_SLAVE_KIND", "bridge"),
        ("IFLA_INFO_SLAVE_DATA", {"attrs": [("IFLA_BRPORT_MODE", 1)]}),
    ]
    attributes = [("IFLA_IFNAME", "cv-1"), ("IFLA_LINKINFO", {"attrs": info})]
    check(set_hairpin("cv-1"), rtnl.ifinfmsg.ifinfmsg(), attrs=attributes)


def test_addresses(rtnl: Any) -> None:
    """Of both families."""
    for family, number, address, more in (
        (4, 2, "10.1.2.3", ("IFA_LOCAL", "10.1.2.3")),
        (6, 10, "fd00::3", ("IFA_FLAGS", 2)),
    ):
        check(
            add_address("eth0", 4, family, address, 24),
            rtnl.ifaddrmsg.ifaddrmsg(),
            family=number, prefixlen=24, index=4, attrs=[("IFA_ADDRESS", address), more],
        )  # fmt: skip


def test_routes(rtnl: Any) -> None:
    """Of both families."""
    for family, number, gateway in ((4, 2, "10.1.2.1"), (6, 10, "fd00::1")):
        check(
            add_default_route("eth0", 4, family, gateway),
            rtnl.rtmsg.rtmsg(),
            family=number, table=254, proto=4, scope=0, type=1,
            attrs=[("RTA_GATEWAY", gateway), ("RTA_OIF", 4)],
        )  # fmt: skip
