"""Tar archives, read as a stream: ustar, pax and GNU headers, sparse files of all kinds.

An own reader, as each number and name in a layer is hostile, and as layers have very many small files.
Formats: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format"
and "Storing Sparse Files".
"""

from __future__ import annotations

from ociimage.errors import InvalidLayer
from ociimage.layers.limits import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
_ZEROS = bytes(BLOCK)
# Names and links of more bytes are in no file system of Linux (PATH_MAX).
_PATH_MAX = 4096
_XATTR = b"SCHILY.xattr."

FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"


class Entry:
    """One member.

    Attributes:
        kind: one of the constants above.
        name, link: as they are in the archive.
        mode, uid, gid: numbers; mode without the type.
        mtime: nanoseconds since 1970.
        size: bytes of data in the archive; 0 but for files.
        real_size: of the file with its holes.
        segments: (offset, length) of each piece of data of a sparse file, or None.
        xattrs: values by name.
        major, minor: of a device.
    """

    __slots__ = (
        *("kind", "name", "link", "mode", "uid", "gid", "mtime", "size"),
        *("real_size", "segments", "xattrs", "major", "minor"),
    )

    kind: bytes
    name: bytes
    link: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    real_size: int
    segments: list[tuple[int, int]] | None
    xattrs: dict[bytes, bytes]
    major: int
    minor: int


class Stream:
    """Bytes that come in pieces, taken in the amounts that are needed."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._position = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes, or fewer at the end. For small amounts."""
        start = self._position
        end = start + size
        if end <= len(self._piece):
            self._position = end
            return self._piece[start:end]
        return b"".join(bytes(part) for part in self.parts(size))

    def whole(self, size: int) -> memoryview | None:
        """The next `size` bytes, if they are at hand."""
        end = self._position + size
        if end > len(self._piece):
            return None
        view = memoryview(self._piece)[self._position : end]
        self._position = end
        return view

    def parts(self, size: int) -> Iterator[memoryview]:
        """The next `size` bytes in pieces, or fewer at the end."""
        while size > 0:
            left = len(self._piece) - self._position
            if left == 0:
                piece = next(self._pieces, b"")
                if not piece:
                    return
                self._piece, self._position = piece, 0
                left = len(piece)
            amount = min(left, size)
            view = memoryview(self._piece)[self._position : self._position + amount]
            self._position += amount
            size -= amount
            yield view

    def skip(self, size: int) -> None:
        """Reads and forgets. Raises: InvalidLayer if there is not as much."""
        for part in self.parts(size):
            size -= len(part)
        if size:
            raise InvalidLayer("the archive ends within a file")

    def drain(self) -> None:
        """Reads to the end."""
        for _ in self._pieces:
            pass
        self._piece, self._position = b"", 0


