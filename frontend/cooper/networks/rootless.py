"""An ordinary user's containers reach the outside through pasta (passt(1)), one process per container.

pasta gives the container's namespace an interface with the host's addresses and moves its connections to sockets of
its own, which is all that a user may have. It is started by a hook between the OCI runtime's `create` and `start`,
when the namespaces exist and nothing runs in them, and ended by `end` (newer versions notice by themselves that the
container is gone, that of Debian 12 does not). There is no bridge: such containers reach each other by published
ports only.
"""

from __future__ import annotations

from cooper.errors import Conflict, Error
from cooper.networks import files, processes, proxy
from cooper.networks.programs import find
from cooper.networks.requests import DNS, Port
from cooper.settings import make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cooper.networks.requests import PortRequest
    from cooper.settings import Settings

PROGRAM = "pasta"
TUN = "/dev/net/tun"
# The state of the container comes on standard input (runtime.md, "Lifecycle"; config.md, "POSIX-platform Hooks").
SCRIPT = r"""pid=$(sed -n 's/.*"pid": *\([0-9][0-9]*\).*/\1/p'); exec "$0" "$@" "$pid" """


class Plan:
    """What a container needs.

    Attributes:
        hook: an entry for ``hooks.createRuntime`` of config.json.
        ports: as they will be published.
        hosts, resolv_conf: the texts of its files.
    """

    __slots__ = ("hook", "ports", "hosts", "resolv_conf")

    def __init__(self, hook: dict[str, Any], ports: Sequence[Port], hosts: str, resolv_conf: str) -> None:
        self.hook = hook
        self.ports = tuple(ports)
        self.hosts = hosts
        self.resolv_conf = resolv_conf


def plan(
    settings: Settings,
    container: str,
    names: Sequence[str],
    requests: Sequence[PortRequest] = (),
    dns: DNS | None = None,
    added_hosts: Sequence[tuple[str, str]] = (),
) -> Plan:
    """How the container, which is to have user and network namespaces of its own, gets a network.

    Args:
        names: its host name and others.

    Raises: Error without pasta; Conflict for a port that is in use, or below what users may have.
    """
    import posix

    program = find(PROGRAM)
    if not program:
        raise Error(
            f"networks of ordinary users need {PROGRAM}", "install passt, or use --network none or host"
        )
    if not posix.access(TUN, posix.R_OK | posix.W_OK):
        raise Error(f"networks of ordinary users need {TUN} to be writable", f"chmod 0666 {TUN}")
    dns = dns or DNS()
    ports = [_free(request) for request in requests]
    directory = f"{settings.run}/pasta"
    make_directory(directory)
    resolver = files.read_host_resolver()
    words = [program, "--config-net", "--quiet", "--no-map-gw", "--pid", f"{directory}/{container}"]
    for protocol, flag, back in (("tcp", "-t", "-T"), ("udp", "-u", "-U")):
        wanted = [_specification(port) for port in ports if port.protocol == protocol]
        for text in wanted or ["none"]:
            words += [flag, text]
        # Nothing in the container reaches what listens on the host's loopback address.
        words += [back, "none"]
    hook = {"path": "/bin/sh", "args": ["sh", "-c", SCRIPT, *words], "env": ["PATH=/usr/bin:/bin"]}
    return Plan(
        hook,
        ports,
        files.hosts(names, ["127.0.0.1"], [], added_hosts),
        files.resolv_conf(resolver, dns, files.upstream_servers(resolver, dns)),
    )


def end(settings: Settings, container: str) -> None:
    """The container's pasta has ended, and its ports are free. It need not have had one."""
    import posix

    path = f"{settings.run}/pasta/{container}"
    try:
        with open(path, "rb") as file:
            pid = int(file.read().strip() or b"0")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if path.encode() in file.read().split(b"\0"):
                processes.end(pid, processes.SIGTERM)
    except (OSError, ValueError):
        pass  # it has ended with the namespaces
    try:
        posix.unlink(path)
    except FileNotFoundError:
        pass


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
