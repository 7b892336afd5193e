"""Addresses and subnets as whole numbers: what the hot path needs of the ipaddress module, without its import."""

from __future__ import annotations

import _socket

BITS = {4: 32, 6: 128}


def parse(text: str) -> tuple[int, int]:
    """The family (4 or 6) and the address as a number.

    Raises: ValueError.
    """
    family = 6 if ":" in text else 4
    try:
        packed = _socket.inet_pton(_socket.AF_INET6 if family == 6 else _socket.AF_INET, text)
    except (OSError, ValueError) as error:
        raise ValueError(f"{text!r} is not an address") from error
    return family, int.from_bytes(packed)


def format_address(family: int, number: int) -> str:
    """The address as people write it."""
    packed = number.to_bytes(BITS[family] // 8)
    return _socket.inet_ntop(_socket.AF_INET6 if family == 6 else _socket.AF_INET, packed)


class Subnet:
    """Addresses with one prefix; host bits are cleared."""

    __slots__ = ("family", "first", "length")

    def __init__(self, family: int, first: int, length: int) -> None:
        self.family = family
        self.length = length
        self.first = first >> self.host_bits << self.host_bits

    @property
    def host_bits(self) -> int:
        """How many bits tell its addresses apart."""
        return BITS[self.family] - self.length

    @property
    def last(self) -> int:
        """Its highest address, in IPv4 the one for broadcasts."""
        return self.first + (1 << self.host_bits) - 1

    def __str__(self) -> str:
        return f"{format_address(self.family, self.first)}/{self.length}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Subnet) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def holds(self, number: int) -> bool:
        """Whether the address is one of its."""
        return self.first <= number <= self.last

    def overlaps(self, other: Subnet) -> bool:
        """Whether the two share an address."""
        return self.family == other.family and self.first <= other.last and other.first <= self.last


def parse_subnet(text: str) -> Subnet:
    """``10.1.2.0/24``; host bits may be set, as docker allows.

    Raises: ValueError.
    """
    address, slash, length = text.partition("/")
    family, number = parse(address)
    if not slash or not length.isascii() or not length.isdigit() or int(length) > BITS[family]:
        raise ValueError(f"{text!r} is not a subnet such as 10.1.2.0/24")
    return Subnet(family, number, int(length))
