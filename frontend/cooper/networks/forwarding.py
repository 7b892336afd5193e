"""The host's own firewall and what is forwarded to and from our networks.

Every chain of every table sees a packet, and one that drops it has the last word: we cannot let through what the
host's own rules drop, and do not try to, with one exception. Docker sets the policy of FORWARD to drop for its own
sake and leaves the chain DOCKER-USER to others: a bridge of ours is let through there.
"""

from __future__ import annotations

from cooper.errors import Error
from cooper.networks.programs import find, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cooper.networks.firewall import Chain
    from cooper.networks.store import Network

USER_CHAIN = "DOCKER-USER"
PROGRAMS = {"ip": "iptables", "ip6": "ip6tables"}


def open_for(networks: Sequence[Network], chains: Sequence[Chain]) -> list[str]:
    """The networks' packets are let through where we may; returns a warning for each chain that drops them."""
    warnings = []
    for chain in chains:
        if chain.hook != "forward" or chain.policy != "drop":
            continue
        docker = chain.family in PROGRAMS and chain.table == "filter" and chain.name == "FORWARD"
        closed = [network for network in networks if not (docker and _open(chain.family, network.interface))]
        if closed:
            interfaces = [network.interface for network in closed]
            warnings.append(
                f"the chain {chain} of this host drops what is forwarded: containers on"
                f" {', '.join(network.name for network in closed)} reach nothing beyond the host and published ports"
                f" are not reached from there, unless its rules allow it ({cure(chain, interfaces[0])})"
            )
    return warnings


def cure(chain: Chain, interface: str) -> str:
    """The commands that let one bridge through."""
    return "; ".join(
        f"nft insert rule {chain} {direction} {interface} accept" for direction in ("iifname", "oifname")
    )


def close(interface: str) -> None:
    """The rules that `open_for` made for a bridge are gone."""
    for family in PROGRAMS:
        for rule in _rules(interface):
            while _is_there(family, rule):
                _change(family, "-D", rule)


def _open(family: str, interface: str) -> bool:
    """Whether docker's chain lets the bridge through, now if not before."""
    program = find(PROGRAMS[family])
    if not program or run(program, ["-w", "-n", "-L", USER_CHAIN])[0]:
        return False
    for rule in _rules(interface):
        if not _is_there(family, rule):
            _change(family, "-I", rule)
    return True


def _rules(interface: str) -> list[list[str]]:
    # Our own chain has decided before what comes in; theirs is asked last.
    return [["-i", interface, "-j", "ACCEPT"], ["-o", interface, "-j", "ACCEPT"]]


def _is_there(family: str, rule: Sequence[str]) -> bool:
    program = find(PROGRAMS[family])
    return bool(program) and not run(program, ["-w", "-C", USER_CHAIN, *rule])[0]


def _change(family: str, verb: str, rule: Sequence[str]) -> None:
    program = find(PROGRAMS[family])
    status, _, errors = run(program, ["-w", verb, USER_CHAIN, *rule])
    if status:
        raise Error(f"{program} {verb} {USER_CHAIN} {' '.join(rule)}: {errors.strip()}")
