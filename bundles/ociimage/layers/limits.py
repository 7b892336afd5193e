"""How much of a layer is taken: a bomb ends with an error, not with a full disk."""

from __future__ import annotations


class Limits:
    """Bounds of one layer.

    Attributes:
        entries: members of the tar.
        bytes: of all files as they appear, holes included.
        header: bytes of one extended header, or of one long name.
        free: bytes that stay free on the file system.
    """

    __slots__ = ("entries", "bytes", "header", "free")

    def __init__(
        self,
        entries: int = 5_000_000,
        bytes: int = 1 << 40,
        header: int = 1 << 20,
        free: int = 64 << 20,
    ) -> None:
        self.entries = entries
        self.bytes = bytes
        self.header = header
        self.free = free
