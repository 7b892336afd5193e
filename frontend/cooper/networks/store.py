"""The tables of networks, and what is read from and written to them.

A row is written before the thing that it describes is made, with the state MAKING, and is READY afterwards.
"""

from __future__ import annotations

from cooper.errors import Conflict, NotFound
from cooper.networks.addresses import Subnet, parse_subnet
from cooper.networks.pool import choose_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cooper.networks.requests import Port
    from cooper.settings import Settings
    from cooper.state.database import Database

MAKING, READY = "making", "ready"

TABLES = (
    """
    CREATE TABLE network (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL, interface TEXT NOT NULL UNIQUE,
        parent TEXT NOT NULL, internal INTEGER NOT NULL, mtu INTEGER NOT NULL, options TEXT NOT NULL,
        labels TEXT NOT NULL, created REAL NOT NULL, state TEXT NOT NULL
    );
    CREATE TABLE network_subnet (
        network TEXT NOT NULL REFERENCES network ON DELETE CASCADE, family INTEGER NOT NULL,
        subnet TEXT NOT NULL, gateway TEXT NOT NULL, range TEXT NOT NULL, last TEXT NOT NULL,
        PRIMARY KEY (network, family)
    );
    CREATE TABLE network_container (
        container TEXT PRIMARY KEY, name TEXT NOT NULL, namespace TEXT NOT NULL, servers TEXT NOT NULL,
        proxy TEXT NOT NULL, state TEXT NOT NULL
    );
    CREATE TABLE network_endpoint (
        container TEXT NOT NULL REFERENCES network_container ON DELETE CASCADE,
        network TEXT NOT NULL REFERENCES network, interface TEXT NOT NULL, host_interface TEXT NOT NULL UNIQUE,
        mac TEXT NOT NULL, aliases TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (container, network)
    );
    CREATE TABLE network_address (
        network TEXT NOT NULL, address TEXT NOT NULL, container TEXT NOT NULL, PRIMARY KEY (network, address),
        FOREIGN KEY (container, network) REFERENCES network_endpoint ON DELETE CASCADE
    );
    CREATE TABLE network_port (
        container TEXT NOT NULL REFERENCES network_container ON DELETE CASCADE, protocol TEXT NOT NULL,
        host_address TEXT NOT NULL, host_port INTEGER NOT NULL, container_port INTEGER NOT NULL,
        PRIMARY KEY (protocol, host_address, host_port)
    )
    """,
)


class Lease:
    """One subnet of a network."""

    __slots__ = ("subnet", "gateway", "range", "last")

    def __init__(self, subnet: Subnet, gateway: str, among: Subnet, last: str = "") -> None:
        self.subnet = subnet
        self.gateway = gateway
        self.range = among
        self.last = last


class Network:
    """One network.

    Attributes:
        interface: the bridge, or "" for a driver that has no interface of its own.
        parent: the host's interface that it rests on, or "".
        mtu: bytes, 0 for the driver's choice.
        subnets: at most one per family.
    """

    __slots__ = (
        "id", "name", "driver", "interface", "parent", "internal", "mtu", "options", "labels", "created", "state",
        "subnets",
    )  # fmt: skip

    def __init__(
        self,
        identity: str,
        name: str,
        driver: str,
        interface: str,
        parent: str = "",
        internal: bool = False,
        mtu: int = 0,
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        created: float = 0.0,
        state: str = MAKING,
        subnets: Sequence[Lease] = (),
    ) -> None:
        self.id = identity
        self.name = name
        self.driver = driver
        self.interface = interface
        self.parent = parent
        self.internal = internal
        self.mtu = mtu
        self.options = dict(options or {})
        self.labels = dict(labels or {})
        self.created = created
        self.state = state
        self.subnets = list(subnets)


class Endpoint:
    """A container's place on a network.

    Attributes:
        addresses: of the container, at most one per family.
        published: whether the container has published ports; known while it is being connected.
    """

    __slots__ = (
        "container", "network", "interface", "host_interface", "mac", "aliases", "addresses", "state", "published",
    )  # fmt: skip

    def __init__(
        self,
        container: str,
        network: str,
        interface: str,
        host_interface: str,
        mac: str,
        aliases: Sequence[str],
        addresses: Sequence[str],
        state: str = MAKING,
    ) -> None:
        self.container = container
        self.network = network
        self.interface = interface
        self.host_interface = host_interface
        self.mac = mac
        self.aliases = tuple(aliases)
        self.addresses = tuple(addresses)
        self.state = state
        self.published = False


