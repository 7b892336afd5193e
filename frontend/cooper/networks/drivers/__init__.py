"""What makes and removes a network's links: one module per driver, or an entry point of a plug-in.

A plug-in names an object with the functions of `Driver` under the entry-point group ``cooper.network_drivers``; the
entry point's name is the driver's. Addresses, routes, names and records are not a driver's business.
docs/network-drivers.md has a whole one.
"""

from __future__ import annotations

from cooper.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from cooper.networks.netlink import Netlink
    from cooper.networks.store import Endpoint, Network

    class Driver(Protocol):
        """The interface. Every function may be called again after it was killed half-way."""

        # Whether the network rests on a bridge of the host, to be filtered and translated by our rules.
        FILTERED: bool

        def check(self, network: Network) -> None:
            """The network can be made on this host; fills in what was left to the driver.

            Raises: Error.
            """

        def is_up(self, network: Network) -> bool:
            """Whether what `up` makes is there, as far as a glance can tell."""

        def up(self, network: Network, netlink: Netlink) -> None:
            """The network's interfaces on the host exist, with their addresses."""

        def down(self, network: Network, netlink: Netlink) -> None:
            """They do not."""

        def plug(self, network: Network, endpoint: Endpoint, netlink: Netlink, namespace: int) -> None:
            """An interface of the endpoint's name and Ethernet address is in the namespace (a descriptor), down.

            `netlink` acts on the host's network.
            """

        def unplug(self, network: Network, endpoint: Endpoint, netlink: Netlink, namespace: str) -> None:
            """It is not; the namespace (a path) may be gone."""


class NoDriver(Error):
    """There is no such driver, or no longer."""


GROUP = "cooper.network_drivers"
OWN = ("bridge", "macvlan")


def load(name: str) -> Driver:
    """The driver of that name.

    Raises: NoDriver; Error if a plug-in cannot be imported.
    """
    if name in OWN:
        driver: Driver = __import__(f"cooper.networks.drivers.{name}", fromlist=(name,))
        return driver
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=name):
        try:
            plugin: Driver = entry.load()
        except Exception as error:
            raise Error(f"load the network driver {name} ({entry.value}): {error}") from error
        return plugin
    raise NoDriver(f"there is no network driver {name}", f"{', '.join(OWN)}, or install a plug-in")


def is_filtered(name: str) -> bool:
    """`FILTERED` of the driver: networks of a plug-in that is gone stay filtered, and others' are not kept from working."""
    try:
        return load(name).FILTERED
    except NoDriver:
        return True
