"""The reader of tar archives, against the standard library's writer and by hand."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from ociimage.errors import InvalidLayer
from ociimage.layers.limits import Limits
from ociimage.layers.tar_reader import FILE, Entry, Stream, TarReader

END = bytes(1024)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """`data` in pieces of `size` bytes."""
    for position in range(0, len(data), size):
        yield data[position : position + size]


def read(data: bytes, size: int = 4096, limits: Limits | None = None) -> list[tuple[Entry, bytes]]:
    """All entries with their data, from a stream of pieces of `size` bytes."""
    reader = TarReader(Stream(pieces(data, size)), limits)
    return [(entry, b"".join(bytes(part) for part in reader.parts())) for entry in reader]


def raw(name: bytes, kind: bytes = b"0", data: bytes = b"", **fields: bytes) -> bytes:
    """A ustar entry, field by field."""
    values = {
        "mode": b"0000644\0",
        "uid": b"0000000\0",
        "gid": b"0000000\0",
        "size": b"%011o\0" % len(data),
        "mtime": b"00000000000\0",
        "link": b"",
        **fields,
    }
    start = (
        name.ljust(100, b"\0")
        + values["mode"]
        + values["uid"]
        + values["gid"]
        + values["size"]
        + values["mtime"]
    )
    rest = kind + values["link"].ljust(100, b"\0") + values.get("rest", b"ustar\00000").ljust(255, b"\0")
    total = sum(start) + sum(rest) + 8 * 32
    return start + values.get("sum", b"%06o\0 " % total) + rest + data + bytes(-len(data) % 512)


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    """An extended header with records as they are."""
    return raw(b"pax", kind, b"".join(records))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("size", [1, 511, 513, 1 << 20])
def test_what_the_standard_library_writes_is_read(form: int, size: int) -> None:
    """In each format, however the bytes are cut."""
    out = io.BytesIO()
    long = "d" * 60 + "/" + "f" * 90
    link = "short" if form == tarfile.USTAR_FORMAT else "t/" * 100 + "x"
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, kind in ((long, tarfile.REGTYPE), ("dir", tarfile.DIRTYPE), ("link", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.gid, member.mtime = (
                kind,
                0o4755,
                1000,
                65534,
                1_600_000_000,
            )
            member.linkname = link if kind == tarfile.SYMTYPE else ""
            member.size = 1000 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"x" * 1000))
    entries = read(out.getvalue(), size)
    assert [entry.name.rstrip(b"/") for entry, _ in entries] == [long.encode(), b"dir", b"link"]
    assert [entry.kind for entry, _ in entries] == [b"0", b"5", b"2"]
    assert entries[0][1] == b"x" * 1000
    assert entries[2][0].link == link.encode()
    assert {(e.mode, e.uid, e.gid, e.mtime) for e, _ in entries} == {
        (0o4755, 1000, 65534, 1_600_000_000 * 10**9)
    }


def test_numbers_beyond_octal_are_read() -> None:
    """GNU's base 256, and pax records, of which the last of a name counts."""
    huge = (3_000_000_000).to_bytes(8, "big")
    entry, _ = read(raw(b"a", uid=b"\x80" + huge[1:]) + END)[0]
    assert entry.uid == 3_000_000_000
    old = b"\xff" * 4 + (-5).to_bytes(8, "big", signed=True)
    assert read(raw(b"a", mtime=old) + END)[0][0].mtime == -5 * 10**9
    entry, _ = read(pax(*records("uid=1", "uid=2", "mtime=-1.25")) + raw(b"a") + END)[0]
    assert (entry.uid, entry.mtime) == (2, -1_250_000_000)


