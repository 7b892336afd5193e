"""What `cooper network` does: networks are created, listed, removed, and put right."""

from __future__ import annotations

import posix

from cooper.errors import Conflict, UsageError
from cooper.networks import drivers, firewall, forwarding, host, pool
from cooper.networks.addresses import Subnet, format_address, parse, parse_subnet
from cooper.networks.attach import Lock, apply_rules, bring_up, filtered, repair, update_names
from cooper.networks.netlink import Netlink, index_of
from cooper.networks.requests import DEFAULT, HOST, NONE
from cooper.networks.store import MAKING, READY, Lease, Network, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cooper.settings import Settings
    from cooper.state.database import Database

    JSON = dict[str, Any]

RESERVED = (HOST, NONE, "bridge", "container")
REMOVING = "removing"
NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
DEFAULT_INTERFACE = "cooper"
# What `--network` takes besides networks: nothing is recorded of them, or ever made.
BUILT_IN = (Network(HOST, HOST, "host", "", state=READY), Network(NONE, NONE, "null", "", state=READY))
MTU_OPTIONS = ("mtu", "com.docker.network.driver.mtu")


class Specification:
    """A network to be.

    Attributes:
        subnets, gateways, ranges: as written; at most one subnet per family, a gateway or range in one of them.
        ipv6: whether it has an IPv6 subnet, chosen if none is named.
        options: the driver's; "parent" and "mtu" are read here.
    """

    __slots__ = ("name", "driver", "subnets", "gateways", "ranges", "internal", "ipv6", "options", "labels")

    def __init__(
        self,
        name: str,
        driver: str = "bridge",
        subnets: Sequence[str] = (),
        gateways: Sequence[str] = (),
        ranges: Sequence[str] = (),
        internal: bool = False,
        ipv6: bool = False,
        options: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.driver = driver
        self.subnets = tuple(subnets)
        self.gateways = tuple(gateways)
        self.ranges = tuple(ranges)
        self.internal = internal
        self.ipv6 = ipv6
        self.options = options or {}
        self.labels = labels or {}


def create(database: Database, settings: Settings, wanted: Specification) -> tuple[Network, list[str]]:
    """The network exists, with its interface and rules; returns it with warnings.

    Raises: UsageError, Conflict (the name is taken, or a route leads to the subnet), Error.
    """
    check_name(wanted.name)
    store = Store(database, settings)
    with Lock(settings):
        repair(store)
        return _create(store, wanted)


def make_default(store: Store) -> Network:
    """The default network exists, made by the first container that asks for it. Under the lock."""
    return _create(store, Specification(DEFAULT))[0]


def remove(database: Database, settings: Settings, name: str, force: bool = False) -> Network:
    """The network is gone, with all that was made for it; its containers are disconnected first with `force`.

    Raises: NotFound; Conflict if containers are connected to it.
    """
    store = Store(database, settings)
    with Lock(settings):
        repair(store)
        if name in (HOST, NONE):
            raise Conflict(f"{name} is no network that was created: it cannot be removed")
        network = store.network(name)
        endpoints = store.endpoints("network", network.id)
        if endpoints and not force:
            names = [_container_name(store, endpoint.container) for endpoint in endpoints]
            raise Conflict(
                f"network {network.name} is in use by {', '.join(names)}", "disconnect them, or use --force"
            )
        if endpoints:
            from cooper.networks.attach import unplug

            for endpoint in endpoints:
                connected = store.container(endpoint.container)
                unplug(store, connected.namespace if connected else "", [endpoint])
        store.set_network_state(network.id, REMOVING)
        remove_made(store, network)
        return network


def prune(database: Database, settings: Settings, among: Sequence[str] | None = None) -> list[str]:
    """Networks without containers are gone; returns their names.

    Args:
        among: only those of these ids; None is any.
    """
    store = Store(database, settings)
    removed = []
    with Lock(settings):
        repair(store)
        for network in store.networks():
            if (among is None or network.id in among) and not store.endpoints("network", network.id):
                store.set_network_state(network.id, REMOVING)
                remove_made(store, network)
                removed.append(network.name)
    return removed


def reload(database: Database, settings: Settings) -> list[str]:
    """Interfaces, rules and names are as they should be, whatever was removed behind our back; returns warnings."""
    store = Store(database, settings)
    with Lock(settings):
        repair(store)
        apply_rules(store)
        warnings = bring_up(store, store.networks())
        warnings += _let_through(filtered(store))
        warnings += update_names(store)
    return list(dict.fromkeys(warnings))


def inspect(store: Store, name: str) -> JSON:
    """What there is to know about a network, in the form of docker's `network inspect`.

    Raises: NotFound.
    """
    from cooper.containers.inspection import timestamp

    network = next((each for each in BUILT_IN if each.name == name), None) or store.network(name)
    endpoints = {}
    for endpoint in store.endpoints("network", network.id):
        lengths = {lease.subnet.family: lease.subnet.length for lease in network.subnets}
        written = {"IPv4Address": "", "IPv6Address": ""}
        for address in endpoint.addresses:
            family = 6 if ":" in address else 4
            written[f"IPv{family}Address"] = f"{address}/{lengths[family]}"
        endpoints[endpoint.container] = {
            "Name": _container_name(store, endpoint.container),
            "Interface": endpoint.interface,
            "HostInterface": endpoint.host_interface,
            "MacAddress": endpoint.mac,
            **written,
            "Aliases": list(endpoint.aliases),
        }
    configuration = []
    for lease in network.subnets:
        entry = {"Subnet": str(lease.subnet)}
        if lease.gateway:
            entry["Gateway"] = lease.gateway
        if lease.range != lease.subnet:
            entry["IPRange"] = str(lease.range)
        configuration.append(entry)
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": timestamp(int(network.created * 1e9)),
        "Scope": "local",
        "Driver": network.driver,
        "Interface": network.interface,
        "Parent": network.parent,
        "MTU": network.mtu,
        "EnableIPv6": any(lease.subnet.family == 6 for lease in network.subnets),
        "IPAM": {"Config": configuration},
        "Internal": network.internal,
        "Containers": endpoints,
        "Options": network.options,
        "Labels": network.labels,
    }


