"""Each container has an interface with an Ethernet address of its own on the network of a host's interface.

The host itself cannot talk to it through that interface (ip-link(8), macvlan), and none of our rules see it.
"""

from __future__ import annotations

from cooper.errors import Error, UsageError
from cooper.networks.links import delete_link
from cooper.networks.netlink import index_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cooper.networks.netlink import Netlink
    from cooper.networks.store import Endpoint, Network

FILTERED = False
# linux/if_link.h
MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}


def check(network: Network) -> None:
    """It has a parent and a subnet, which only the user can know."""
    from cooper.networks.host import uplink

    network.parent = network.parent or uplink()
    if not network.parent:
        raise UsageError("a macvlan network rests on an interface", "--opt parent=eth0")
    if not index_of(network.parent):
        raise UsageError(f"there is no interface {network.parent}")
    if not network.subnets:
        raise UsageError(
            "a macvlan network needs the subnet of its parent", "--subnet, and --ip-range for a part"
        )
    if network.internal:
        raise UsageError(
            f"a macvlan network cannot be internal: whatever is beyond {network.parent} is on it"
        )
    if network.options.get("mode", "bridge") not in MODES:
        raise UsageError(f"the mode {network.options['mode']} is none of {', '.join(MODES)}")


def is_up(network: Network) -> bool:
    """Nothing is made on the host."""
    return True


def up(network: Network, netlink: Netlink) -> None:
    """The parent is there."""
    if not index_of(network.parent):
        raise Error(f"network {network.name}: there is no interface {network.parent}")


def down(network: Network, netlink: Netlink) -> None:
    """Nothing was made."""


def plug(network: Network, endpoint: Endpoint, netlink: Netlink, namespace: int) -> None:
    """The interface is made in the namespace."""
    from cooper.networks.rtnl import add_link

    parent = index_of(network.parent)
    if not parent:
        raise Error(f"network {network.name}: there is no interface {network.parent}")
    mode = MODES[network.options.get("mode", "bridge")]
    attributes = [("IFLA_LINK", parent), ("IFLA_ADDRESS", endpoint.mac), ("IFLA_NET_NS_FD", namespace)]
    if network.mtu:
        attributes.append(("IFLA_MTU", network.mtu))
    data = [("IFLA_MACVLAN_MODE", mode)]
    netlink.send([add_link(endpoint.interface, "macvlan", data, attributes)])


def unplug(network: Network, endpoint: Endpoint, netlink: Netlink, namespace: str) -> None:
    """The interface is removed from within; with the namespace it has gone by itself."""
    import posix

    from cooper.networks.namespaces import Inside
    from cooper.networks.netlink import Netlink as Socket

    if not posix.access(namespace, posix.F_OK):
        return
    with Inside(namespace), Socket() as inside:
        inside.send([delete_link(endpoint.interface)])
