"""A container is connected to networks and disconnected from them.

::

    lock
      remove what a killed command left (`repair`)
      record the container, its addresses and ports                 one transaction
      bridges that are missing                                      drivers
      sockets that hold the ports                                   proxy
      interfaces, addresses, routes                                 drivers, netlink
      rules                                                         firewall
      names                                                         names
      record that it is made

One lock for all of it: the kernel's own lock for network changes would make them queue anyhow.
"""

from __future__ import annotations

import posix

from cooper.errors import Conflict, Error, UsageError
from cooper.networks import drivers, files, firewall, names, namespaces, processes, proxy
from cooper.networks.addresses import parse
from cooper.networks.host import set_interface
from cooper.networks.links import add_address, add_default_route, set_up
from cooper.networks.netlink import Netlink, Request, index_of
from cooper.networks.requests import DEFAULT, DNS, Port
from cooper.networks.rules import Bridge, Published
from cooper.networks.store import MAKING, READY, Connected, Endpoint, Network, Store
from cooper.settings import make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Collection, Sequence

    from cooper.networks.requests import NetworkRequest, PortRequest
    from cooper.settings import Settings
    from cooper.state.database import Database

# IFNAMSIZ without the NUL.
NAME_BYTES = 15


class Attachment:
    """What a container got.

    Attributes:
        endpoints: in the order of the requests; with networks, by the endpoint's `network`.
        ports: as they are published.
        hosts: the text of /etc/hosts.
        resolv_conf: the text of /etc/resolv.conf.
        warnings: what does not work as one may expect, one line each.
    """

    __slots__ = ("endpoints", "networks", "ports", "hosts", "resolv_conf", "warnings")

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        networks: dict[str, Network],
        ports: Sequence[Port],
        hosts: str,
        resolv_conf: str,
        warnings: Sequence[str],
    ) -> None:
        self.endpoints = tuple(endpoints)
        self.networks = networks
        self.ports = tuple(ports)
        self.hosts = hosts
        self.resolv_conf = resolv_conf
        self.warnings = list(warnings)


class Lock:
    """A context in which no other command changes networks."""

    __slots__ = ("_settings", "_descriptor")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._descriptor = -1

    def __enter__(self) -> None:
        import fcntl

        make_directory(self._settings.run)
        path = f"{self._settings.run}/networks.lock"
        self._descriptor = posix.open(path, posix.O_CREAT | posix.O_RDWR | posix.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *details: object) -> None:
        posix.close(self._descriptor)


def attach(
    database: Database,
    settings: Settings,
    container: str,
    name: str,
    namespace: str,
    requests: Sequence[NetworkRequest],
    ports: Sequence[PortRequest] = (),
    dns: DNS | None = None,
    added_hosts: Sequence[tuple[str, str]] = (),
    hostname: str = "",
) -> Attachment:
    """The container, which has just been made, is on the networks, its ports are published and its name is known.

    Args:
        container: its id.
        name: its name, which others find it by.
        namespace: the path of its network namespace, which has nothing but a loopback interface.
        hostname: its host name; its name or the first part of its id without one.

    Raises: Error; nothing is left then.
    """
    store = Store(database, settings)
    dns = dns or DNS()
    with Lock(settings):
        repair(store)
        if store.container(container):
            raise Conflict(f"container {container[:12]} is connected already")
        networks = [_find(store, request.name) for request in requests]
        if len({network.id for network in networks}) < len(networks):
            raise UsageError("a network is asked for twice, by its name and its id")
        connected = Connected(container, name, namespace, dns.servers)
        held: list[tuple[socket, Published]] = []
        try:
            with database.transaction():
                store.add_container(connected)
                endpoints = [
                    _record(store, container, network, request, number)
                    for number, (network, request) in enumerate(zip(networks, requests, strict=True))
                ]
            warnings = bring_up(store, networks)
            published = _publish(store, container, ports, endpoints, networks, held)
            for endpoint in endpoints:
                endpoint.published = bool(published)
            _plug(namespace, endpoints, networks)
            if published or not firewall.is_there(table_name(settings)):
                apply_rules(store)
            _forget_flows([each.port for each in published])
            if held:
                proxy.start(held, lambda pid: store.set_proxy(container, processes.identity(pid)))
            warnings += update_names(store)
            store.set_ready(container)
        except BaseException:
            _undo(store, container)
            raise
        finally:
            for each, _ in held:
                each.close()
    gateways = [lease.gateway for network in networks if not network.internal for lease in network.subnets]
    own = [address for endpoint in endpoints for address in endpoint.addresses]
    resolver = files.read_host_resolver()
    return Attachment(
        endpoints,
        {network.id: network for network in networks},
        [each.port for each in published],
        files.hosts(
            [hostname or name or container[:12], name], own, [each for each in gateways if each], added_hosts
        ),
        files.resolv_conf(resolver, dns, name_servers(networks) or files.upstream_servers(resolver, dns)),
        warnings,
    )


