"""An ordinary user's containers reach the outside through pasta (passt(1)), one process per container.

pasta gives the container's network namespace an interface with the host's addresses and moves its connections to
sockets of its own, which is all that a user may have. It runs in the user's namespace (`cooper.rootless`), and is there
before the OCI runtime is called, which is given the namespace by its path. There is no bridge: such containers reach
each other by published ports only.
"""

from __future__ import annotations

import posix

from cooper.errors import Conflict, Error, UsageError
from cooper.networks import files, namespaces, processes, proxy
from cooper.networks.programs import find, run
from cooper.networks.requests import DEFAULT, DNS, NetworkRequest, Port
from cooper.settings import make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cooper.networks.requests import PortRequest
    from cooper.settings import Settings

PROGRAM = "pasta"
TUN = "/dev/net/tun"
# Where containers ask for names if the host's only server listens on a loopback address of its own. Link-local, so
# that it is nobody else's.
FORWARDER = "169.254.1.1"
# What was started while the list was read is found when it is read again.
_END_ATTEMPTS = 10
# Addresses that nobody has (RFC 5737, RFC 3849): the kernel says what it would talk to the outside from.
_NOWHERE = ((2, "192.0.2.1"), (10, "2001:db8::1"))


class Connection:
    """What a container's network is.

    Attributes:
        namespace: the path of its network namespace.
        pasta: the identity of the process, as `processes` knows it.
        ports: as they are published.
        hosts, resolv_conf: the texts of its files.
    """

    __slots__ = ("namespace", "pasta", "ports", "hosts", "resolv_conf")

    def __init__(
        self, namespace: str, pasta: str, ports: Sequence[Port], hosts: str, resolv_conf: str
    ) -> None:
        self.namespace = namespace
        self.pasta = pasta
        self.ports = tuple(ports)
        self.hosts = hosts
        self.resolv_conf = resolv_conf


def check(requests: Sequence[NetworkRequest]) -> None:
    """Raises: UsageError for networks that an ordinary user cannot have."""
    plain = NetworkRequest(DEFAULT)
    for request in requests:
        if any(getattr(request, each) != getattr(plain, each) for each in NetworkRequest.__slots__):
            raise UsageError(
                f"--network {request.name}: networks with addresses and names of their own need root",
                "an ordinary user has --network default, host, none, container:NAME",
            )


def attach(
    settings: Settings,
    container: str,
    namespace: str,
    names: Sequence[str],
    requests: Sequence[PortRequest] = (),
    dns: DNS | None = None,
    added_hosts: Sequence[tuple[str, str]] = (),
) -> Connection:
    """The network namespace, which is of this process's user namespace, reaches the outside and is reached.

    Args:
        names: the container's host name and others.

    Raises: Error without pasta; Conflict for a port that is in use, or below what users may have. `detach` removes
        what was made.
    """
    dns = dns or DNS()
    ports = [_free(request) for request in requests]
    resolver = files.read_host_resolver()
    servers = files.upstream_servers(resolver, dns) or [FORWARDER] * _has_own_server(resolver)
    pasta = start(settings, container, namespace, ports)
    own = namespaces.call_inside(settings, namespace, _addresses)
    return Connection(
        namespace,
        pasta,
        ports,
        files.hosts(names, own or ["127.0.0.1"], [], added_hosts),
        files.resolv_conf(resolver, dns, servers),
    )


def start(settings: Settings, container: str, namespace: str, ports: Sequence[Port]) -> str:
    """pasta serves the namespace; returns its identity.

    Raises: Error
    """
    program = find(PROGRAM)
    if not program:
        raise Error(
            f"networks of ordinary users need the program {PROGRAM}",
            "install the package passt, or use --network none or host",
        )
    if not posix.access(TUN, posix.R_OK | posix.W_OK):
        raise Error(f"networks of ordinary users need {TUN} to be writable", f"as root: chmod 0666 {TUN}")
    make_directory(f"{settings.run}/pasta")
    pid_file = _pid_file(settings, container)
    words = ["--config-net", "--quiet", "--no-map-gw", "--pid", pid_file]
    words += ["--netns-only", "--netns", namespace]
    for protocol, flag, back in (("tcp", "-t", "-T"), ("udp", "-u", "-U")):
        wanted = [_specification(port) for port in ports if port.protocol == protocol]
        for text in wanted or ["none"]:
            words += [flag, text]
        # Nothing in the container reaches what listens on the host's loopback addresses, but for the name server.
        words += [back, "none"]
    if _has_own_server(files.read_host_resolver()):
        words += ["--dns-forward", FORWARDER]
    status, _, complaint = run(program, words)
    if status:
        raise Error(
            f"{PROGRAM}: {_reason(complaint) or f'it ended with {status}'}",
            "--network none and --network host do without it",
        )
    with open(pid_file, encoding="ascii") as file:
        return processes.identity(int(file.read()))


def _has_own_server(resolver: files.Resolver) -> bool:
    """Whether the host itself answers to its first question for a name, which is where pasta leads to."""
    first = next((server for server in resolver.servers if ":" not in server), "")
    return files.is_loopback(first)


def _reason(complaint: str) -> str:
    """What pasta has said of its failure, without what it says of the system's log, in one line."""
    lines = [line.strip() for line in complaint.splitlines() if "to syslog" not in line]
    return "; ".join(line for line in lines if line)


def detach(settings: Settings, container: str, pasta: str) -> None:
    """Nothing is left of the container's network; it need not have had one.

    Args:
        pasta: its identity, or "" if whoever started it was killed and has not said.

    Raises: Error if it does not end.
    """
    pid_file = _pid_file(settings, container)
    if pasta:
        processes.end_known(pasta)
    for _ in range(_END_ATTEMPTS if not pasta else 0):
        found = _serving(pid_file)
        if not found:
            break
        for pid in found:
            processes.end(pid, processes.SIGKILL)
    try:
        posix.unlink(pid_file)
    except FileNotFoundError:
        pass
    namespaces.remove(settings, container)


def _serving(pid_file: str) -> list[int]:
    """The processes that have the pid file's path among their arguments."""
    found = []
    for name in posix.listdir("/proc"):
        try:
            with open(f"/proc/{int(name)}/cmdline", "rb") as file:
                if pid_file.encode() in file.read().split(b"\0"):
                    found.append(int(name))
        except (OSError, ValueError):
            continue  # no process, or none any more
    return found


def _pid_file(settings: Settings, container: str) -> str:
    return f"{settings.run}/pasta/{container}"


def _free(request: PortRequest) -> Port:
    """The port, with a number that is free now; pasta takes it a moment later, or says that it could not."""
    port = Port(request.protocol, request.host_address, 0, request.container_port)
    try:
        number, sockets = proxy.reserve(request, port.host_addresses())
    except Conflict:
        raise
    except Error as error:
        raise Error(str(error), "users have the ports from net.ipv4.ip_unprivileged_port_start on") from error
    for each in sockets:
        each.close()
    port.host_ports = (number, number)
    return port


def _specification(port: Port) -> str:
    """How pasta has it: ``[address/]host:container``."""
    address = f"{port.host_address}/" if port.host_address else ""
    return f"{address}{port.host_port}:{port.container_port}"


def _addresses() -> list[str]:
    """What this thread's network namespace talks to the outside from."""
    import _socket

    found = []
    for family, nowhere in _NOWHERE:
        made = _socket.socket(family, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
        try:
            made.connect((nowhere, 9))  # sends nothing
            found.append(str(made.getsockname()[0]))
        except OSError:
            continue  # the host has none of this family
        finally:
            made.close()
    return found
