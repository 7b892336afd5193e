"""Our rules in the kernel: through nft, or where there is none through iptables-restore.

Which of the two is decided once per machine by what is installed; nothing else in cooper knows.
"""

from __future__ import annotations

from cooper.errors import Error
from cooper.networks import rules
from cooper.networks.programs import find, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cooper.networks.rules import Bridge, Published

# What the names of our tables begin with, whichever root they are of.
OWN = "cooper"


class Chain:
    """A base chain of somebody else's at a hook."""

    __slots__ = ("family", "table", "name", "hook", "policy")

    def __init__(self, family: str, table: str, name: str, hook: str, policy: str) -> None:
        self.family = family
        self.table = table
        self.name = name
        self.hook = hook
        self.policy = policy

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.name}"


def apply(table: str, bridges: Sequence[Bridge], published: Sequence[Published]) -> None:
    """The kernel has exactly the rules of these, in the place of whatever was there.

    Raises: Error, with what nft or iptables-restore says.
    """
    terminate = any(chain.hook == "input" and chain.policy == "drop" for chain in foreign_chains())
    nft = find("nft")
    if nft:
        _nft(nft, rules.table(table, bridges, published, terminate))
        return
    from cooper.networks import iptables

    iptables.apply(table, bridges, published, terminate)


def is_there(table: str) -> bool:
    """Whether the table is there: a reload of the host's firewall may have taken it away."""
    nft = find("nft")
    return not nft or not run(nft, ["list", "chain", rules.FAMILY, table, "forward"])[0]


def _nft(nft: str, commands: Sequence[rules.JSON]) -> None:
    status, message = _run(nft, commands)
    if status:
        raise Error(f"load the rules of the networks into nftables: {message}")


def _run(nft: str, commands: Sequence[rules.JSON]) -> tuple[int, str]:
    from ocispec.jsontext import dumps

    status, _, errors = run(nft, ["-j", "-f", "-"], dumps({"nftables": list(commands)}))
    return status, errors.strip().partition("\n")[0]


def foreign_chains() -> list[Chain]:
    """The base chains of the host's own firewall that see packets come in or pass through."""
    nft = find("nft")
    if not nft:
        from cooper.networks import iptables

        return iptables.foreign_chains()
    from ocispec.jsontext import loads

    status, output, errors = run(nft, ["-j", "list", "chains"])
    if status:
        raise Error(f"list the chains of nftables: {errors.strip()}")
    document: Any = loads(output.encode())
    chains = []
    for entry in document["nftables"]:
        chain = entry.get("chain", {})
        if chain.get("type") != "filter" or chain["hook"] not in ("input", "forward"):
            continue
        family, table = chain["family"], chain["table"]
        if family in ("ip", "ip6", "inet") and not (
            family == rules.FAMILY and table.partition("-")[0] == OWN
        ):
            chains.append(Chain(family, table, chain["name"], chain["hook"], chain["policy"]))
    return chains
