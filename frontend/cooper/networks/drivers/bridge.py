"""A bridge on the host, and for each container a pair of interfaces: one in it, the other a port of the bridge."""

from __future__ import annotations

from cooper.networks.host import set_interface
from cooper.networks.links import add_address, add_veth, delete_link, set_hairpin, set_up
from cooper.networks.netlink import index_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cooper.networks.netlink import Netlink
    from cooper.networks.store import Endpoint, Network

FILTERED = True


def check(network: Network) -> None:
    """The uplink's MTU is the bridge's, or packets would vanish in a tunnel with a smaller one."""
    from cooper.errors import Conflict, UsageError
    from cooper.networks.host import uplink_mtu

    if network.parent:
        raise UsageError("a bridge network rests on no interface", "--driver macvlan takes --opt parent=")
    if index_of(network.interface):
        raise Conflict(f"there is an interface {network.interface} already")
    network.mtu = network.mtu or uplink_mtu()


def is_up(network: Network) -> bool:
    """Whether there is the bridge."""
    return index_of(network.interface) != 0


def up(network: Network, netlink: Netlink) -> None:
    """The bridge has its addresses and settings, then comes up."""
    from cooper.networks.rtnl import add_link

    name = network.interface
    # An address of its own: otherwise it would change with the ports, and neighbours would lose it.
    mac = f"02:{':'.join(network.id[at : at + 2] for at in range(0, 10, 2))}"
    netlink.send([add_link(name, "bridge", (), [("IFLA_ADDRESS", mac), ("IFLA_MTU", network.mtu)])])
    families = {lease.subnet.family for lease in network.subnets}
    set_interface(6, name, "disable_ipv6", "0" if 6 in families else "1")
    set_interface(6, name, "accept_ra", "0")
    # Connections to 127.0.0.1 may be led here; the rules see to it that nobody else's are.
    set_interface(4, name, "route_localnet", "1")
    index = index_of(name)
    addresses = [
        add_address(name, index, lease.subnet.family, lease.gateway, lease.subnet.length)
        for lease in network.subnets
        if lease.gateway
    ]
    netlink.send([set_up(name, index), *addresses])


def down(network: Network, netlink: Netlink) -> None:
    """The bridge is gone, with its addresses and routes."""
    netlink.send([delete_link(network.interface)])


def plug(network: Network, endpoint: Endpoint, netlink: Netlink, namespace: int) -> None:
    """Both interfaces of the pair are made by one message, the container's where it belongs."""
    text = f"connect {endpoint.interface} of the container to {network.interface}"
    bridge = index_of(network.interface)
    requests = [
        add_veth(
            endpoint.host_interface, bridge, network.mtu, endpoint.interface, endpoint.mac, namespace, text
        )
    ]
    if endpoint.published:
        # To its own published port: with bridge-nf-call-iptables the packet is translated while it is being bridged.
        requests.append(set_hairpin(endpoint.host_interface))
    netlink.send(requests)


def unplug(network: Network, endpoint: Endpoint, netlink: Netlink, namespace: str) -> None:
    """One interface of a pair takes the other with it."""
    netlink.send([delete_link(endpoint.host_interface)])
