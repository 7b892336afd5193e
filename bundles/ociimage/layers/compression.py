"""Compressed streams, recognised by their first bytes."""

from __future__ import annotations

import zlib

from ociimage.errors import InvalidLayer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol

    class Decompressor(Protocol):
        """What bz2's and lzma's objects have in common."""

        def decompress(self, data: bytes, max_length: int) -> bytes: ...
        @property
        def eof(self) -> bool: ...
        @property
        def needs_input(self) -> bool: ...
        @property
        def unused_data(self) -> bytes: ...

    Read = Callable[[int], bytes]

CHUNK = 1 << 20
MAGIC = {
    "gzip": b"\x1f\x8b",
    "zstd": b"\x28\xb5\x2f\xfd",
    "xz": b"\xfd7zXZ\x00",
    "bzip2": b"BZh",
}
# Frames that hold no data: magic numbers 0x184D2A50 to 0x184D2A5F, little-endian.
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"


def recognise(start: bytes) -> str:
    """ "gzip", "zstd", "xz", "bzip2", or "" for anything else."""
    for name, magic in MAGIC.items():
        if start.startswith(magic):
            return name
    if start[1:4] == _ZSTD_SKIPPABLE and start[0] & 0xF0 == 0x50:
        return "zstd"
    return ""


def decompressed(read: Read, compression: str) -> Iterator[bytes]:
    """The content behind `read(size)` in pieces of at most CHUNK bytes, so that a bomb fills no memory.

    Several members or frames in a row are one stream. Raises: InvalidLayer for what is broken, cut short, or
    followed by anything but zeros.
    """
    if compression == "":
        return iter(lambda: read(CHUNK), b"")
    if compression == "zstd":
        return _zstd(read)
    if compression == "gzip":
        return _members(read, _gzip, zlib.error, compression)
    if compression == "xz":
        import lzma

        return _members(read, lambda: lzma.LZMADecompressor(memlimit=1 << 30), lzma.LZMAError, compression)
    import bz2

    return _members(read, bz2.BZ2Decompressor, OSError, compression)


class _gzip:
    """zlib's object with the method that bz2's and lzma's have."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data


def _members(
    read: Read, make: Callable[[], Decompressor], error_type: type[Exception], name: str
) -> Iterator[bytes]:
    data = read(CHUNK)
    while data:
        decompressor = make()
        try:
            while True:
                piece = decompressor.decompress(data, CHUNK)
                if piece:
                    yield piece
                if decompressor.eof:
                    break
                data = read(CHUNK) if decompressor.needs_input else b""
                if not data and not piece and decompressor.needs_input:
                    raise InvalidLayer(f"{name} data ends too early")
        except error_type as error:
            raise InvalidLayer(f"broken {name} data: {error}") from error
        data = decompressor.unused_data or read(CHUNK)
        while data and not data.strip(b"\0"):
            data = read(CHUNK)


def _zstd(read: Read) -> Iterator[bytes]:
    import zstandard

    class Source:
        """What the library reads from."""

        def read(self, size: int = CHUNK) -> bytes:
            return read(size)

    # A window above 128 MiB needs a decoder with --long; no tool writes layers like that.
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    source: Any = Source()
    try:
        with decoder.stream_reader(source, read_size=CHUNK, read_across_frames=True) as reader:
            while piece := reader.read(CHUNK):
                yield piece
    except zstandard.ZstdError as error:
        raise InvalidLayer(f"broken zstd data: {error}") from error


class Compressor:
    """Compresses what is written, and hands it on."""

    def __init__(self, compression: str, write: Callable[[bytes], object], level: int = 0) -> None:
        self._write = write
        self._object: Any
        if compression == "gzip":
            # No name and no time in the header: the same layer is the same blob.
            self._object = zlib.compressobj(level or 6, wbits=31)
        elif compression == "zstd":
            import zstandard

            self._object = zstandard.ZstdCompressor(level=level or 3).compressobj()
        else:
            self._object = None

    def write(self, data: bytes | memoryview) -> None:
        """Takes uncompressed data."""
        if self._object is None:
            self._write(bytes(data))
        elif out := self._object.compress(data):
            self._write(out)

    def finish(self) -> None:
        """Hands on what is left."""
        if self._object is not None and (out := self._object.flush()):
            self._write(out)