class TarReader:
    """Iterates over the entries; the data of each is read, or else skipped, before the next."""

    def __init__(self, stream: Stream, limits: Limits | None = None) -> None:
        self.stream = stream
        self._limits = limits or Limits()
        self._left = 0
        self._padding = 0
        self._global: dict[bytes, bytes] = {}
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        while (entry := self.next()) is not None:
            yield entry

    def next(self) -> Entry | None:
        """The next entry, or None at the end. Raises: InvalidLayer"""
        if self._left or self._padding:
            self.stream.skip(self._left + self._padding)
            self._left = self._padding = 0
        name = link = b""
        pax: dict[bytes, bytes] = {}
        sparse: list[tuple[bytes, bytes]] = []
        while True:
            header = self.stream.take(BLOCK)
            if header == _ZEROS or not header:
                if not header and self.count == 0:
                    raise InvalidLayer("the archive is empty: it has not even an end")
                # The standard's end is two blocks of zeros; some writers leave one or both out.
                return None
            if len(header) < BLOCK:
                raise InvalidLayer("the archive ends within a header")
            _check_sum(header)
            kind = header[156:157]
            if kind == b"x":
                pax, sparse = self._pax(header)
            elif kind == b"g":
                self._global.update(self._pax(header)[0])
            elif kind == b"L":
                name = self._long(header)
            elif kind == b"K":
                link = self._long(header)
            else:
                break
        self.count += 1
        if self.count > self._limits.entries:
            raise InvalidLayer(f"the layer has more than {self._limits.entries} entries")
        entry = _entry(header, name, link)
        if self._global:
            pax = {**self._global, **pax}
        if pax:
            _apply(entry, pax)
        self._set_size(entry, header, pax, sparse)
        return entry

    def data(self) -> memoryview | None:
        """The current entry's data, all at once, if it is at hand; else use `parts`."""
        view = self.stream.whole(self._left)
        if view is not None:
            self._left = 0
        return view

    def parts(self) -> Iterator[memoryview]:
        """The current entry's data in pieces. Raises: InvalidLayer if the archive ends before."""
        for part in self.stream.parts(self._left):
            self._left -= len(part)
            yield part
        if self._left:
            raise InvalidLayer("the archive ends within a file")

    def _extra(self, header: bytes) -> bytes:
        """The data of an extended header."""
        size = _number(header, 124, 12, "size")
        if size > self._limits.header:
            raise InvalidLayer(f"an extended header of {size} bytes is more than {self._limits.header}")
        data = self.stream.take(size)
        if len(data) < size:
            raise InvalidLayer("the archive ends within an extended header")
        self.stream.skip(-size % BLOCK)
        return data

    def _long(self, header: bytes) -> bytes:
        return self._extra(header).rstrip(b"\0")

    def _pax(self, header: bytes) -> tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]:
        """The records, of which the last of a name counts; and those of GNU sparse format 0.0, which repeat."""
        data = self._extra(header)
        records: dict[bytes, bytes] = {}
        sparse = []
        position = 0
        while position < len(data):
            space = data.find(b" ", position, position + 20)
            digits = data[position:space] if space > 0 else b""
            if not digits.isdigit():
                if not data[position:].strip(b"\0"):
                    break
                raise InvalidLayer("a pax record has no length")
            end = position + int(digits)
            record = data[space + 1 : end]
            key, equals, value = record[:-1].partition(b"=")
            if end > len(data) or record[-1:] != b"\n" or not equals or not key:
                raise InvalidLayer("a pax record is not LENGTH NAME=VALUE")
            if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
                sparse.append((key, value))
            if b"\0" in key or (b"\0" in value and not key.startswith(_XATTR)):
                raise InvalidLayer(f"the pax record {key[:40]!r} holds a NUL")
            records[key] = value
            position = end
        return records, sparse

    def _set_size(
        self, entry: Entry, header: bytes, pax: dict[bytes, bytes], sparse: list[tuple[bytes, bytes]]
    ) -> None:
        if entry.kind != FILE:
            # Of a hard link some archives hold the size of the file, without its data (POSIX allows for both).
            if entry.kind != HARD_LINK or not pax.get(b"size"):
                entry.size = 0 if entry.kind in (HARD_LINK, SYMLINK, DIRECTORY) else entry.size
            if entry.size:
                raise InvalidLayer(f"{_shown(entry.name)} has data, though it is no file")
            entry.real_size = 0
            return
        entry.real_size = entry.size
        self._left = entry.size
        self._padding = -entry.size % BLOCK
        if header[156:157] == b"S":
            self._old_sparse(entry, header)
        elif b"GNU.sparse.major" in pax or b"GNU.sparse.map" in pax or sparse:
            self._pax_sparse(entry, pax, sparse)
        if entry.segments is not None:
            _check_segments(entry)

    def _old_sparse(self, entry: Entry, header: bytes) -> None:
        """Four segments in the header, and 21 in each block that follows it."""
        segments = _old_segments(header, 386, 4)
        extended = header[482]
        entry.real_size = _number(header, 483, 12, "real size")
        while extended:
            block = self.stream.take(BLOCK)
            if len(block) < BLOCK or len(segments) > 1_000_000:
                raise InvalidLayer(f"{_shown(entry.name)}: the map of a sparse file has no end")
            segments += _old_segments(block, 0, 21)
            extended = block[504]
        entry.segments = segments

    def _pax_sparse(self, entry: Entry, pax: dict[bytes, bytes], sparse: list[tuple[bytes, bytes]]) -> None:
        """GNU formats 0.0 (repeated records), 0.1 (one record) and 1.0 (in front of the data)."""
        entry.real_size = _decimal(
            pax.get(b"GNU.sparse.realsize") or pax.get(b"GNU.sparse.size") or b"", "size"
        )
        if b"GNU.sparse.name" in pax:
            entry.name = pax[b"GNU.sparse.name"]
        if b"GNU.sparse.major" in pax:
            if (pax[b"GNU.sparse.major"], pax.get(b"GNU.sparse.minor")) != (b"1", b"0"):
                raise InvalidLayer(f"{_shown(entry.name)}: a sparse file of an unknown format")
            numbers = self._map_before_data(entry)
        elif b"GNU.sparse.map" in pax:
            numbers = [_decimal(text, "map") for text in pax[b"GNU.sparse.map"].split(b",") if text]
        else:
            numbers = [_decimal(value, "map") for _, value in sparse]
        if len(numbers) % 2:
            raise InvalidLayer(f"{_shown(entry.name)}: the map of a sparse file is odd")
        entry.segments = list(zip(numbers[::2], numbers[1::2], strict=True))

    def _map_before_data(self, entry: Entry) -> list[int]:
        text = b""
        wanted = -1
        while wanted < 0 or text.count(b"\n") < wanted:
            block = self.stream.take(BLOCK)
            self._left -= BLOCK
            if len(block) < BLOCK or self._left < 0 or len(text) > self._limits.header:
                raise InvalidLayer(f"{_shown(entry.name)}: the map of a sparse file has no end")
            text += block
            if wanted < 0 and b"\n" in text:
                wanted = 1 + 2 * _decimal(text.partition(b"\n")[0], "map")
        entry.size = self._left
        return [_decimal(line, "map") for line in text.split(b"\n")[1:wanted]]


