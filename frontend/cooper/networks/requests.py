"""The network flags of run and create, read into values. Pure functions; all raise UsageError."""

from __future__ import annotations

from cooper.errors import UsageError
from cooper.networks.addresses import format_address, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEFAULT, HOST, NONE = "default", "host", "none"
PROTOCOLS = ("tcp", "udp")
HOST_GATEWAY = "host-gateway"
# resolv.conf(5): what musl and glibc read.
MAX_NAMESERVERS = 3


class NetworkRequest:
    """A network that a container is to be connected to.

    Attributes:
        name: the network's name or id.
        addresses: family -> address wanted.
        mac: wanted, or "".
        aliases: names besides the container's own.
        interface: the interface's name in the container, or "".
    """

    __slots__ = ("name", "addresses", "mac", "aliases", "interface")

    def __init__(
        self,
        name: str,
        addresses: dict[int, str] | None = None,
        mac: str = "",
        aliases: Sequence[str] = (),
        interface: str = "",
    ) -> None:
        self.name = name
        self.addresses = addresses or {}
        self.mac = mac
        self.aliases = tuple(aliases)
        self.interface = interface


class Mode:
    """What `--network` asks for.

    Attributes:
        kind: "bridge" (the networks in `requests`, of any driver), "host", "none" or "container".
        container: whose network namespace to share, for "container".
        requests: the networks, in order, for "bridge".
    """

    __slots__ = ("kind", "container", "requests")

    def __init__(self, kind: str, container: str = "", requests: Sequence[NetworkRequest] = ()) -> None:
        self.kind = kind
        self.container = container
        self.requests = tuple(requests)


class PortRequest:
    """One port to publish.

    Attributes:
        host_address: where; "" is every address of the host, "0.0.0.0" and "::" are those of one family.
        host_ports: (first, last): one that is free among these; (0, 0) is any.
    """

    __slots__ = ("protocol", "host_address", "host_ports", "container_port")

    def __init__(
        self, protocol: str, host_address: str, host_ports: tuple[int, int], container_port: int
    ) -> None:
        self.protocol = protocol
        self.host_address = host_address
        self.host_ports = host_ports
        self.container_port = container_port

    def __repr__(self) -> str:
        first, last = self.host_ports
        ports = f"{first}-{last}" if first != last else str(first)
        return f"{bracketed(self.host_address)}:{ports}:{self.container_port}/{self.protocol}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortRequest) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


class Port(PortRequest):
    """One published port, which is now this one."""

    __slots__ = ()

    def __init__(self, protocol: str, host_address: str, host_port: int, container_port: int) -> None:
        super().__init__(protocol, host_address, (host_port, host_port), container_port)

    @property
    def host_port(self) -> int:
        """The port on the host."""
        return self.host_ports[0]

    def host_addresses(self) -> list[str]:
        """The address, or those that stand for every address: of both families if none was named."""
        return [self.host_address] if self.host_address else ["0.0.0.0", "::"]

    def meets(self, other: Port) -> bool:
        """Whether some address of the host belongs to both."""
        return any(
            (":" in mine) == (":" in theirs) and (mine == theirs or {mine, theirs} & {"0.0.0.0", "::"})
            for mine in self.host_addresses()
            for theirs in other.host_addresses()
        )


class DNS:
    """The lines of a container's resolv.conf that were asked for."""

    __slots__ = ("servers", "search", "options")

    def __init__(
        self, servers: Sequence[str] = (), search: Sequence[str] = (), options: Sequence[str] = ()
    ) -> None:
        self.servers = tuple(servers)
        self.search = tuple(search)
        self.options = tuple(options)


def bracketed(address: str) -> str:
    """An address as it stands before a port."""
    return f"[{address}]" if ":" in address else address