def detach(database: Database, settings: Settings, container: str) -> None:
    """Nothing is left of the container's connections, its network namespace included. It need not have any."""
    store = Store(database, settings)
    with Lock(settings):
        repair(store)
        if store.container(container):
            _undo(store, container)
    namespaces.remove(settings, container)


def connect(database: Database, settings: Settings, container: str, request: NetworkRequest) -> Endpoint:
    """The connected container is on one more network.

    Raises: Conflict if it is on it already, or shares another's namespace or the host's.
    """
    store = Store(database, settings)
    with Lock(settings):
        repair(store)
        connected = store.container(container)
        if connected is None:
            raise Conflict(f"container {container[:12]} has no networks of its own, or does not run")
        network = _find(store, request.name)
        taken = store.endpoints("container", container)
        if any(endpoint.network == network.id for endpoint in taken):
            raise Conflict(f"container {container[:12]} is on network {network.name} already")
        numbers = {endpoint.interface for endpoint in taken}
        number = next(each for each in range(len(taken) + 1) if f"eth{each}" not in numbers)
        with database.transaction():
            endpoint = _record(store, container, network, request, number)
        try:
            bring_up(store, [network])
            endpoint.published = bool(store.ports(container))
            _plug(connected.namespace, [endpoint], [network])
            if not firewall.is_there(table_name(settings)):
                apply_rules(store)
            update_names(store)
            store.set_ready(container)
        except BaseException:
            unplug(store, connected.namespace, [endpoint])
            raise
    return endpoint


def disconnect(database: Database, settings: Settings, container: str, name: str) -> None:
    """The container is no longer on the network. Its published ports lead to another of its networks, if they can.

    Raises: NotFound for the network; Conflict if the container is not on it.
    """
    store = Store(database, settings)
    with Lock(settings):
        repair(store)
        network = store.network(name)
        endpoints = [each for each in store.endpoints("container", container) if each.network == network.id]
        connected = store.container(container)
        if not endpoints or connected is None:
            raise Conflict(f"container {container[:12]} is not on network {network.name}")
        unplug(store, connected.namespace, endpoints)


def repair(store: Store) -> None:
    """What killed commands left half made is gone. The caller holds the lock, so no living one is at it."""
    for connected in store.containers("state = ?", MAKING):
        _undo(store, connected.id)
    for endpoint in [each for each in store.endpoints() if each.state != READY]:
        found = store.container(endpoint.container)
        unplug(store, found.namespace if found else "", [endpoint])
    unfinished = store.networks("state = 'removing'")
    if unfinished:
        from cooper.networks.manage import remove_made

        for network in unfinished:
            remove_made(store, network)


def reconcile(database: Database, settings: Settings, list_alive: Callable[[], Collection[str]]) -> None:
    """Only living containers are connected; their proxies run, and the rules and names are those of the database.

    For after a reboot, or when the containers' supervisors were killed.

    Args:
        list_alive: the ids of all containers that are being created, exist in the OCI runtime, or run. It is called
            after namespaces have been looked at, and a container must be on the list before its namespace is made.
    """
    store = Store(database, settings)
    with Lock(settings):
        repair(store)
        found = {*namespaces.list_all(settings), *(connected.id for connected in store.containers())}
        for container in found.difference(list_alive()):
            _undo(store, container)
            namespaces.remove(settings, container)
        for connected in store.containers():
            if connected.proxy and not processes.is_alive(connected.proxy):
                _restart_proxy(store, connected)
        apply_rules(store)
        update_names(store)


# Steps. The caller holds the lock.


def bring_up(store: Store, networks: Sequence[Network]) -> list[str]:
    """The networks' interfaces exist, with the rules that go with them; returns warnings."""
    missing = [
        network
        for network in networks
        if network.state != READY or not drivers.load(network.driver).is_up(network)
    ]
    if not missing:
        return []
    from cooper.networks.manage import make

    return [warning for network in missing for warning in make(store, network)]


def apply_rules(store: Store) -> None:
    """The kernel's rules are those of the networks and ports in the database."""
    networks = {network.id: network for network in filtered(store)}
    bridges = [
        Bridge(
            network.interface, network.internal, [(lease.subnet, lease.gateway) for lease in network.subnets]
        )
        for network in networks.values()
    ]
    published = []
    endpoints: dict[str, list[Endpoint]] = {}
    for endpoint in store.endpoints():
        endpoints.setdefault(endpoint.container, []).append(endpoint)
    for container, port in store.ports():
        addresses = _reachable(endpoints.get(container, ()), networks)
        if addresses:
            published.append(Published(port, addresses))
    firewall.apply(table_name(store.settings), bridges, published)


