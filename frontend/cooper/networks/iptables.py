"""The same rules for a machine without nftables, in chains of our own that iptables-restore replaces.

A chain of ours is visited first and never accepts: what it lets pass goes on to the host's own rules, as in nftables.
"""

from __future__ import annotations

from cooper.errors import Error
from cooper.networks.firewall import Chain
from cooper.networks.programs import find, run
from cooper.networks.requests import PROTOCOLS, bracketed
from cooper.networks.rules import ANY, DNS_PORT, NAMES_PORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cooper.networks.rules import Bridge, Published

PROGRAMS = {4: "iptables", 6: "ip6tables"}
# table -> our chain -> the built-in chain that visits it
CHAINS = {
    "raw": {"GUARD": "PREROUTING"},
    "nat": {"PUBLISHED": "", "PREROUTING": "PREROUTING", "OUTPUT": "OUTPUT", "POSTROUTING": "POSTROUTING"},
    "filter": {"FORWARD": "FORWARD", "INPUT": "INPUT"},
}
TO_HOST = "-m addrtype --dst-type LOCAL"
KNOWN = "-m conntrack --ctstate ESTABLISHED,RELATED"
TRANSLATED = "-m conntrack --ctstate DNAT"


def apply(table: str, bridges: Sequence[Bridge], published: Sequence[Published], terminate: bool) -> None:
    """The kernel has exactly these rules of ours.

    Raises: Error, with what iptables says.
    """
    prefix = table.upper()
    for family in (4, 6):
        program = find(PROGRAMS[family])
        if not program:
            if family == 6:
                continue
            raise Error("networks need nft or iptables", "install nftables")
        if not bridges:
            _remove(program, prefix)
            continue
        status, _, errors = run(
            f"{program}-restore", ["-w", "--noflush"], text(family, prefix, bridges, published, terminate)
        )
        if status:
            raise Error(f"load the rules of the networks: {program}-restore: {errors.strip()}")
        for kind, chains in CHAINS.items():
            for chain, visitor in chains.items():
                jump = [visitor, "-j", f"{prefix}-{chain}"]
                if visitor and run(program, ["-w", "-t", kind, "-C", *jump])[0]:
                    _must(program, ["-w", "-t", kind, "-I", *jump])


def text(
    family: int, prefix: str, bridges: Sequence[Bridge], published: Sequence[Published], terminate: bool
) -> str:
    """What iptables-restore reads: a chain that is named there is emptied first."""
    rules: dict[str, list[str]] = {chain: [] for chains in CHAINS.values() for chain in chains}
    to_published = f"{TO_HOST} -j {prefix}-PUBLISHED"
    rules["OUTPUT"] += ["-d ::1 -j RETURN", to_published] if family == 6 else [to_published]
    for bridge in bridges:
        rules["PREROUTING"] += [
            f"-i {bridge.interface} -d {gateway} -p {protocol} --dport {DNS_PORT} -j REDIRECT --to-ports {NAMES_PORT}"
            for subnet, gateway in bridge.subnets
            for protocol in PROTOCOLS
            if subnet.family == family
        ]
    rules["PREROUTING"] += (
        [f"-i {bridge.interface} {to_published}" for bridge in bridges] if terminate else [to_published]
    )
    for bridge in bridges:
        _add_bridge(rules, family, bridge)
    for each in published:
        port = each.port
        for address in port.host_addresses():
            if (6 if ":" in address else 4) == family and family in each.addresses:
                where = "" if address in ANY else f"-d {address} "
                there = f"{bracketed(each.addresses[family])}:{port.container_port}"
                rules["PUBLISHED"].append(
                    f"{where}-p {port.protocol} --dport {port.host_port} -j DNAT --to-destination {there}"
                )
    lines = []
    for table, chains in CHAINS.items():
        lines.append(f"*{table}")
        lines += [f":{prefix}-{chain} -" for chain in chains]
        lines += [f"-A {prefix}-{chain} {rule}" for chain in chains for rule in rules[chain]]
        lines.append("COMMIT")
    return "".join(f"{line}\n" for line in lines)


def _add_bridge(rules: dict[str, list[str]], family: int, bridge: Bridge) -> None:
    name = bridge.interface
    if family == 4:
        rules["GUARD"].append(f"-i {name} -d 127.0.0.0/8 -j DROP")
        rules["POSTROUTING"].append(f"-s 127.0.0.0/8 -o {name} -j MASQUERADE")
    forward = rules["FORWARD"]
    if bridge.internal:
        forward += [f"-i {name} ! -o {name} -j DROP", f"-o {name} ! -i {name} -j DROP"]
        rules["INPUT"] += [
            f"-i {name} {KNOWN} -j RETURN",
            *(f"-i {name} -p {protocol} --dport {NAMES_PORT} -j RETURN" for protocol in PROTOCOLS),
            *([f"-i {name} -p ipv6-icmp -j RETURN"] if family == 6 else []),
            f"-i {name} -j DROP",
        ]
    else:
        forward.append(f"-i {name} -o {name} -j RETURN")
    for subnet, _ in bridge.subnets:
        if subnet.family == family:
            rules["POSTROUTING"].append(f"-s {subnet} -o {name} {TRANSLATED} -j MASQUERADE")
            if not bridge.internal:
                rules["POSTROUTING"].append(f"-s {subnet} ! -o {name} -j MASQUERADE")
                forward.append(f"-i {name} ! -s {subnet} -j DROP")
    if not bridge.internal:
        forward += [
            f"-o {name} {KNOWN} -j RETURN",
            f"-o {name} {TRANSLATED} -j RETURN",
            f"-o {name} -j DROP",
        ]


def _remove(program: str, prefix: str) -> None:
    """No chain of ours is left."""
    for kind, chains in CHAINS.items():
        for chain, visitor in chains.items():
            if visitor and not run(program, ["-w", "-t", kind, "-C", visitor, "-j", f"{prefix}-{chain}"])[0]:
                _must(program, ["-w", "-t", kind, "-D", visitor, "-j", f"{prefix}-{chain}"])
        present = [
            each for each in chains if not run(program, ["-w", "-n", "-t", kind, "-L", f"{prefix}-{each}"])[0]
        ]
        for verb in ("-F", "-X"):
            # Those that visit others come last in CHAINS and have to go first.
            for chain in reversed(present):
                _must(program, ["-w", "-t", kind, verb, f"{prefix}-{chain}"])


def _must(program: str, arguments: Sequence[str]) -> None:
    status, _, errors = run(program, arguments)
    if status:
        raise Error(f"{program} {' '.join(arguments)}: {errors.strip()}")


def foreign_chains() -> list[Chain]:
    """The built-in chains with their policies."""
    chains = []
    for family, name in ((4, "ip"), (6, "ip6")):
        program = find(PROGRAMS[family])
        for line in run(program, ["-w", "-S"])[1].splitlines() if program else ():
            words = line.split()
            if words[0] == "-P" and words[1] in ("INPUT", "FORWARD"):
                chains.append(Chain(name, "filter", words[1], words[1].lower(), words[2].lower()))
    return chains
