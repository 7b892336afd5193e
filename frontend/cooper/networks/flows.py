"""The kernel remembers where it led a client's datagrams, and goes on leading them there: to a container that is gone, or,
if the client was early, to nobody. Such flows of published UDP ports are forgotten when a container comes or goes.

Messages of nfnetlink's conntrack (linux/netfilter/nfnetlink_conntrack.h), packed by hand as in `links`.
"""

from __future__ import annotations

from cooper.networks.netlink import HEADER_BYTES, ORDER, Netlink, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

NETLINK_NETFILTER = 12
IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE = 1 << 8 | 1, 1 << 8 | 2
CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_NUM, CTA_PROTO_DST_PORT = 1, 2, 1, 3
NFGENMSG_BYTES = 4
NLA_TYPE_MASK = 0x3FFF
IPPROTO_UDP = 17
ENOENT = 2


def forget(ports: Collection[int]) -> None:
    """No flow of datagrams to these ports of the host is remembered; the next datagram is led by the rules.

    Raises: Error.
    """
    if not ports:
        return
    with Netlink(NETLINK_NETFILTER) as netlink:
        requests = []
        for message in netlink.dump(IPCTNL_MSG_CT_GET, bytes(NFGENMSG_BYTES)):
            body = message[HEADER_BYTES:]
            for kind, whole, payload in _attributes(body[NFGENMSG_BYTES:]):
                if kind == CTA_TUPLE_ORIG and _udp_port(payload) in ports:
                    flow = body[:NFGENMSG_BYTES] + whole
                    text = "forget a flow of datagrams"
                    requests.append(Request(text, IPCTNL_MSG_CT_DELETE, 0, flow, (ENOENT,)))
        # One by one: there may be more than one message of netlink's can hold.
        for request in requests:
            netlink.send([request])


def _udp_port(tuple_: bytes) -> int:
    """The destination port of a tuple of UDP, 0 of any other."""
    for kind, _, payload in _attributes(tuple_):
        if kind == CTA_TUPLE_PROTO:
            found = {kind: value for kind, _, value in _attributes(payload)}
            if found.get(CTA_PROTO_NUM) == bytes((IPPROTO_UDP,)):
                return int.from_bytes(found.get(CTA_PROTO_DST_PORT, b""))
    return 0


def _attributes(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Type, the whole and the payload of each attribute."""
    while len(data) >= 4:
        length = max(int.from_bytes(data[:2], ORDER), 4)
        yield int.from_bytes(data[2:4], ORDER) & NLA_TYPE_MASK, data[: (length + 3) & ~3], data[4:length]
        data = data[(length + 3) & ~3 :]