def _entry(header: bytes, name: bytes, link: bytes) -> Entry:
    """What the header itself says."""
    entry = Entry()
    kind = header[156:157]
    if not name:
        name = header[:100].partition(b"\0")[0]
        # GNU's own format has other things where ustar has the prefix.
        if header[257:263] == b"ustar\0" and header[345]:
            name = header[345:500].partition(b"\0")[0] + b"/" + name
    if kind in b"\x007S":
        # An old archive's directory is a file whose name ends with a slash.
        kind = DIRECTORY if kind == b"\0" and name.endswith(b"/") else FILE
    entry.kind = kind
    entry.name = name
    entry.link = link or (header[157:257].partition(b"\0")[0] if kind in b"12" else b"")
    # Nearly all numbers are octal, and ended by one NUL.
    entry.mode = _number(header, 100, 8, "mode") & 0o7777
    entry.uid = _number(header, 108, 8, "uid")
    entry.gid = _number(header, 116, 8, "gid")
    entry.size = _number(header, 124, 12, "size")
    entry.mtime = _clamped(_number(header, 136, 12, "mtime", negative=True) * 1_000_000_000)
    entry.segments = None
    entry.xattrs = {}
    if kind in b"34":
        entry.major = _number(header, 329, 8, "major")
        entry.minor = _number(header, 337, 8, "minor")
    else:
        entry.major = entry.minor = 0
    if kind not in b"0123456":
        raise InvalidLayer(f"{_shown(name)} is an entry of the unknown type {kind!r}")
    return entry


