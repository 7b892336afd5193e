"""The requests that every container needs, packed by hand: importing pyroute2's encoders would take longer than all
that they ask for (docs/adr/0008). A test holds each to the bytes that pyroute2 makes.
"""

from __future__ import annotations

import _socket

from cooper.networks.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, ORDER, Request

# linux/rtnetlink.h
RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 17, 20, 24
RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 4, 0, 1
RTA_OIF, RTA_GATEWAY = 4, 5
# linux/if_link.h, linux/if.h
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 1, 3, 4, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
IFLA_BRPORT_MODE = 4
VETH_INFO_PEER = 1
IFF_UP = 1
# linux/if_addr.h
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_NODAD = 2
EEXIST, ENODEV = 17, 19
FAMILIES = {4: _socket.AF_INET, 6: _socket.AF_INET6}


def add_veth(host: str, bridge: int, mtu: int, peer: str, mac: str, namespace: int, text: str) -> Request:
    """A pair of interfaces: one on the bridge and up, the other in the namespace (a descriptor) and down."""
    other = (
        _link()
        + _text(IFLA_IFNAME, peer)
        + _attribute(IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))
        + _number(IFLA_MTU, mtu)
        + _number(IFLA_NET_NS_FD, namespace)
    )
    info = _text(IFLA_INFO_KIND, "veth") + _attribute(IFLA_INFO_DATA, _attribute(VETH_INFO_PEER, other))
    body = (
        _link(up=True)
        + _text(IFLA_IFNAME, host)
        + _number(IFLA_MTU, mtu)
        + _number(IFLA_MASTER, bridge)
        + _attribute(IFLA_LINKINFO, info)
    )
    return Request(text, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def set_hairpin(name: str) -> Request:
    """A port of a bridge also gets what it sent itself."""
    info = _text(IFLA_INFO_SLAVE_KIND, "bridge") + _attribute(
        IFLA_INFO_SLAVE_DATA, _attribute(IFLA_BRPORT_MODE, b"\1")
    )
    body = _link() + _text(IFLA_IFNAME, name) + _attribute(IFLA_LINKINFO, info)
    return Request(f"put the bridge's port {name} into hairpin mode", RTM_NEWLINK, 0, body)


def set_up(name: str, index: int) -> Request:
    """The interface is up."""
    return Request(f"bring the interface {name} up", RTM_NEWLINK, 0, _link(index, True))


def delete_link(name: str) -> Request:
    """No interface has that name."""
    body = _link() + _text(IFLA_IFNAME, name)
    return Request(f"remove the interface {name}", RTM_DELLINK, 0, body, (ENODEV,))


def add_address(name: str, index: int, family: int, address: str, length: int) -> Request:
    """The interface has the address, usable at once: the pool has seen to it that nobody else has it."""
    packed = _socket.inet_pton(FAMILIES[family], address)
    body = (
        bytes((FAMILIES[family], length, 0, 0)) + index.to_bytes(4, ORDER) + _attribute(IFA_ADDRESS, packed)
    )
    body += _attribute(IFA_LOCAL, packed) if family == 4 else _number(IFA_FLAGS, IFA_F_NODAD)
    text = f"give {name} the address {address}/{length}"
    return Request(text, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body)


def add_default_route(name: str, index: int, family: int, gateway: str) -> Request:
    """What is not on a network of the container's goes by the gateway, if nothing else is said already."""
    head = (
        FAMILIES[family],
        0,
        0,
        0,
        RT_TABLE_MAIN,
        RTPROT_STATIC,
        RT_SCOPE_UNIVERSE,
        RTN_UNICAST,
        0,
        0,
        0,
        0,
    )
    via = _attribute(RTA_GATEWAY, _socket.inet_pton(FAMILIES[family], gateway))
    body = bytes(head) + via + _number(RTA_OIF, index)
    return Request(f"route by {gateway} on {name}", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body, (EEXIST,))


def _link(index: int = 0, up: bool = False) -> bytes:
    """struct ifinfomsg."""
    return bytes(4) + index.to_bytes(4, ORDER) + (IFF_UP * up).to_bytes(4, ORDER) * 2


def _attribute(kind: int, payload: bytes) -> bytes:
    """struct rtattr with its payload, padded."""
    return (
        (4 + len(payload)).to_bytes(2, ORDER) + kind.to_bytes(2, ORDER) + payload + bytes(-len(payload) % 4)
    )


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, number.to_bytes(4, ORDER))
