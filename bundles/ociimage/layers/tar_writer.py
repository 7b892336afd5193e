"""Tar streams of directories: whole trees, and what overlayfs's upper directory has changed.

The same tree gives the same bytes: names are in order, times are whole seconds, owners are numbers. Everything is
opened from the tree's root, without following links, so that a container may go on changing its own files.

Spec: image-spec layer.md, "Representing Changes"
"""

from __future__ import annotations

import errno
import os
import stat

from ociimage.errors import ImageError
from ociimage.layers.extract import open_beneath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BLOCK = 512
CHUNK = 1 << 20
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OCTAL_7 = 0o7777777
_OCTAL_11 = 0o77777777777
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.EISDIR)
_XATTRS = ("security.capability", "system.posix_acl_access", "system.posix_acl_default")
_END = bytes(2 * BLOCK)


def changes(upper: str, *, rootless: bool = False, maps: Sequence[str] | None = None) -> Iterator[bytes]:
    """The layer of what is in overlayfs's upper directory: whiteouts and opaque directories as layers spell them.

    Args:
        maps: (uid_map, gid_map) of the container, in the form of /proc/PID/uid_map, if what is on disk are the
            ids outside.
    """
    overlay = "user.overlay." if rootless else "trusted.overlay."
    ids = (_Inside(maps[0]), _Inside(maps[1])) if maps else None
    return _joined(_Writer(upper, xattr=overlay, ids=ids).write())


def tree(path: str, *, one_file_system: bool = False) -> Iterator[bytes]:
    """The tar of everything in a directory. With `one_file_system` mount points are empty directories."""
    return _joined(_Writer(path, one_file_system=one_file_system).write())


def _portable(name: str, value: bytes) -> bytes:
    """File capabilities of a user namespace carry its root's id (vfs_ns_cap_data), which is nobody elsewhere."""
    if name != "security.capability" or len(value) != 24 or value[3] != 3:
        return value
    return value[:3] + b"\x02" + value[4:20]


class _Inside:
    """The ids in a user namespace, by those outside."""

    def __init__(self, text: str) -> None:
        self._ranges = [tuple(map(int, line.split())) for line in text.splitlines()]

    def __call__(self, outside: int) -> int:
        for inside, start, length in self._ranges:
            if start <= outside < start + length:
                return outside - start + inside
        return 65534  # the overflow id: the container sees no other


class _Writer:
    """One walk through a tree."""

    def __init__(
        self,
        root: str,
        *,
        xattr: str = "",
        one_file_system: bool = False,
        ids: tuple[_Inside, _Inside] | None = None,
    ) -> None:
        self._ids = ids
        self._path = root
        self._overlay = xattr
        self._one_file_system = one_file_system
        self._links: dict[tuple[int, int], bytes] = {}
        self._root = -1
        self._parent = (b"", -1)

    def write(self) -> Iterator[bytes]:
        """All entries, each directory before what is in it."""
        self._root = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            top = os.fstat(self._root)
            yield self._header(b"./", b"5", top)
            stack = self._names(b"")
            while stack:
                path = stack.pop()
                try:
                    yield from self._entry(path, top.st_dev, stack)
                except OSError as error:
                    # Gone since it was listed, or replaced by something else since it was looked at.
                    if error.errno not in _GONE:
                        raise
            yield _END
        finally:
            os.close(self._root)
            if self._parent[1] >= 0:
                os.close(self._parent[1])

    def _header(
        self,
        name: bytes,
        kind: bytes,
        found: os.stat_result,
        size: int = 0,
        link: bytes = b"",
        xattrs: dict[str, bytes] | None = None,
    ) -> bytes:
        uid, gid = found.st_uid, found.st_gid
        if self._ids is not None:
            uid, gid = self._ids[0](uid), self._ids[1](gid)
        return header(name, kind, found, uid, gid, size=size, link=link, xattrs=xattrs)

    def _names(self, directory: bytes) -> list[bytes]:
        """The paths in the directory, last first."""
        descriptor = self._open_directory(directory)
        try:
            names = sorted(map(os.fsencode, os.listdir(descriptor)), reverse=True)
        finally:
            os.close(descriptor)
        return [directory + b"/" + name for name in names] if directory else names

    def _open_directory(self, path: bytes) -> int:
        try:
            beneath = open_beneath(self._root, path or b".")
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
            raise ImageError(f"read /{os.fsdecode(path)}: {error.strerror}") from error
        try:
            return os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=beneath)
        finally:
            os.close(beneath)

    def _open_parent(self, path: bytes) -> int:
        """The directory, which stays open until the next one is asked for."""
        if self._parent[1] < 0 or self._parent[0] != path:
            descriptor = self._open_directory(path)
            if self._parent[1] >= 0:
                os.close(self._parent[1])
            self._parent = (path, descriptor)
        return self._parent[1]

    def _entry(self, path: bytes, device: int, stack: list[bytes]) -> Iterator[bytes]:
        directory, _, name = path.rpartition(b"/")
        parent = self._open_parent(directory)
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFDIR:
            descriptor = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=parent)
            try:
                xattrs = self._xattrs(descriptor)
            finally:
                os.close(descriptor)
            yield self._header(path + b"/", b"5", found, xattrs=xattrs)
            if xattrs.get(f"{self._overlay}opaque") == b"y" and self._overlay:
                yield _marker(path + b"/.wh..wh..opq")
            if not self._one_file_system or found.st_dev == device:
                stack += self._names(path)
            return
        if self._overlay and kind == stat.S_IFCHR and found.st_rdev == 0:
            yield _marker((directory + b"/" if directory else b"") + b".wh." + name)
            return
        if kind == stat.S_IFSOCK:
            return  # means nothing without the process behind it
        if found.st_nlink > 1:
            first = self._links.setdefault((found.st_dev, found.st_ino), path)
            if first is not path:
                yield self._header(path, b"1", found, link=first)
                return
        if kind == stat.S_IFREG:
            yield from self._file(path, name, parent)
        elif kind == stat.S_IFLNK:
            yield self._header(path, b"2", found, link=os.readlink(name, dir_fd=parent))
        else:
            yield self._header(path, _KINDS[kind], found)

    def _file(self, path: bytes, name: bytes, parent: int) -> Iterator[bytes]:
        descriptor = os.open(name, _OPEN, dir_fd=parent)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return  # replaced since it was looked at
            size = found.st_size
            yield self._header(path, b"0", found, size=size, xattrs=self._xattrs(descriptor))
            left = size
            while left > 0:
                data = os.read(descriptor, min(left, CHUNK))
                if not data:
                    break
                left -= len(data)
                yield data
            # It has become shorter: the header is out already.
            while left > 0:
                yield bytes(min(left, CHUNK))
                left -= min(left, CHUNK)
            if size % BLOCK:
                yield bytes(-size % BLOCK)
        finally:
            os.close(descriptor)

    def _xattrs(self, descriptor: int) -> dict[str, bytes]:
        """Those that layers have, and overlayfs's own."""
        try:
            names = os.listxattr(descriptor)
        except OSError:
            return {}
        if not names:
            return {}
        return {
            name: _portable(name, os.getxattr(descriptor, name))
            for name in sorted(names)
            if name in _XATTRS
            or name == f"{self._overlay}opaque"
            or (name.startswith("user.") and not name.startswith(("user.overlay.", "user.fuseoverlayfs.")))
        }