def table_name(settings: Settings) -> str:
    """The name of our table: another root's has another name, as each is replaced as a whole."""
    if settings.root == "/var/lib/cooper":
        return "cooper"
    from binascii import crc32

    return f"cooper-{crc32(settings.root.encode()):08x}"


def filtered(store: Store) -> list[Network]:
    """The networks that our rules are about, as far as they have been made."""
    return [
        each for each in store.networks() if drivers.is_filtered(each.driver) and each.state != "removing"
    ]


def update_names(store: Store) -> list[str]:
    """The name server knows the containers in the database; returns warnings."""
    containers = {connected.id: connected for connected in store.containers()}
    texts = {}
    for network in filtered(store):
        endpoints = store.endpoints("network", network.id)
        if endpoints:
            name = f"{network.interface}{names.INTERNAL if network.internal else ''}"
            texts[name] = names.configuration(network, endpoints, containers)
    warning = names.update(store.settings, texts)
    return [warning] if warning else []


def name_servers(networks: Sequence[Network]) -> list[str]:
    """The addresses on which the networks' names are answered."""
    if not names.is_installed():
        return []
    return [
        lease.gateway
        for network in networks
        if drivers.is_filtered(network.driver)
        for lease in network.subnets[:1]
    ]


def unplug(store: Store, namespace: str, endpoints: Sequence[Endpoint]) -> None:
    """The endpoints are gone, then forgotten; the container's other connections stay."""
    for endpoint in endpoints:
        store.set_endpoint_making(endpoint)
    _remove_links(store, namespace, endpoints)
    for endpoint in endpoints:
        store.remove_endpoint(endpoint.container, endpoint.network)
    for container in {endpoint.container for endpoint in endpoints}:
        _keep_default_route(store, namespace, container)
    ports = [port for endpoint in endpoints for _, port in store.ports(endpoint.container)]
    if ports:
        apply_rules(store)
        _forget_flows(ports)
    update_names(store)


def _find(store: Store, name: str) -> Network:
    """The network of that name or id; the default one need not exist."""
    if name == DEFAULT and not store.networks("name = ?", (name,)):
        from cooper.networks.manage import make_default

        return make_default(store)
    return store.network(name)


def _record(store: Store, container: str, network: Network, request: NetworkRequest, number: int) -> Endpoint:
    """The endpoint is recorded, with addresses; in a transaction."""
    wanted = dict(request.addresses)
    for family, address in wanted.items():
        lease = next((each for each in network.subnets if each.subnet.family == family), None)
        if lease is None:
            raise Conflict(f"network {network.name} has no IPv{family} subnet for {address}")
        if not lease.subnet.holds(parse(address)[1]) or address == lease.gateway:
            raise Conflict(
                f"{address} is no address for a container on network {network.name} ({lease.subnet})"
            )
    interface = request.interface or f"eth{number}"
    host = f"cv-{posix.urandom(6).hex()}"[:NAME_BYTES]
    endpoint = Endpoint(container, network.id, interface, host, request.mac, request.aliases, ())
    store.add_endpoint(endpoint, network, wanted)
    if not endpoint.mac:
        endpoint.mac = _mac(endpoint)
        store.set_mac(endpoint)
    return endpoint


def _mac(endpoint: Endpoint) -> str:
    """An Ethernet address that goes with the IPv4 address: neighbours that remember the last holder are not misled."""
    for address in endpoint.addresses:
        if ":" not in address:
            octets = parse(address)[1].to_bytes(4)
            return f"02:{endpoint.network[:2]}:{octets.hex(':')}"
    return f"02:{posix.urandom(5).hex(':')}"


def _publish(
    store: Store,
    container: str,
    requests: Sequence[PortRequest],
    endpoints: Sequence[Endpoint],
    networks: Sequence[Network],
    held: list[tuple[socket, Published]],
) -> list[Published]:
    """The ports are recorded and held by sockets that are added to `held`, the caller's to close."""
    published: list[Published] = []
    if not requests:
        return published
    addresses = _reachable(endpoints, {network.id: network for network in networks})
    if not addresses:
        raise Conflict("ports can only be published on a bridge network that is not internal")
    for request in requests:
        port = Port(request.protocol, request.host_address, 0, request.container_port)
        number, sockets = proxy.reserve(request, port.host_addresses())
        port.host_ports = (number, number)
        published.append(Published(port, addresses))
        held += [(each, published[-1]) for each in sockets]
        with store.database.transaction():
            store.add_port(container, port)
    return published