def parse_networks(
    values: Sequence[str],
    address: str = "",
    address6: str = "",
    mac: str = "",
    aliases: Sequence[str] = (),
) -> Mode:
    """What the values of `--network`, `--ip`, `--ip6`, `--mac-address` and `--network-alias` ask for together.

    ``NAME[:ip=...,ip6=...,mac=...,alias=...,interface_name=...]``, several times; ``host``, ``none``,
    ``container:ID``; podman's ``bridge`` is the default network.
    """
    requests: list[NetworkRequest] = []
    flags = bool(address or address6 or mac or aliases)
    for value in values or (DEFAULT,):
        name, colon, rest = value.partition(":")
        if name in (HOST, NONE, "container"):
            if len(values) > 1:
                raise UsageError(f"--network {value} cannot be combined with other networks")
            if name == "container" and not rest:
                raise UsageError("--network container: names no container", "--network container:NAME")
            if name != "container" and colon:
                raise UsageError(f"--network {name} takes no options")
            if flags:
                raise UsageError(f"--ip, --mac-address and --network-alias need a network, not {name}")
            return Mode(name, rest)
        if not name:
            raise UsageError(f"--network {value!r} names no network")
        requests.append(_request(DEFAULT if name == "bridge" else name, rest))
    names = [request.name for request in requests]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--network {name} is given twice")
    if flags and len(requests) > 1 and (address or address6 or mac):
        raise UsageError(
            "--ip and --mac-address are for one network", "--network NAME:ip=ADDRESS,mac=ADDRESS"
        )
    if flags:
        first = requests[0]
        for key, text in (("ip", address), ("ip6", address6), ("mac", mac)):
            if text:
                _set(first, key, text)
        for alias in aliases:
            for request in requests:
                _set(request, "alias", alias)
    return Mode("bridge", "", requests)


def _request(name: str, options: str) -> NetworkRequest:
    request = NetworkRequest(name)
    for option in options.split(",") if options else ():
        key, equals, value = option.partition("=")
        if not equals or not value:
            raise UsageError(f"--network {name}: {option!r} is not KEY=VALUE")
        _set(request, key, value)
    return request


def _set(request: NetworkRequest, key: str, value: str) -> None:
    where = f"--network {request.name}"
    if key in ("ip", "ip6"):
        family, address = parse_address(value, where)
        if (key == "ip6") != (family == 6):
            raise UsageError(f"{where}: {key}={value}: this is an IPv{family} address")
        if family in request.addresses:
            raise UsageError(f"{where}: two addresses")
        request.addresses[family] = address
    elif key == "mac":
        request.mac = parse_mac(value)
    elif key == "alias":
        request.aliases += (parse_name(value, where),)
    elif key in ("interface_name", "interface"):
        if not 0 < len(value.encode()) < 16 or "/" in value or ":" in value or value.split() != [value]:
            raise UsageError(f"{where}: {value!r} cannot be an interface's name")
        if value in (".", "..", "lo", "all", "default"):
            raise UsageError(f"{where}: the interface's name {value} is taken")
        request.interface = value
    else:
        raise UsageError(f"{where}: unknown option {key}", "ip, ip6, mac, alias and interface_name are known")


def parse_address(text: str, where: str) -> tuple[int, str]:
    """The family and the address in its usual form."""
    try:
        family, number = parse(text)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error
    return family, format_address(family, number)


def parse_mac(text: str) -> str:
    """An Ethernet address of one interface in lower case."""
    parts = text.lower().replace("-", ":").split(":")
    if len(parts) != 6 or any(len(part) != 2 or part.strip("0123456789abcdef") for part in parts):
        raise UsageError(f"{text!r} is not an Ethernet address such as 02:00:00:00:00:01")
    if int(parts[0], 16) & 1 or not any(part != "00" for part in parts):
        raise UsageError(f"{text} is not the Ethernet address of one interface")
    return ":".join(parts)


def parse_name(text: str, where: str) -> str:
    """A host name (RFC 1123), in lower case; underscores as docker's users have them."""
    labels = text.lower().split(".")
    good = len(text) <= 253 and text.isascii()
    for label in labels:
        good = good and 0 < len(label) <= 63 and label.replace("-", "").replace("_", "").isalnum()
        good = good and label[0] != "-" and label[-1] != "-"
    if not good:
        raise UsageError(f"{where}: {text!r} is not a host name")
    return text.lower()


