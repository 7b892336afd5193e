"""Which subnet a new network gets, and which address a new container: pure functions."""

from __future__ import annotations

from cooper.errors import Conflict
from cooper.networks.addresses import Subnet, format_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# Small ones, and away from what home routers (192.168), docker (172.17 to 172.31) and podman (10.88, 10.89) take.
POOL = Subnet(4, 10 << 24 | 210 << 16, 15)
POOL_LENGTH = 24


class Route:
    """A route of the host: its destination, and how the user would recognise it."""

    __slots__ = ("subnet", "text")

    def __init__(self, subnet: Subnet, text: str) -> None:
        self.subnet = subnet
        self.text = text


def clash(subnet: Subnet, routes: Iterable[Route]) -> Route | None:
    """The first route to some address of the subnet; a default route is in nobody's way."""
    for route in routes:
        if route.subnet.length and route.subnet.overlaps(subnet):
            return route
    return None


def choose_subnet(taken: Iterable[Subnet], routes: Iterable[Route]) -> Subnet:
    """The first /24 of the pool that neither a network nor a route uses.

    Raises: Conflict when there is none left.
    """
    used = [*taken, *(route.subnet for route in routes if route.subnet.length)]
    step = 1 << (32 - POOL_LENGTH)
    for first in range(POOL.first, POOL.last, step):
        subnet = Subnet(4, first, POOL_LENGTH)
        if not any(subnet.overlaps(other) for other in used):
            return subnet
    raise Conflict(f"every /{POOL_LENGTH} of {POOL} is in use", "name one with --subnet")


def choose_ipv6_subnet(random: bytes) -> Subnet:
    """A unique local /64 of 40 random bits (RFC 4193, section 3.2.2).

    Args:
        random: 5 bytes.
    """
    return Subnet(6, (0xFD << 120) | int.from_bytes(random[:5]) << 80, 64)


def choose_address(subnet: Subnet, among: Subnet, taken: Collection[str], gateway: str, after: str) -> str:
    """The next free address after the one that was given out last, so that none is soon used again.

    Args:
        among: the part of the subnet to choose from.
        taken: addresses in use.
        gateway: the gateway's, never given out; "" without one.
        after: the address given out last, or "".

    Returns: "" when all are taken.
    """
    first, last = max(among.first, subnet.first), min(among.last, subnet.last)
    # Network and broadcast addresses; in IPv6 the first is the routers' anycast address (RFC 4291, section 2.6.1).
    first += first == subnet.first and subnet.host_bits > 1
    last -= last == subnet.last and subnet.family == 4 and subnet.host_bits > 1
    start = first
    if after:
        from cooper.networks.addresses import parse

        start = parse(after)[1] + 1
    if not first <= start <= last:
        start = first
    for number in _around(first, start, last):
        address = format_address(subnet.family, number)
        if address != gateway and address not in taken:
            return address
    return ""


def _around(first: int, start: int, last: int) -> Iterable[int]:
    yield from range(start, last + 1)
    yield from range(first, start)