def _forget_flows(ports: Sequence[Port]) -> None:
    """Clients of UDP ports are led by the rules as they are now."""
    numbers = {port.host_port for port in ports if port.protocol == "udp"}
    if numbers:
        from cooper.networks.flows import forget

        forget(numbers)


def _reachable(endpoints: Sequence[Endpoint], networks: dict[str, Network]) -> dict[int, str]:
    """family -> the container's address that published ports lead to: on its first network that lets them in."""
    found: dict[int, str] = {}
    for endpoint in endpoints:
        network = networks.get(endpoint.network)
        if network is not None and not network.internal and drivers.is_filtered(network.driver):
            for address in endpoint.addresses:
                found.setdefault(6 if ":" in address else 4, address)
    return found


def _plug(namespace: str, endpoints: Sequence[Endpoint], networks: Sequence[Network]) -> None:
    """The interfaces are in the namespace, up, with addresses and routes."""
    with Netlink() as host:
        for endpoint, network in zip(endpoints, networks, strict=True):
            descriptor = posix.open(namespace, posix.O_RDONLY | posix.O_CLOEXEC)
            try:
                drivers.load(network.driver).plug(network, endpoint, host, descriptor)
            finally:
                posix.close(descriptor)
        with namespaces.Inside(namespace), Netlink() as inside:
            for endpoint, network in zip(endpoints, networks, strict=True):
                name, index = endpoint.interface, index_of(endpoint.interface)
                families = {lease.subnet.family for lease in network.subnets}
                set_interface(6, name, "disable_ipv6", "0" if 6 in families else "1")
                set_interface(6, name, "accept_ra", "0")
                wanted = [set_up(name, index)]
                for lease, address in zip(network.subnets, endpoint.addresses, strict=True):
                    wanted.append(add_address(name, index, lease.subnet.family, address, lease.subnet.length))
                inside.send([*wanted, *_default_routes(endpoint, network)])


def _undo(store: Store, container: str) -> None:
    """Whatever was made for the container is gone, then forgotten."""
    connected = store.container(container)
    if connected is None:
        return
    # Found in this state, its rules may be there though its ports are no longer recorded.
    published = connected.state == MAKING or bool(store.ports(container))
    store.set_making(container)
    processes.end_known(connected.proxy)
    endpoints = store.endpoints("container", container)
    _remove_links(store, connected.namespace, endpoints)
    if published:
        ports = [port for _, port in store.ports(container)]
        store.database.execute("DELETE FROM network_port WHERE container = ?", (container,))
        apply_rules(store)
        _forget_flows(ports)
    for endpoint in endpoints:
        store.remove_endpoint(container, endpoint.network)
    update_names(store)
    store.remove_container(container)


def _keep_default_route(store: Store, namespace: str, container: str) -> None:
    """A container that has lost the network by which it reached the outside does so by the next that can."""
    if not posix.access(namespace, posix.F_OK):
        return
    networks = {network.id: network for network in store.networks()}
    with namespaces.Inside(namespace), Netlink() as inside:
        for endpoint in store.endpoints("container", container):
            inside.send(_default_routes(endpoint, networks[endpoint.network]))


def _default_routes(endpoint: Endpoint, network: Network) -> list[Request]:
    """By the network's gateways, where there is no default route already."""
    index = index_of(endpoint.interface)
    return [
        add_default_route(endpoint.interface, index, lease.subnet.family, lease.gateway)
        for lease in network.subnets
        if lease.gateway and not network.internal
    ]


def _remove_links(store: Store, namespace: str, endpoints: Sequence[Endpoint]) -> None:
    networks = {network.id: network for network in store.networks()}
    with Netlink() as host:
        for endpoint in endpoints:
            network = networks[endpoint.network]
            drivers.load(network.driver).unplug(network, endpoint, host, namespace)


def _restart_proxy(store: Store, connected: Connected) -> None:
    """The ports of a container whose proxy was killed are held again."""
    networks = {network.id: network for network in filtered(store)}
    addresses = _reachable(store.endpoints("container", connected.id), networks)
    held = []
    for _, port in store.ports(connected.id):
        published = Published(port, addresses)
        try:
            held += [(each, published) for each in proxy.reserve(port, port.host_addresses())[1]]
        except Error:
            continue  # somebody has taken it meanwhile; the others are still ours
    if held and addresses:
        proxy.start(held, lambda pid: store.set_proxy(connected.id, processes.identity(pid)))
    for each, _ in held:
        each.close()
