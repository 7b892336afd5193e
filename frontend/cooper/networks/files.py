"""The texts of a container's /etc/hosts and /etc/resolv.conf (hosts(5), resolv.conf(5)). Pure functions."""

from __future__ import annotations

from cooper.networks.requests import HOST_GATEWAY, MAX_NAMESERVERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cooper.networks.requests import DNS

RESOLVED = "/run/systemd/resolve/resolv.conf"
LOOPBACK_LINES = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)
# The host, as docker's and podman's users write it.
HOST_NAMES = "host.docker.internal host.containers.internal"


class Resolver:
    """What a resolv.conf says."""

    __slots__ = ("servers", "search", "options")

    def __init__(self, servers: Sequence[str], search: Sequence[str], options: Sequence[str]) -> None:
        self.servers = list(servers)
        self.search = list(search)
        self.options = list(options)


def parse_resolv_conf(text: str) -> Resolver:
    """Its servers, search domains (the last `search` or `domain` counts) and options."""
    resolver = Resolver((), (), ())
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        if words[0] == "nameserver" and len(words) > 1:
            resolver.servers.append(words[1])
        elif words[0] in ("search", "domain"):
            resolver.search = words[1:]
        elif words[0] == "options":
            resolver.options += words[1:]
    return resolver


def is_loopback(server: str) -> bool:
    """Whether the server can only be reached from the host itself."""
    return server.startswith("127.") or server == "::1"


def resolv_conf(host: Resolver, asked: DNS, servers: Sequence[str]) -> str:
    """The text for a container.

    Args:
        host: the host's own.
        asked: what the flags of run say.
        servers: the name servers to use, best first: those of the container's networks, or `upstream_servers`.
    """
    search = [domain for domain in asked.search if domain != "."] if asked.search else host.search
    options = asked.options or host.options
    lines = [f"search {' '.join(search)}"] if search else []
    lines += [f"nameserver {server}" for server in servers[:MAX_NAMESERVERS]]
    if options:
        lines.append(f"options {' '.join(options)}")
    return "".join(f"{line}\n" for line in lines)


def upstream_servers(host: Resolver, asked: DNS) -> list[str]:
    """Servers that a container without a network's own can ask: those of the flags, or the host's within reach."""
    return list(asked.servers) or [server for server in host.servers if not is_loopback(server)]


def hosts(
    names: Sequence[str],
    addresses: Sequence[str],
    gateways: Sequence[str],
    added: Iterable[tuple[str, str]],
) -> str:
    """The text for a container.

    Args:
        names: its host name first, then its others.
        addresses: its own.
        gateways: the host's addresses on its networks.
        added: pairs of name and address, or HOST_GATEWAY.

    Raises: UsageError if the host has no address on its networks and one was asked for.
    """
    lines = list(LOOPBACK_LINES)
    known = list(dict.fromkeys(name for name in names if name))
    lines += [f"{address}\t{' '.join(known)}" for address in addresses if known]
    lines += [f"{gateway}\t{HOST_NAMES}" for gateway in gateways]
    for name, address in added:
        if address != HOST_GATEWAY:
            lines.append(f"{address}\t{name}")
            continue
        if not gateways:
            from cooper.errors import UsageError

            raise UsageError(
                f"--add-host {name}:{HOST_GATEWAY}: the container's networks do not reach the host"
            )
        lines += [f"{gateway}\t{name}" for gateway in gateways]
    return "".join(f"{line}\n" for line in lines)


def read_host_resolver() -> Resolver:
    """The host's resolver: what systemd-resolved asks, if /etc has its stub on 127.0.0.53."""
    for path in ("/etc/resolv.conf", RESOLVED):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                resolver = parse_resolv_conf(file.read(65536))
        except OSError:
            if path == RESOLVED:
                return resolver
            resolver = Resolver((), (), ())
            continue
        if not resolver.servers or any(server != "127.0.0.53" for server in resolver.servers):
            break
    return resolver