_KINDS = {stat.S_IFCHR: b"3", stat.S_IFBLK: b"4", stat.S_IFIFO: b"6"}


def header(
    name: bytes,
    kind: bytes,
    found: os.stat_result,
    uid: int = 0,
    gid: int = 0,
    *,
    size: int = 0,
    link: bytes = b"",
    xattrs: dict[str, bytes] | None = None,
) -> bytes:
    """The header of an entry: ustar, after a pax header for what ustar has no room for."""
    mtime = int(found[stat.ST_MTIME])
    records = [
        (b"SCHILY.xattr." + key.encode(), value)
        for key, value in (xattrs or {}).items()
        if not key.startswith(("trusted.overlay.", "user.overlay."))
    ]
    prefix = b""
    if len(name) > 100:
        prefix, name_field = _divided(name)
        if not name_field:
            records.append((b"path", name))
            prefix, name_field = b"", name[:100]
    else:
        name_field = name
    if len(link) > 100:
        records.append((b"linkpath", link))
    if uid > _OCTAL_7:
        records.append((b"uid", b"%d" % uid))
        uid = 0
    if gid > _OCTAL_7:
        records.append((b"gid", b"%d" % gid))
        gid = 0
    if size > _OCTAL_11:
        records.append((b"size", b"%d" % size))
        size = 0
    if not 0 <= mtime <= _OCTAL_11:
        records.append((b"mtime", b"%d" % mtime))
        mtime = 0
    major = minor = 0
    if kind in (b"3", b"4"):
        major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
    mode = stat.S_IMODE(found.st_mode)
    block = _ustar(name_field, mode, uid, gid, size, mtime, kind, link[:100], major, minor, prefix)
    return _pax(records) + block if records else block


def _ustar(
    name: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    kind: bytes,
    link: bytes,
    major: int,
    minor: int,
    prefix: bytes,
) -> bytes:
    start = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (name.ljust(100, b"\0"), mode, uid, gid, size, mtime)
    rest = b"%b%bustar\00000%b%07o\0%07o\0%b" % (
        *(kind, link.ljust(100, b"\0"), bytes(64), major, minor),
        prefix.ljust(167, b"\0"),
    )
    return b"%b%06o\0 %b" % (start, sum(start) + sum(rest) + 8 * 32, rest)


def _pax(records: list[tuple[bytes, bytes]]) -> bytes:
    """An extended header with these records."""
    body = b""
    for key, value in records:
        length = len(key) + len(value) + 3
        # The length counts its own digits.
        total = length + len(str(length))
        total = length + len(str(total))
        body += b"%d %b=%b\n" % (total, key, value)
    block = _ustar(b"././@PaxHeader", 0o644, 0, 0, len(body), 0, b"x", b"", 0, 0, b"")
    return block + body + bytes(-len(body) % BLOCK)


def _divided(name: bytes) -> tuple[bytes, bytes]:
    """Prefix and name, at a slash where both fit; nothing if there is none."""
    # Not the slash that ends a directory's name.
    slash = name.find(b"/", len(name) - 101, len(name) - 1)
    if 0 < slash <= 155:
        return name[:slash], name[slash + 1 :]
    return b"", b""


def _marker(name: bytes) -> bytes:
    """An empty file, whose name is all that it says."""
    return header(name, b"0", os.stat_result((stat.S_IFREG, 0, 0, 0, 0, 0, 0, 0, 0, 0)))


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Small pieces in pieces of about CHUNK bytes."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    if waiting:
        yield b"".join(waiting)