class Connected:
    """A container with its own network namespace that is connected to networks.

    Attributes:
        namespace: the path of its network namespace.
        servers: name servers that were asked for.
        proxy: the process that serves its published ports, as of `processes.identity`, or "".
    """

    __slots__ = ("id", "name", "namespace", "servers", "proxy", "state")

    def __init__(
        self,
        identity: str,
        name: str,
        namespace: str,
        servers: Sequence[str] = (),
        proxy: str = "",
        state: str = MAKING,
    ) -> None:
        self.id = identity
        self.name = name
        self.namespace = namespace
        self.servers = tuple(servers)
        self.proxy = proxy
        self.state = state


class Store:
    """The networks of one database, with the settings that say where their files are."""

    __slots__ = ("database", "settings")

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings
        database.ensure("networks", TABLES)

    # Networks

    def add_network(self, network: Network) -> None:
        """It is recorded.

        Raises: Conflict if the name or the interface is taken.
        """
        from ocispec.jsontext import dumps

        with self.database.transaction():
            if self.database.first("SELECT 1 FROM network WHERE name = ?", (network.name,)):
                raise Conflict(f"a network {network.name} exists already")
            self.database.execute(
                "INSERT INTO network VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    network.id, network.name, network.driver, network.interface, network.parent,
                    network.internal, network.mtu, dumps(network.options), dumps(network.labels),
                    network.created, network.state,
                ),
            )  # fmt: skip
            for lease in network.subnets:
                self.database.execute(
                    "INSERT INTO network_subnet VALUES (?, ?, ?, ?, ?, '')",
                    (network.id, lease.subnet.family, str(lease.subnet), lease.gateway, str(lease.range)),
                )

    def networks(self, where: str = "1", values: Sequence[str] = ()) -> list[Network]:
        """All networks, or those that the condition selects, by age."""
        from ocispec.jsontext import loads

        found = []
        for row in self.database.query(f"SELECT * FROM network WHERE {where} ORDER BY created", values):
            options, labels = loads(row[7].encode()), loads(row[8].encode())
            assert isinstance(options, dict) and isinstance(labels, dict)
            network = Network(
                row[0], row[1], row[2], row[3], row[4], bool(row[5]), row[6], options, labels, row[9], row[10]
            )
            for subnet, gateway, among, last in self.database.query(
                "SELECT subnet, gateway, range, last FROM network_subnet WHERE network = ? ORDER BY family",
                (network.id,),
            ):
                network.subnets.append(Lease(parse_subnet(subnet), gateway, parse_subnet(among), last))
            found.append(network)
        return found

    def network(self, name: str) -> Network:
        """The network of that name, or id, or unambiguous beginning of an id.

        Raises: NotFound.
        """
        found = self.networks("name = ?", (name,))
        if not found and name:
            found = self.networks("substr(id, 1, length(?1)) = ?1", (name,))
        if len(found) != 1:
            raise NotFound(f"{'several networks begin with' if found else 'there is no network'} {name}")
        return found[0]

    def set_network_state(self, identity: str, state: str) -> None:
        """Its state is recorded."""
        self.database.execute("UPDATE network SET state = ? WHERE id = ?", (state, identity))

    def remove_network(self, identity: str) -> None:
        """It is forgotten, with its subnets."""
        self.database.execute("DELETE FROM network WHERE id = ?", (identity,))

    # Containers and their endpoints

    def add_container(self, container: Connected) -> None:
        """The container is recorded as being connected."""
        self.database.execute(
            "INSERT INTO network_container VALUES (?, ?, ?, ?, ?, ?)",
            (
                container.id, container.name, container.namespace, " ".join(container.servers), container.proxy,
                container.state,
            ),
        )  # fmt: skip

    def container(self, container: str) -> Connected | None:
        """The container, None for one that is not connected."""
        found = self.containers("container = ?", container)
        return found[0] if found else None

    def containers(self, where: str = "1", value: str = "") -> list[Connected]:
        """All that are connected, or those that the condition selects."""
        rows = self.database.query(
            f"SELECT * FROM network_container WHERE {where}", (value,) if value else ()
        )
        return [Connected(row[0], row[1], row[2], row[3].split(), row[4], row[5]) for row in rows]

    def set_proxy(self, container: str, proxy: str) -> None:
        """The process of its proxy is recorded, as of `processes.identity`."""
        self.database.execute(
            "UPDATE network_container SET proxy = ? WHERE container = ?", (proxy, container)
        )

    def set_making(self, container: str) -> None:
        """The container is about to be disconnected: who finds it like that finishes it."""
        self.database.execute(
            "UPDATE network_container SET state = ? WHERE container = ?", (MAKING, container)
        )

    def set_endpoint_making(self, endpoint: Endpoint) -> None:
        """The same for one of its endpoints."""
        self.database.execute(
            "UPDATE network_endpoint SET state = ? WHERE container = ? AND network = ?",
            (MAKING, endpoint.container, endpoint.network),
        )

    def set_mac(self, endpoint: Endpoint) -> None:
        """The endpoint's Ethernet address is recorded."""
        self.database.execute(
            "UPDATE network_endpoint SET mac = ? WHERE container = ? AND network = ?",
            (endpoint.mac, endpoint.container, endpoint.network),
        )

    def set_ready(self, container: str) -> None:
        """What was recorded of the container has been made."""
        with self.database.transaction():
            for table in ("network_container", "network_endpoint"):
                self.database.execute(f"UPDATE {table} SET state = ? WHERE container = ?", (READY, container))

    def remove_container(self, container: str) -> None:
        """It is forgotten with its endpoints, addresses and ports."""
        self.database.execute("DELETE FROM network_container WHERE container = ?", (container,))

    def add_endpoint(self, endpoint: Endpoint, network: Network, wanted: Mapping[int, str]) -> None:
        """It is recorded with its addresses, chosen here where none was wanted, and has them.

        Must be called in a transaction, as it reads before it writes.

        Args:
            wanted: family -> address.

        Raises: Conflict: an address is taken or none is left.
        """
        self.database.execute(
            "INSERT INTO network_endpoint VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                endpoint.container, endpoint.network, endpoint.interface, endpoint.host_interface, endpoint.mac,
                " ".join(endpoint.aliases), endpoint.state,
            ),
        )  # fmt: skip
        rows = self.database.query(
            "SELECT address, container FROM network_address WHERE network = ?", (network.id,)
        )
        taken = dict(rows)
        addresses = []
        for lease in network.subnets:
            address = wanted.get(lease.subnet.family, "")
            if address in taken:
                raise Conflict(
                    f"the address {address} of network {network.name} is in use by {taken[address][:12]}"
                )
            if not address:
                address = choose_address(lease.subnet, lease.range, taken, lease.gateway, lease.last)
                if not address:
                    raise Conflict(
                        f"every address in {lease.range} of network {network.name} is in use",
                        "remove containers, or make a larger network",
                    )
                self.database.execute(
                    "UPDATE network_subnet SET last = ? WHERE network = ? AND family = ?",
                    (address, network.id, lease.subnet.family),
                )
            self.database.execute(
                "INSERT INTO network_address VALUES (?, ?, ?)", (network.id, address, endpoint.container)
            )
            addresses.append(address)
        endpoint.addresses = tuple(addresses)

    def endpoints(self, column: str = "", value: str = "") -> list[Endpoint]:
        """All endpoints, or those of a "container" or "network"."""
        addresses: dict[tuple[str, str], list[str]] = {}
        for network, address, container in self.database.query(
            "SELECT network, address, container FROM network_address ORDER BY instr(address, ':')"
        ):
            addresses.setdefault((container, network), []).append(address)
        condition = f"WHERE {column} = ?" if column else ""
        rows = self.database.query(
            f"SELECT * FROM network_endpoint {condition} ORDER BY rowid", (value,) if column else ()
        )
        return [
            Endpoint(
                row[0],
                row[1],
                row[2],
                row[3],
                row[4],
                row[5].split(),
                addresses.get((row[0], row[1]), ()),
                row[6],
            )
            for row in rows
        ]

    def remove_endpoint(self, container: str, network: str) -> None:
        """It is forgotten with its addresses."""
        self.database.execute(
            "DELETE FROM network_endpoint WHERE container = ? AND network = ?", (container, network)
        )

    # Ports

    def ports(self, container: str = "") -> list[tuple[str, Port]]:
        """Pairs of container and published port: of one container, or of all."""
        from cooper.networks.requests import Port

        rows = self.database.query(
            "SELECT container, protocol, host_address, host_port, container_port FROM network_port"
            " WHERE ? IN ('', container) ORDER BY container, container_port, protocol, host_address",
            (container,),
        )
        return [(row[0], Port(*row[1:])) for row in rows]

    def add_port(self, container: str, port: Port) -> None:
        """It is recorded as published.

        Raises: Conflict if another container has the port at an address that the two share.
        """
        for other, taken in self.ports():
            if taken.protocol == port.protocol and taken.host_port == port.host_port and taken.meets(port):
                raise Conflict(f"publish {port!r}: the port is published by container {other[:12]}")
        self.database.execute(
            "INSERT INTO network_port VALUES (?, ?, ?, ?, ?)",
            (container, port.protocol, port.host_address, port.host_port, port.container_port),
        )