def test_global_records_hold_until_they_are_replaced() -> None:
    """Those of one entry go before them."""
    data = pax(b"8 uid=7\n", kind=b"g") + raw(b"a") + pax(b"8 uid=8\n") + raw(b"b") + raw(b"c") + END
    assert [entry.uid for entry, _ in read(data)] == [7, 8, 7]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 512,
        raw(b"a")[:300],
        raw(b"a", data=b"x" * 600)[:700],
        raw(b"a", sum=b"000000\0 ") + END,
        raw(b"a", size=b"-0000000001\0") + END,
        raw(b"a", size=b"0000000000x\0") + END,
        raw(b"a", size=b"0000_000001\0") + END,
        raw(b"a", size=b"\xff" * 12) + END,
        raw(b"a", size=b"\x80" + b"\xff" * 11) + END,
        raw(b"a", uid=b"\x90" + bytes(7)) + END,
        raw(b"a", b"V") + END,
        raw(b"a", b"3", data=b"data") + END,
        pax(b"9 uid=1\n") + raw(b"a") + END,
        pax(b"8 uid=x\n") + raw(b"a") + END,
        pax(b"9 uid=-1\n") + raw(b"a") + END,
        pax(b"99 uid=1\n") + raw(b"a") + END,
        pax(b"uid=1\n") + raw(b"a") + END,
        pax(b"6 uid\n") + raw(b"a") + END,
        pax(b"11 path=a\0\n") + raw(b"a") + END,
        pax(b"30 size=99999999999999999999\n") + raw(b"a") + END,
        pax(b"15 mtime=later\n") + raw(b"a") + END,
        raw(b"pax", b"x", size=b"%011o\0" % (1 << 30)) + END,
        raw(b"long", b"L", size=b"%011o\0" % (1 << 30)) + END,
    ],
)
def test_broken_archives_are_refused(data: bytes) -> None:
    """With an error of one line, and without reading on."""
    with pytest.raises(InvalidLayer) as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_the_number_of_entries_is_bounded() -> None:
    """One more than the limit is refused."""
    data = raw(b"a") * 11 + END
    with pytest.raises(InvalidLayer, match="more than 10 entries"):
        read(data, limits=Limits(entries=10))
    assert len(read(data, limits=Limits(entries=11))) == 11


def old_sparse(segments: list[tuple[int, int]], real: int, data: bytes) -> bytes:
    """GNU's first form: the map is in the header."""
    header = b"ustar  \0".ljust(129, b"\0")
    for offset, length in segments:
        header += b"%011o\0%011o\0" % (offset, length)
    header = header.ljust(129 + 96, b"\0") + b"\0" + b"%011o\0" % real
    return raw(b"hole", b"S", data, rest=header) + END


def test_sparse_files_of_all_forms_are_read() -> None:
    """Each has the same map; the name and the real size are those of the file."""
    wanted = [(512, 3), (4096, 2)]
    forms = [
        old_sparse(wanted, 5000, b"abcde"),
        pax(*records("GNU.sparse.size=5000", "GNU.sparse.map=512,3,4096,2"))
        + raw(b"hole", data=b"abcde")
        + END,
        pax(
            *records(
                *("GNU.sparse.size=5000", "GNU.sparse.offset=512", "GNU.sparse.numbytes=3"),
                *("GNU.sparse.offset=4096", "GNU.sparse.numbytes=2"),
            )
        )
        + raw(b"hole", data=b"abcde")
        + END,
        pax(
            *records(
                *(
                    "GNU.sparse.major=1",
                    "GNU.sparse.minor=0",
                    "GNU.sparse.name=hole",
                    "GNU.sparse.realsize=5000",
                ),
            )
        )
        + raw(b"GNUSparseFile.1/hole", data=b"2\n512\n3\n4096\n2\n".ljust(512, b"\0") + b"abcde")
        + END,
    ]
    for data in forms:
        [(entry, content)] = read(data)
        assert (entry.kind, entry.name, entry.real_size, entry.segments) == (FILE, b"hole", 5000, wanted)
        assert content == b"abcde"


@pytest.mark.parametrize(
    ("segments", "real"), [([(10, 5)], 5), ([(0, 4)], 10), ([(5, 3), (0, 2)], 10), ([(0, 3), (2, 2)], 10)]
)
def test_maps_that_do_not_fit_are_refused(segments: list[tuple[int, int]], real: int) -> None:
    """Out of the file, out of order, over each other, or more or less than the data."""
    with pytest.raises(InvalidLayer, match="map of a sparse file"):
        read(old_sparse(segments, real, b"abcde"))


def records(*texts: str) -> list[bytes]:
    """Pax records with their lengths."""
    found = []
    for text in texts:
        length = len(text) + 2
        length += len(str(length + len(str(length))))
        found.append(f"{length} {text}\n".encode())
    return found
