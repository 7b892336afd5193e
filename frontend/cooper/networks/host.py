"""What the host's network is like: routes, the uplink, forwarding. Reads and writes /proc/sys/net and rtnetlink."""

from __future__ import annotations

import posix

from cooper.networks.addresses import Subnet, parse
from cooper.networks.pool import Route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.networks.netlink import Netlink

IPV4_FORWARD = "net/ipv4/ip_forward"
IPV6_FORWARD = "net/ipv6/conf/all/forwarding"
# Types of route that lead somewhere, or deliberately nowhere (rtnetlink(7)): unicast, blackhole to throw.
ROUTE_TYPES = (1, 6, 7, 8, 9)


def read_setting(name: str) -> str:
    """The value of a file below /proc/sys, "" if this kernel has none such."""
    try:
        descriptor = posix.open(f"/proc/sys/{name}", posix.O_RDONLY | posix.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        return posix.read(descriptor, 256).decode().strip()
    finally:
        posix.close(descriptor)


def write_setting(name: str, value: str) -> bool:
    """The setting has the value; False if this kernel has no such setting.

    Raises: OSError, as on a read-only /proc/sys.
    """
    try:
        descriptor = posix.open(f"/proc/sys/{name}", posix.O_WRONLY | posix.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        posix.write(descriptor, value.encode())
    finally:
        posix.close(descriptor)
    return True


def set_interface(family: int, interface: str, name: str, value: str) -> None:
    """A setting of one interface in this thread's namespace; a kernel without the family has none to set."""
    write_setting(f"net/ipv{family}/conf/{interface}/{name}", value)


def routes(netlink: Netlink) -> list[Route]:
    """Where the host sends packets: of all tables, without the host's own addresses."""
    from cooper.networks import rtnl

    found = []
    for message in rtnl.routes(netlink):
        if message["type"] not in ROUTE_TYPES or message["family"] not in (2, 10):
            continue
        attributes = dict(message["attrs"])
        family = 4 if message["family"] == 2 else 6
        destination = attributes.get("RTA_DST")
        first = parse(destination)[1] if destination else 0
        subnet = Subnet(family, first, message["dst_len"])
        if family == 6 and subnet.overlaps(Subnet(6, 0xFE80 << 112, 10)):
            continue  # link-local: on every interface, never to be routed
        found.append(Route(subnet, _describe(subnet, attributes)))
    return found


def _describe(subnet: Subnet, attributes: dict[str, Any]) -> str:
    text = str(subnet) if subnet.length else "default"
    if "RTA_GATEWAY" in attributes:
        text += f" via {attributes['RTA_GATEWAY']}"
    if "RTA_OIF" in attributes:
        text += f" dev {interface_name(attributes['RTA_OIF'])}"
    table = attributes.get("RTA_TABLE", 254)
    return text if table == 254 else f"{text} table {table}"


def interface_name(index: int) -> str:
    """The name of an interface of this namespace, or its number if it has just gone."""
    import _socket

    try:
        return _socket.if_indextoname(index)
    except OSError:
        return str(index)


def uplink() -> str:
    """The interface of the IPv4 default route of the smallest metric, or of IPv6's, or ""."""
    from cooper.networks import rtnl
    from cooper.networks.netlink import Netlink

    with Netlink() as netlink:
        found = []
        for message in rtnl.routes(netlink):
            attributes = dict(message["attrs"])
            main = message["dst_len"] == 0 and message["type"] == 1 and message["table"] == 254
            if main and message["family"] in (2, 10) and "RTA_OIF" in attributes:
                found.append((message["family"], attributes.get("RTA_PRIORITY", 0), attributes["RTA_OIF"]))
    return interface_name(min(found)[2]) if found else ""


def uplink_mtu() -> int:
    """The MTU of the uplink in bytes, 1500 without one."""
    from cooper.networks import rtnl
    from cooper.networks.netlink import Netlink

    name = uplink()
    with Netlink() as netlink:
        for message in rtnl.links(netlink):
            attributes = dict(message["attrs"])
            if attributes.get("IFLA_IFNAME") == name:
                return min(int(attributes["IFLA_MTU"]), 65535)
    return 1500


def enable_forwarding(families: set[int]) -> list[str]:
    """The host forwards packets of the families. It is never switched off again: others may have come to rely on it.

    Returns: warnings, for what could not be done.
    """
    warnings = []
    for family, name in ((4, IPV4_FORWARD), (6, IPV6_FORWARD)):
        if family not in families or read_setting(name) != "0":
            continue
        try:
            if family == 6:
                _keep_router_advertisements()
            write_setting(name, "1")
        except OSError as error:
            warnings.append(
                f"this host does not forward IPv{family} packets, so containers reach nothing beyond it:"
                f" write 1 to {name.replace('/', '.')}: {error.strerror}"
                f" (sysctl -w {name.replace('/', '.')}=1)"
            )
    return warnings


def _keep_router_advertisements() -> None:
    """A router ignores other routers' advertisements, unless told so (accept_ra 2): the default route would go."""
    for interface in posix.listdir("/proc/sys/net/ipv6/conf"):
        name = f"net/ipv6/conf/{interface}/accept_ra"
        if interface != "all" and read_setting(name) == "1":
            write_setting(name, "2")
