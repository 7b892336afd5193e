"""The extractor: what it makes of layers, and what it makes of hostile ones.

Each hostile layer is unpacked beside a canary: nothing outside the layer's own directory may change.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from ociimage.errors import ImageError, InvalidLayer
from ociimage.layers import extract as extract_module
from ociimage.layers.extract import Extractor
from ociimage.layers.limits import Limits
from ociimage.layers.tar_reader import Stream, TarReader

from .maker import directory, entry, header_of, layer, symlink


class Canary:
    """A directory of the host with known content, and a directory to unpack into beside it."""

    def __init__(self, place: Path) -> None:
        self.root = place / "root"
        self.lower = place / "lower"
        self.root.mkdir()
        self.lower.mkdir()
        self.outside = place / "canary"
        self.outside.mkdir(mode=0o750)
        (self.outside / "victim").write_text("untouched")
        (self.outside / "directory").mkdir()
        self._before = self._look()

    def _look(self) -> list[tuple[str, int, int, int, int, list[str]]]:
        found = []
        for path in sorted([self.outside, *self.outside.rglob("*"), self.root.parent]):
            status = path.lstat()
            mtime = 0 if path == self.root.parent else status.st_mtime_ns
            found.append(
                (str(path), status.st_mode, status.st_uid, mtime, status.st_nlink, os.listxattr(path))
            )
        return found

    def unpack(self, *entries: bytes, rootless: bool = False, limits: Limits | None = None) -> None:
        """The layer is unpacked into the root, with a lower layer below it."""
        descriptors = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in (self.root, self.lower)]
        count = len(os.listdir("/proc/self/fd"))
        try:
            extractor = Extractor(descriptors[0], descriptors[1:], rootless=rootless, limits=limits)
            stream = Stream(iter([layer(*entries)]))
            extractor.extract(TarReader(stream, limits))
        finally:
            assert len(os.listdir("/proc/self/fd")) == count
            for each in descriptors:
                os.close(each)
            assert self._look() == self._before
            assert (self.outside / "victim").read_text() == "untouched"


@pytest.fixture(params=["openat2", "walk"])
def canary(request: pytest.FixtureRequest, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """With openat2, and as where a seccomp filter refuses it."""
    if request.param == "walk":

        def refused(*arguments: object) -> int:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(extract_module, "openat2", refused)
    yield Canary(place)


def test_a_layer_becomes_what_it_says(canary: Canary) -> None:
    """Types, content, owners, modes, times, links."""
    canary.unpack(
        directory("./", 0o1777, uid=5),
        directory("bin"),
        entry("bin/su", data=b"x" * 3000, mode=0o4755, uid=1, gid=2),
        entry("bin/copy", b"1", link="./bin/su"),
        symlink("sbin", "bin"),
        symlink("dangling", "../../../../etc/passwd"),
        entry("pipe", b"6", mode=0o600),
        entry("dev/null", b"3", device=(1, 3), mode=0o666),
        entry("dev/loop", b"4", device=(7, 0), mode=0o660, gid=6),
        entry("/absolute//name/./here", data=b"in the layer"),
        entry("huge", data=b"", uid=4_294_967_294, gid=3_000_000_000),
        entry("before", mtime=0),
    )
    root = canary.root
    su = (root / "bin/su").stat()
    assert (stat.S_IMODE(su.st_mode), su.st_uid, su.st_gid, su.st_size, su.st_nlink) == (
        0o4755,
        1,
        2,
        3000,
        2,
    )
    assert su.st_mtime_ns == 1_600_000_000 * 10**9
    assert (root / "bin/copy").samefile(root / "bin/su")
    assert os.readlink(root / "dangling") == "../../../../etc/passwd"
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)
    null = (root / "dev/null").stat()
    assert (stat.S_ISCHR(null.st_mode), null.st_rdev, stat.S_IMODE(null.st_mode)) == (
        True,
        os.makedev(1, 3),
        0o666,
    )
    assert stat.S_ISBLK((root / "dev/loop").stat().st_mode)
    assert (root / "absolute/name/here").read_text() == "in the layer"
    assert ((root / "huge").stat().st_uid, (root / "huge").stat().st_gid) == (4_294_967_294, 3_000_000_000)
    assert stat.S_IMODE(root.stat().st_mode) == 0o1777 and root.stat().st_uid == 5
    # Directories have their own times, though files were put into them later.
    assert (root / "bin").stat().st_mtime == 1_600_000_000
    assert stat.S_IMODE((root / "dev").stat().st_mode) == 0o755


OUT = "../canary"
HOSTILE = {
    "climbing name": [entry("../canary/new", data=b"x")],
    "climbing inside": [directory("a"), entry("a/../../canary/victim", data=b"x")],
    "climbing directory": [directory("../canary/directory", 0o777)],
    "empty name": [entry("", data=b"x")],
    "only dots": [entry("..", data=b"x")],
    "dot as a file": [entry(".", data=b"x")],
    "long name": [entry("a/" * 2500 + "x", data=b"x")],
    "long component": [entry("a" * 256, data=b"x")],
    "link, then through it": [symlink("d", OUT), entry("d/victim", data=b"x")],
    "link, then a directory through it": [symlink("d", OUT), directory("d/directory", 0o777)],
    "file two levels behind a link": [symlink("d", OUT), entry("d/directory/x", data=b"x")],
    "hard link two levels behind a link": [symlink("d", ".."), entry("h", b"1", link="d/canary/victim")],
    "whiteout two levels behind a link": [symlink("d", ".."), entry("d/canary/.wh.victim")],
    "marker two levels behind a link": [symlink("d", OUT), entry("d/directory/.wh..wh..opq")],
    "new directories behind a link": [symlink("d", ".."), entry("d/canary/a/b/c", data=b"x")],
    "chain of links": [symlink("a", "b"), symlink("b", ".."), entry("a/canary/victim", data=b"x")],
    "link within, then through it": [directory("real"), symlink("d", "real"), entry("d/x", data=b"x")],
    "link to itself": [symlink("d", "d"), entry("d/x", data=b"x")],
    "file as a directory": [entry("f", data=b"x"), entry("f/x", data=b"x")],
    "hard link to outside": [entry("h", b"1", link="../canary/victim")],
    "hard link through a link": [symlink("d", OUT), entry("h", b"1", link="d/victim")],
    "hard link in a directory through a link": [entry("f"), symlink("d", OUT), entry("d/h", b"1", link="f")],
    "hard link to nothing": [entry("h", b"1", link="nothing")],
    "hard link to the root": [entry("h", b"1", link=".")],
    "hard link without a target": [entry("h", b"1")],
    "whiteout through a link": [symlink("d", OUT), entry("d/.wh.victim")],
    "opaque marker through a link": [symlink("d", OUT), entry("d/.wh..wh..opq")],
    "climbing whiteout": [entry("../canary/.wh.victim")],
    "whiteout of ..": [entry(".wh...")],
    "whiteout of .": [entry(".wh..")],
    "whiteout of nothing": [entry(".wh.")],
    "a device that is a whiteout": [entry("w", b"3", device=(0, 0))],
    "a device out of range": [entry("w", b"3", device=(0o7777777, 0o7777777))],
    "a device through a link": [symlink("d", OUT), entry("d/null", b"3", device=(1, 3))],
    "a pipe through a link": [symlink("d", OUT), entry("d/pipe", b"6")],
    "a link through a link": [symlink("d", OUT), symlink("d/link", "x")],
    "trusted xattr of overlayfs": [entry("f", pax={"SCHILY.xattr.trusted.overlay.redirect": b"/x"})],
    "user xattr of overlayfs": [entry("f", pax={"SCHILY.xattr.user.overlay.metacopy": b"x"})],
    "xattr of fuse-overlayfs": [directory("f", pax={"SCHILY.xattr.user.fuseoverlayfs.opaque": b"y"})],
    "owner beyond the range": [entry("f", uid=4_294_967_295)],
    "huge owner": [entry("f", gid=1 << 40)],
    "symlink to nothing": [symlink("l", "")],
    "symlink with a NUL": [entry("l", b"2", pax={"linkpath": b"a\0b"})],
    "name with a NUL": [entry("l", pax={"path": b"a\0b"})],
    "unknown type": [entry("l", b"D")],
}


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_hostile_layers_are_refused(canary: Canary, case: str) -> None:
    """With an error that names the entry, and nothing outside is read or written."""
    refused(canary, *HOSTILE[case])


def test_absolute_links_lead_nowhere_either(canary: Canary) -> None:
    """A link to the canary itself is made, and not gone through; a hard link to it is one within the layer."""
    refused(canary, symlink("d", str(canary.outside)), entry("d/victim", data=b"x"))
    refused(canary, entry("h", b"1", link=f"{canary.outside}/victim"))


def refused(canary: Canary, *entries: bytes) -> None:
    """The layer is refused, in one line."""
    with pytest.raises(InvalidLayer) as caught:
        canary.unpack(*entries)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_devices_are_refused_without_root(canary: Canary) -> None:
    """And nothing else."""
    with pytest.raises(InvalidLayer, match="only root"):
        canary.unpack(entry("null", b"3", device=(1, 3)), rootless=True)
    canary.unpack(entry("pipe", b"6"), rootless=True)


def test_later_entries_replace_earlier_ones(canary: Canary) -> None:
    """Of whatever types: files, directories with content, links, which are replaced and never followed."""
    canary.unpack(
        entry("file", data=b"1"),
        directory("file"),
        entry("file/in", data=b"2"),
        directory("dir"),
        directory("dir/deep/er"),
        entry("dir/deep/er/x", data=b"3"),
        entry("dir", data=b"4"),
        symlink("link", OUT),
        directory("link"),
        entry("link/victim", data=b"5"),
        symlink("to", f"{OUT}/victim"),
        entry("to", data=b"6"),
        entry("again", data=b"7"),
        entry("again", b"1", link="again"),
        entry("one", data=b"8"),
        entry("two", data=b"9"),
        entry("two", b"1", link="one"),
        entry("pipe", b"6"),
        symlink("pipe", "x"),
    )
    root = canary.root
    assert (root / "file/in").read_text() == "2"
    assert (root / "dir").read_text() == "4"
    assert (root / "link/victim").read_text() == "5" and not (root / "link").is_symlink()
    assert (root / "to").read_text() == "6" and not (root / "to").is_symlink()
    assert (root / "again").read_text() == "7"
    assert (root / "two").read_text() == "8"
    assert os.readlink(root / "pipe") == "x"


def test_whiteouts_take_overlayfs_form(canary: Canary) -> None:
    """A device 0:0 for a name, an xattr for a directory; aufs's own files are left out."""
    canary.unpack(
        entry("gone/.wh.file"),
        entry("opaque/.wh..wh..opq"),
        entry("opaque/new", data=b"x"),
        entry(".wh..wh.plnk"),
        entry(".wh..wh.aufs"),
        # A layer that hides a name and has it: what it has stays, and is merged with nothing.
        entry(".wh.first"),
        directory("first"),
        directory("second"),
        entry(".wh.second"),
        entry(".wh.third"),
        entry("third", data=b"x"),
        entry("fourth", data=b"x"),
        entry(".wh.fourth"),
    )
    root = canary.root
    found = (root / "gone/file").lstat()
    assert stat.S_ISCHR(found.st_mode) and found.st_rdev == 0
    for name in ("opaque", "first", "second"):
        assert os.getxattr(root / name, "trusted.overlay.opaque") == b"y"
    assert (root / "third").read_text() == (root / "fourth").read_text() == "x"
    assert not [name for name in os.listdir(root) if name.startswith(".wh")]