def _apply(entry: Entry, pax: dict[bytes, bytes]) -> None:
    """What pax records say goes before the header."""
    for key, value in pax.items():
        if key == b"path":
            if value:
                entry.name = value
        elif key == b"linkpath":
            entry.link = value
        elif key == b"size":
            entry.size = _decimal(value, "size")
        elif key == b"uid":
            entry.uid = _decimal(value, "uid")
        elif key == b"gid":
            entry.gid = _decimal(value, "gid")
        elif key == b"mtime":
            entry.mtime = _time(value)
        elif key.startswith(_XATTR):
            entry.xattrs[key[len(_XATTR) :]] = value


def _check_sum(header: bytes) -> None:
    """The sum of the header's bytes, its own field counted as spaces."""
    wanted = _number(header, 148, 8, "checksum")
    found = sum(header) - sum(header[148:156]) + 256
    if wanted != found:
        # Some old programs added signed bytes.
        signed = sum(byte - 256 for byte in header if byte > 127) + sum(byte for byte in header if byte < 128)
        field = header[148:156]
        if wanted != signed - sum(byte - 256 if byte > 127 else byte for byte in field) + 256:
            raise InvalidLayer("this is no tar archive, or it is damaged: the checksum of a header is wrong")


def _number(header: bytes, start: int, length: int, what: str, *, negative: bool = False) -> int:
    """An octal number; or base 256, if the first bit is set."""
    field = header[start : start + length]
    if field[0] >= 0x80:
        return _base256(field, negative)
    digits = field.rstrip(b"\0 ")
    if not digits.isdigit():
        digits = field.partition(b"\0")[0].strip(b" ") or b"0"
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise InvalidLayer(f"the {what} in a header is no number: {field!r}")
    return int(digits, 8)


def _base256(field: bytes, negative: bool) -> int:
    """The first byte is 0x80, or 0xff in front of a negative number."""
    if field[0] not in (0x80, 0xFF):
        raise InvalidLayer(f"a number in a header is out of range: {field!r}")
    value = (
        int.from_bytes(field[1:], "big") if field[0] == 0x80 else int.from_bytes(field, "big", signed=True)
    )
    if (value < 0 and not negative) or abs(value) >= 1 << 63:
        raise InvalidLayer(f"a number in a header is out of range: {value}")
    return value


def _decimal(text: bytes, what: str) -> int:
    if not text.isdigit() or len(text) > 19 or int(text) >= 1 << 63:
        raise InvalidLayer(f"the {what} in a pax record is no number: {text[:40]!r}")
    return int(text)


def _time(text: bytes) -> int:
    """Seconds with a fraction, in nanoseconds."""
    whole, _, fraction = text.partition(b".")
    sign = -1 if whole.startswith(b"-") else 1
    digits = whole.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 11 or (fraction and not fraction.isdigit()):
        raise InvalidLayer(f"the mtime in a pax record is no time: {text[:40]!r}")
    return _clamped(sign * (int(digits) * 1_000_000_000 + int((fraction[:9] or b"0").ljust(9, b"0"))))


def _clamped(nanoseconds: int) -> int:
    """Times beyond the year 2262 become that."""
    return max(-(1 << 63), min(nanoseconds, (1 << 63) - 1))


def _old_segments(block: bytes, start: int, count: int) -> list[tuple[int, int]]:
    segments = []
    for position in range(start, start + 24 * count, 24):
        if not block[position]:
            break
        offset = _number(block, position, 12, "offset")
        segments.append((offset, _number(block, position + 12, 12, "length")))
    return segments


def _check_segments(entry: Entry) -> None:
    """Ascending, apart, within the file, and together the data that there is."""
    end = total = 0
    for offset, length in entry.segments or ():
        if offset < end:
            raise InvalidLayer(f"{_shown(entry.name)}: the map of a sparse file is out of order")
        end = offset + length
        total += length
    if end > entry.real_size or total != entry.size:
        raise InvalidLayer(f"{_shown(entry.name)}: the map of a sparse file does not fit its data")


def _shown(name: bytes) -> str:
    """A name of unknown origin, short and on one line."""
    shown = repr(name.decode(errors="surrogateescape"))
    return shown if len(shown) <= 120 else f"{shown[:116]}...'"
