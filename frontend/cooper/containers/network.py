"""What the network side does for a container when it starts and when it has ended."""

from __future__ import annotations

from cooper.errors import Conflict, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from cooper.containers.record import Container
    from cooper.networks.attach import Attachment as Connection
    from cooper.networks.requests import DNS, Port, PortRequest
    from cooper.networks.store import Endpoint, Network
    from cooper.settings import Settings
    from cooper.state.database import Database


class Attachment:
    """What config.json and the container's files need to know.

    Attributes:
        namespace: "private", "host" or a path.
        hosts, resolv_conf: texts of files, "" for none.
        kept: what the container's record says of its network while it runs.
    """

    __slots__ = ("namespace", "hosts", "resolv_conf", "kept")

    def __init__(
        self, namespace: str, hosts: str = "", resolv_conf: str = "", kept: dict[str, Any] | None = None
    ) -> None:
        self.namespace = namespace
        self.hosts = hosts
        self.resolv_conf = resolv_conf
        self.kept = kept or {}


def check(settings: Settings, options: dict[str, Any]) -> None:
    """The network flags can be understood, and the user may have such networks. Raises: UsageError."""
    from cooper.networks.requests import parse_hosts

    wanted = options["network"]
    if not wanted or wanted == {"networks": ["none"]}:
        return
    mode = _mode(wanted)
    if settings.rootless and mode.kind == "bridge":
        from cooper.networks import rootless

        rootless.check(mode.requests)
    _ports(options)
    _dns(wanted)
    parse_hosts(wanted.get("add_host", ()))


def leaves_traces(options: dict[str, Any]) -> bool:
    """Whether something has to be undone when the container has ended."""
    names = options["network"].get("networks") or [""]
    return names[0].partition(":")[0] not in ("none", "host", "container")


def _mode(wanted: dict[str, Any]) -> Any:
    from cooper.networks.requests import parse_networks

    return parse_networks(
        wanted.get("networks", ()),
        wanted.get("ip", ""),
        wanted.get("ip6", ""),
        wanted.get("mac", ""),
        wanted.get("aliases", ()),
    )


def _ports(options: dict[str, Any]) -> list[PortRequest]:
    from cooper.networks.requests import parse_exposed, parse_publish

    wanted = options["network"]
    ports = parse_publish(wanted.get("publish", ()))
    if wanted.get("publish_all"):
        exposed = [*(options["image_config"].get("ExposedPorts") or ()), *wanted.get("expose", ())]
        taken = {(port.protocol, port.container_port) for port in ports}
        ports += [
            port for port in parse_exposed(exposed) if (port.protocol, port.container_port) not in taken
        ]
    return ports