def test_rootless_layers_have_xattrs_of_their_own(canary: Canary) -> None:
    """Which overlayfs reads in a user namespace (`userxattr`)."""
    canary.unpack(entry("opaque/.wh..wh..opq"), rootless=True)
    assert os.listxattr(canary.root / "opaque") == ["user.overlay.opaque"]


def test_file_capabilities_and_user_xattrs_are_kept(canary: Canary) -> None:
    """Others are about the host, and left out."""
    capability = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
    canary.unpack(
        entry(
            "ping",
            data=b"x",
            uid=7,
            pax={
                "SCHILY.xattr.security.capability": capability,
                "SCHILY.xattr.user.mine": b"a\0b=c\n",
                "SCHILY.xattr.security.selinux": b"system_u:object_r:bin_t:s0",
                "SCHILY.xattr.trusted.other": b"x",
            },
        ),
        directory("d", pax={"SCHILY.xattr.user.mine": b"d"}),
    )
    ping = canary.root / "ping"
    assert os.getxattr(ping, "security.capability") == capability
    assert os.getxattr(ping, "user.mine") == b"a\0b=c\n"
    assert sorted(os.listxattr(ping)) == ["security.capability", "user.mine"]
    assert os.getxattr(canary.root / "d", "user.mine") == b"d"