def check_name(name: str) -> None:
    """It can name a network.

    Raises: UsageError.
    """
    if not name or name[0] in "_.-" or not NAME_LETTERS.issuperset(name) or len(name) > 128:
        raise UsageError(f"{name!r} cannot be a network's name: letters, digits, and after the first _ . -")
    if name in RESERVED:
        raise UsageError(f"{name} cannot be a network's name: --network {name} means something else")


# Steps. The caller holds the lock.


def make(store: Store, network: Network) -> list[str]:
    """The network's interfaces exist and the rules let its containers through; returns warnings."""
    driver = drivers.load(network.driver)
    store.set_network_state(network.id, MAKING)
    with Netlink() as netlink:
        driver.down(network, netlink)
        driver.up(network, netlink)
    warnings: list[str] = []
    if driver.FILTERED:
        if not network.internal:
            warnings += host.enable_forwarding({lease.subnet.family for lease in network.subnets})
        apply_rules(store)
        warnings += _let_through([network])
    store.set_network_state(network.id, READY)
    network.state = READY
    return warnings


def remove_made(store: Store, network: Network) -> None:
    """Whatever was made for the network is gone, then forgotten."""
    driver = drivers.load(network.driver)
    with Netlink() as netlink:
        driver.down(network, netlink)
    if driver.FILTERED:
        forwarding.close(network.interface)
        apply_rules(store)
    store.remove_network(network.id)