def port_bindings(options: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """The ports that are to be published, as docker's HostConfig has them; a host's port "" is any that is free."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in _ports(options) if options["network"] else ():
        first, last = port.host_ports
        text = f"{first}-{last}" if first != last else str(first or "")
        bindings.setdefault(f"{port.container_port}/{port.protocol}", []).append(
            {"HostIp": port.host_address, "HostPort": text}
        )
    return bindings


def _dns(wanted: dict[str, Any]) -> DNS:
    from cooper.networks.requests import parse_dns

    return parse_dns(wanted.get("dns", ()), wanted.get("dns_search", ()), wanted.get("dns_option", ()))


def attach(
    settings: Settings, database: Database, container: Container, options: dict[str, Any]
) -> Attachment:
    """The container's networks are there.

    Raises: Error; what was made is gone then, or `detach` removes it.
    """
    wanted = options["network"]
    names = wanted.get("networks") or []
    hostname = options["hostname"] or container.short_id
    if names == ["none"]:
        return Attachment("private", _plain_hosts(hostname, wanted), "")
    mode = _mode(wanted)
    if mode.kind == "host":
        return Attachment("host", "", "")
    if mode.kind == "container":
        return _shared(settings, database, mode.container)
    if mode.kind == "none":
        return Attachment("private", _plain_hosts(hostname, wanted), "")
    from cooper.networks import namespaces
    from cooper.networks.requests import parse_hosts

    namespace = namespaces.create(settings, container.id)
    _open_ports(settings, namespace)
    if settings.rootless:
        from cooper.networks import rootless

        made = rootless.attach(
            settings,
            container.id,
            namespace,
            [hostname, container.name],
            _ports(options),
            _dns(wanted),
            parse_hosts(wanted.get("add_host", ())),
        )
        kept = {"namespace": namespace, "pasta": made.pasta, "ports": _kept_ports(made.ports)}
        return Attachment(namespace, made.hosts, made.resolv_conf, kept)
    from cooper.networks import attach as networks

    connection = networks.attach(
        database,
        settings,
        container.id,
        container.name,
        namespace,
        mode.requests,
        _ports(options),
        _dns(wanted),
        parse_hosts(wanted.get("add_host", ())),
        hostname,
    )
    if connection.warnings:
        from cooper.cli.output import warn

        for warning in connection.warnings:
            warn(warning)
    return Attachment(namespace, connection.hosts, connection.resolv_conf, _kept(namespace, connection))


def _open_ports(settings: Settings, namespace: str) -> None:
    """As docker has it: in a network of its own everybody may use low ports, and ping.

    Set here, from outside: root in a user namespace could not, as the network is not that namespace's.
    """
    import posix

    from cooper.networks.namespaces import call_inside

    last_group = 2147483647
    if settings.rootless:
        from cooper.rootless.idmaps import last_id

        last_group = last_id("gid")

    wanted = [
        ("ipv4/ip_unprivileged_port_start", "0"),
        ("ipv4/ping_group_range", f"0 {last_group}"),
    ]
    if settings.rootless and posix.access("/proc/sys/net/ipv6", posix.F_OK):
        # pasta's interface has addresses of the host's, and nobody else is there who could have them.
        wanted.append(("ipv6/conf/default/accept_dad", "0"))

    def write() -> None:
        for name, value in wanted:
            file = posix.open(f"/proc/sys/net/{name}", posix.O_WRONLY | posix.O_CLOEXEC)
            try:
                posix.write(file, value.encode())
            finally:
                posix.close(file)

    call_inside(settings, namespace, write)


def mend(settings: Settings, database: Database, container: Container) -> None:
    """The running container of an ordinary user has its pasta again, if that was killed.

    The caller holds the container's lock. Raises: Error
    """
    from cooper.containers import record
    from cooper.networks import rootless
    from cooper.networks.requests import Port

    kept = container.network
    ports = [
        Port(port["protocol"], port["host_address"], port["host_port"], port["container_port"])
        for port in kept["ports"]
    ]
    kept["pasta"] = rootless.start(settings, container.id, kept["namespace"], ports)
    record.set_network(database, container, kept)


def is_whole(container: Container) -> bool:
    """Whether what serves the running container's network is alive, as far as it is a process of ours."""
    from cooper.networks.processes import is_alive

    kept = container.network
    return "pasta" not in kept or is_alive(kept["pasta"])


def _kept(namespace: str, connection: Connection) -> dict[str, Any]:
    networks = _kept_networks(connection.endpoints, connection.networks)
    return {"namespace": namespace, "networks": networks, "ports": _kept_ports(connection.ports)}


def _kept_ports(ports: Sequence[Port]) -> list[dict[str, Any]]:
    return [
        {
            "protocol": port.protocol,
            "host_address": port.host_address,
            "host_port": port.host_port,
            "container_port": port.container_port,
        }
        for port in ports
    ]


def _kept_networks(endpoints: Sequence[Endpoint], known: Mapping[str, Network]) -> dict[str, Any]:
    networks: dict[str, Any] = {}
    for endpoint in endpoints:
        network = known[endpoint.network]
        networks[network.name] = {
            "NetworkID": network.id,
            "IPAddress": next((address for address in endpoint.addresses if ":" not in address), ""),
            "GlobalIPv6Address": next((address for address in endpoint.addresses if ":" in address), ""),
            "Gateway": next((lease.gateway for lease in network.subnets if lease.gateway), ""),
            "MacAddress": endpoint.mac,
            "Aliases": list(endpoint.aliases),
        }
    return networks


def connect(settings: Settings, database: Database, name: str, text: str) -> None:
    """The container is on the network that the text names (as `--network`), now and whenever it is started.

    Raises: NotFound; UsageError; Conflict if it is on it already, or has no networks of its own.
    """
    from cooper.containers.record import RUNNING
    from cooper.networks import attach as networks
    from cooper.networks.requests import parse_networks
    from cooper.networks.store import Store

    (request,) = parse_networks([text]).requests or (None,)
    if request is None:
        raise UsageError(f"{text} is no network that containers are connected to")
    Store(database, settings).network(request.name)

    def change(container: Container, wanted: list[str]) -> list[str]:
        if request.name in [each.partition(":")[0] for each in wanted]:
            raise Conflict(f"the container {container.name} is on the network {request.name} already")
        if not wanted and container.state == RUNNING:
            raise Conflict(f"the container {container.name} runs without a network", "stop it first")
        if container.network.get("namespace"):
            networks.connect(database, settings, container.id, request)
        return [*wanted, text]

    _change(settings, database, name, change)


def disconnect(settings: Settings, database: Database, name: str, network: str) -> None:
    """The container is not on the network, neither now nor when it is started again.

    Raises: NotFound; Conflict if it is not on it.
    """
    from cooper.networks import attach as networks
    from cooper.networks.store import Store

    found = Store(database, settings).network(network)

    def change(container: Container, wanted: list[str]) -> list[str]:
        left = [each for each in wanted if each.partition(":")[0] not in (found.name, found.id, network)]
        if len(left) == len(wanted):
            raise Conflict(f"the container {container.name} is not on the network {found.name}")
        if container.network.get("namespace"):
            networks.disconnect(database, settings, container.id, found.id)
        return left or ["none"]

    _change(settings, database, name, change)


def _change(
    settings: Settings, database: Database, name: str, change: Callable[[Container, list[str]], list[str]]
) -> None:
    """The container's networks are those that `change` returns; it is given those that were asked for."""
    from cooper.containers import record
    from cooper.containers.locks import ContainerLock
    from cooper.containers.lookup import find, find_locked
    from cooper.networks.store import Store
    from ocispec import jsontext

    container = find(settings, database, name)
    with ContainerLock(settings, container.id):
        container = find_locked(settings, database, container.id)
        options = container.options
        wanted = options["network"].get("networks") or ["default"]
        if wanted[0].partition(":")[0] in ("host", "container"):
            raise Conflict(f"the container {container.name} has no network of its own")
        options["network"]["networks"] = change(container, [each for each in wanted if each != "none"])
        record.update(database, container.id, options=jsontext.dumps(options))
        kept = container.network
        if kept.get("namespace"):
            store = Store(database, settings)
            known = {each.id: each for each in store.networks()}
            kept["networks"] = _kept_networks(store.endpoints("container", container.id), known)
            record.set_network(database, container, kept)


def _plain_hosts(hostname: str, wanted: dict[str, Any]) -> str:
    from cooper.networks.files import hosts
    from cooper.networks.requests import parse_hosts

    return hosts([hostname], ["127.0.0.1"], [], parse_hosts(wanted.get("add_host", ())))


def _shared(settings: Settings, database: Database, name: str) -> Attachment:
    """The network of another container, with its files."""
    from cooper.containers.lookup import running
    from cooper.containers.record import read_file

    other = running(settings, database, name)

    def text(file: str) -> str:
        try:
            return read_file(f"{settings.container_directory(other.id)}/{file}").decode()
        except OSError:
            return ""

    return Attachment(f"/proc/{other.pid}/ns/net", text("hosts"), text("resolv.conf"))


def write_files(directory: str, attachment: Attachment, hostname: str) -> list[dict[str, Any]]:
    """The container's /etc/hosts, resolv.conf and hostname are in the directory; their mounts for config.json.

    A container on the host's network has the host's own, but for its name.
    """
    from cooper.containers.record import write_file

    mounts = []
    for name, text in (("hosts", attachment.hosts), ("resolv.conf", attachment.resolv_conf)):
        source = f"{directory}/{name}"
        if attachment.namespace == "host":
            source = f"/etc/{name}"
        elif text:
            write_file(source, text.encode(), 0o644)
        else:
            continue
        options = ["bind", "rprivate", *(["ro"] if attachment.namespace == "host" else [])]
        mounts.append({"destination": f"/etc/{name}", "type": "bind", "source": source, "options": options})
    source = f"{directory}/hostname"
    write_file(source, f"{hostname}\n".encode(), 0o644)
    options = ["bind", "rprivate"]
    mounts.append({"destination": "/etc/hostname", "type": "bind", "source": source, "options": options})
    return mounts


def detach(settings: Settings, database: Database, container: Container) -> None:
    """Nothing of the container is left on the network."""
    if not container.network:
        return
    if settings.rootless:
        from cooper.networks import rootless

        rootless.detach(settings, container.id, container.network.get("pasta", ""))
    else:
        from cooper.networks.attach import detach as disconnect

        disconnect(database, settings, container.id)


def inspect_network(settings: Settings, database: Database, name: str) -> dict[str, Any]:
    """What `inspect` shows of a network. Raises: NotFound."""
    from cooper.networks.manage import inspect
    from cooper.networks.store import Store

    return inspect(Store(database, settings), name)