def test_directories_that_a_layer_does_not_mention_look_as_below(canary: Canary) -> None:
    """The owner and the mode of /tmp stay, though the layer has only a file in it."""
    (canary.lower / "tmp").mkdir()
    (canary.lower / "tmp").chmod(0o1777)
    os.chown(canary.lower / "tmp", 3, 4)
    (canary.lower / "link").symlink_to(canary.outside)
    canary.unpack(entry("tmp/x", data=b"x"), entry("link/x", data=b"x"))
    found = (canary.root / "tmp").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o1777, 3, 4)
    assert stat.S_IMODE((canary.root / "link").stat().st_mode) == 0o755


def sparse(name: str, segments: list[tuple[int, int]], real: int, data: bytes) -> bytes:
    """GNU's format 1.0: the map is in front of the data."""
    numbers = [len(segments), *(number for segment in segments for number in segment)]
    text = "".join(f"{number}\n" for number in numbers).encode()
    records = {
        "GNU.sparse.major": b"1",
        "GNU.sparse.minor": b"0",
        "GNU.sparse.name": name.encode(),
        "GNU.sparse.realsize": str(real).encode(),
    }
    return header_of(records) + entry(
        "GNUSparseFile.0/x", data=text.ljust(-(-len(text) // 512) * 512, b"\0") + data
    )


def test_sparse_files_keep_their_holes(canary: Canary) -> None:
    """A file of 64 MiB with one byte at its end takes a few blocks."""
    size = 64 << 20
    canary.unpack(sparse("holes", [(0, 2), (size - 1, 1)], size, b"abz"), entry("after", data=b"x"))
    found = (canary.root / "holes").stat()
    assert found.st_size == size and found.st_blocks * 512 < 1 << 20
    with open(canary.root / "holes", "rb") as file:
        assert file.read(3) == b"ab\0"
        file.seek(size - 1)
        assert file.read() == b"z"
    assert (canary.root / "after").read_text() == "x"


def test_bombs_end_with_an_error(canary: Canary) -> None:
    """Files that are said to be huge, entries without end, and a full disk."""
    with pytest.raises(InvalidLayer, match="more than"):
        canary.unpack(sparse("huge", [(0, 1)], 2 << 40, b"a"))
    with pytest.raises(InvalidLayer, match="more than 1000 entries"):
        canary.unpack(*([entry("x")] * 1001), limits=Limits(entries=1000))
    with pytest.raises(InvalidLayer, match="more than 1000 bytes"):
        canary.unpack(entry("a", data=b"x" * 600), entry("b", data=b"x" * 600), limits=Limits(bytes=1000))
    with pytest.raises(ImageError, match="No space left"):
        canary.unpack(entry("c", data=b"x"), limits=Limits(free=1 << 62))


def test_deep_trees_are_made_and_replaced(canary: Canary) -> None:
    """Deeper than descriptors and recursion would go."""
    deep = "d/" * 1100
    canary.unpack(entry(f"{deep}file", data=b"x"), entry("d", data=b"flat"))
    assert (canary.root / "d").read_text() == "flat"