def _create(store: Store, wanted: Specification) -> tuple[Network, list[str]]:
    driver = drivers.load(wanted.driver)
    identity = posix.urandom(32).hex()
    options = dict(wanted.options)
    parent = options.pop("parent", "")
    mtu = _mtu([options.pop(name, "") for name in MTU_OPTIONS])
    interface = f"cn-{identity[:12]}"
    if wanted.name == DEFAULT:
        # What people and their firewalls' rules know it by.
        interface = next(
            name for name in (f"{DEFAULT_INTERFACE}{n}" for n in range(1000)) if not index_of(name)
        )
    network = Network(
        identity, wanted.name, wanted.driver, interface, parent, wanted.internal, mtu, options, wanted.labels,
        _now(), MAKING, _leases(store, wanted, driver.FILTERED),
    )  # fmt: skip
    driver.check(network)
    store.add_network(network)
    try:
        return network, make(store, network)
    except BaseException:
        store.set_network_state(network.id, REMOVING)
        remove_made(store, network)
        raise


def _leases(store: Store, wanted: Specification, chosen: bool) -> list[Lease]:
    """The subnets with gateways and ranges, checked against each other, the other networks and the routes."""
    subnets = [_read(parse_subnet, text, "--subnet") for text in wanted.subnets]
    families = [subnet.family for subnet in subnets]
    if len(set(families)) < len(families):
        raise UsageError("a network has at most one subnet of each family")
    with Netlink() as netlink:
        routes = host.routes(netlink)
    taken = [lease.subnet for network in store.networks() for lease in network.subnets]
    if chosen:
        for subnet in subnets:
            _refuse_clash(store, subnet, routes)
        if 4 not in families and not (subnets and not wanted.ipv6 and families == [6]):
            subnets.insert(0, pool.choose_subnet(taken, routes))
        if wanted.ipv6 and 6 not in families:
            subnets.append(pool.choose_ipv6_subnet(posix.urandom(5)))
    subnets.sort(key=lambda subnet: subnet.family)
    for subnet in subnets:
        if subnet.host_bits < 2:
            raise UsageError(f"--subnet {subnet} has no room for a gateway and a container")
    gateways = [_read(parse, text, "--gateway") for text in wanted.gateways]
    ranges = [_read(parse_subnet, text, "--ip-range") for text in wanted.ranges]
    leases = []
    for subnet in subnets:
        first = format_address(subnet.family, subnet.first + 1)
        lease = Lease(subnet, first, subnet)
        for family, number in gateways:
            if family == subnet.family and subnet.holds(number):
                lease.gateway = format_address(family, number)
        for among in ranges:
            if among.family == subnet.family and subnet.holds(among.first) and subnet.holds(among.last):
                lease.range = among
        leases.append(lease)
    for text, (family, number) in zip(wanted.gateways, gateways, strict=True):
        if format_address(family, number) not in [lease.gateway for lease in leases]:
            raise UsageError(f"--gateway {text} is in none of the network's subnets, or is the second in one")
    for among in ranges:
        if among not in [lease.range for lease in leases]:
            raise UsageError(
                f"--ip-range {among} is in none of the network's subnets, or is the second in one"
            )
    return leases


def _refuse_clash(store: Store, subnet: Subnet, routes: Sequence[pool.Route]) -> None:
    for network in store.networks():
        for lease in network.subnets:
            if lease.subnet.overlaps(subnet):
                raise Conflict(f"the subnet {subnet} overlaps {lease.subnet} of network {network.name}")
    route = pool.clash(subnet, routes)
    if route is not None:
        raise Conflict(
            f"the subnet {subnet} overlaps a route of this host: {route.text}",
            "choose another, or leave --subnet away",
        )


def _let_through(networks: Sequence[Network]) -> list[str]:
    """The host's own firewall lets the networks' packets pass, or warnings say what does not."""
    outward = [network for network in networks if not network.internal]
    return forwarding.open_for(outward, firewall.foreign_chains()) if outward else []


def _mtu(values: Sequence[str]) -> int:
    for value in values:
        if value and not (value.isascii() and value.isdigit() and 68 <= int(value) <= 65535):
            raise UsageError(f"--opt mtu={value}: not a number from 68 to 65535")
    return int(next((value for value in values if value), "0"))


def _read(parser: Any, text: str, flag: str) -> Any:
    try:
        return parser(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from error


def _container_name(store: Store, container: str) -> str:
    connected = store.container(container)
    return connected.name if connected and connected.name else container[:12]


def _now() -> float:
    import time

    return time.time()