def parse_publish(values: Iterable[str]) -> list[PortRequest]:
    """``[ip:][host[-last]:]container[-last][/protocol]`` of `--publish`; ``ip::container`` is any port there."""
    requests: list[PortRequest] = []
    for value in values:
        ports, slash, protocol = value.partition("/")
        protocol = protocol.lower() if slash else "tcp"
        if protocol not in PROTOCOLS:
            raise UsageError(f"--publish {value}: the protocol {protocol!r} is neither tcp nor udp")
        address = ""
        if ports.startswith("["):
            address, bracket, ports = ports[1:].partition("]")
            if not bracket or not ports.startswith(":"):
                raise UsageError(f"--publish {value}: an IPv6 address ends with ]:")
            ports = ports[1:]
            given = True
        else:
            given = ports.count(":") >= 2
            if given:
                address, _, ports = ports.partition(":")
        if given:
            address = parse_address(address, f"--publish {value}")[1] if address else ""
        host, colon, container = ports.rpartition(":")
        if ":" in host or (given and not colon and not ports):
            raise UsageError(f"--publish {value}: too many colons", "write IPv6 addresses as [::1]:80:80")
        inside = _ports(container, value)
        outside = _ports(host, value) if host else (0, 0)
        count = inside[1] - inside[0] + 1
        if host and count > 1 and outside[1] - outside[0] + 1 != count:
            raise UsageError(f"--publish {value}: the two ranges differ in length")
        for offset in range(count):
            ports_there = outside
            if count > 1 and host:
                ports_there = (outside[0] + offset, outside[0] + offset)
            requests.append(PortRequest(protocol, address, ports_there, inside[0] + offset))
    return list(dict.fromkeys(requests))


def parse_exposed(values: Iterable[str]) -> list[PortRequest]:
    """The ports of an image's ExposedPorts and of `--expose` (``80``, ``80-90/udp``), for `--publish-all`."""
    requests = []
    for value in values:
        ports, slash, protocol = value.partition("/")
        protocol = protocol.lower() if slash else "tcp"
        if protocol not in PROTOCOLS:
            raise UsageError(f"the exposed port {value}: the protocol {protocol!r} is neither tcp nor udp")
        first, last = _ports(ports, value)
        requests += [PortRequest(protocol, "", (0, 0), port) for port in range(first, last + 1)]
    return list(dict.fromkeys(requests))


def _ports(text: str, value: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    numbers = (first, last) if dash else (first, first)
    for number in numbers:
        if not (number.isascii() and number.isdigit() and len(number) <= 5 and 0 < int(number) < 65536):
            raise UsageError(f"{value}: {text!r} is no port from 1 to 65535")
    if int(numbers[0]) > int(numbers[1]):
        raise UsageError(f"{value}: the range {text} runs backwards")
    return int(numbers[0]), int(numbers[1])


def parse_dns(servers: Sequence[str], search: Sequence[str], options: Sequence[str]) -> DNS:
    """`--dns`, `--dns-search` and `--dns-option`; ``--dns-search .`` is none."""
    addresses = [parse_address(server, "--dns")[1] for server in servers]
    for text in (*search, *options):
        if text.split() != [text] or not text.isprintable():
            raise UsageError(f"--dns-search, --dns-option: {text!r} is no word of resolv.conf")
    return DNS(addresses, search, options)


def parse_hosts(values: Iterable[str]) -> list[tuple[str, str]]:
    """``NAME:ADDRESS`` (or with ``=``) of `--add-host`: pairs of name and address, or HOST_GATEWAY."""
    hosts = []
    for value in values:
        name, separator, address = value.partition("=") if "=" in value else value.partition(":")
        where = f"--add-host {value}"
        if not separator:
            raise UsageError(f"{where}: not NAME:ADDRESS")
        if address != HOST_GATEWAY:
            if address.startswith("[") and address.endswith("]"):
                address = address[1:-1]
            address = parse_address(address, where)[1]
        hosts.append((parse_name(name, where), address))
    return hosts
