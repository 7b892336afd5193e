"""Unpacks one layer into a directory of its own, in the form that overlayfs reads.

Each name is split; its parents are opened from the layer's own root, without following a link and without
leaving it; and only the last component is acted on, by calls that follow no link. So nothing that a layer says
reaches outside, whatever links it holds. Whiteouts become character devices 0:0, opaque directories an xattr.

Spec: image-spec layer.md; kernel Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"
"""

from __future__ import annotations

import errno
import os
import stat

from ociimage.errors import ImageError, InvalidLayer
from ociimage.layers.limits import Limits
from ociimage.layers.remove import remove_tree
from ociimage.layers.tar_reader import (
    BLOCK_DEVICE,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARD_LINK,
    SYMLINK,
    Entry,
    TarReader,
    _shown,
)
from ociimage.native.syscalls import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, FileData, openat2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
# What is left of aufs, which had its own files beside the whiteouts.
_RESERVED = b".wh..wh."
_OVERLAY = (b"trusted.overlay.", b"user.overlay.", b"user.fuseoverlayfs.")
_XATTRS = (b"security.capability", b"system.posix_acl_access", b"system.posix_acl_default")
_MAX_ID = (1 << 32) - 2
_MAX_NAME = 4095
_PARENT = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
_KEPT_OPEN = 256
# How much is written between two looks at what is free.
_FREE_INTERVAL = 64 << 20


class Extractor:
    """Unpacks entries into the directory `root` (a descriptor that stays the caller's).

    Args:
        lower: descriptors of the layers below, uppermost first: a directory that the layer does not describe
            looks as it does there.
        rootless: in a user namespace, which makes no devices and has xattrs of its own for overlayfs.
        whiteouts: without, names such as `.wh.x` are files like others: the tar is no layer.
        owner: of directories that neither the tar nor a layer below describes.

    Attributes:
        size: bytes of all files written, holes included.
        entries: how many entries there were.
        opaque: whether the root itself is opaque: then nothing below shows.
    """

    def __init__(
        self,
        root: int,
        lower: Sequence[int] = (),
        *,
        rootless: bool = False,
        whiteouts: bool = True,
        owner: tuple[int, int] = (0, 0),
        limits: Limits | None = None,
    ) -> None:
        self._root = root
        self._whiteouts = whiteouts
        self._lower = lower
        self._owner = owner
        self._rootless = rootless
        self._limits = limits or Limits()
        self._xattr = b"user.overlay." if rootless else b"trusted.overlay."
        self._data = FileData()
        self._parents: dict[bytes, int] = {}
        self._times: dict[bytes, int] = {}
        self._unchecked = _FREE_INTERVAL
        self.size = 0
        self.entries = 0
        self.opaque = False

    def extract(self, reader: TarReader) -> None:
        """Unpacks all entries. Raises: InvalidLayer, OSError"""
        try:
            while (entry := reader.next()) is not None:
                self._put(entry, reader)
            self._set_times()
            self.entries = reader.count
        finally:
            self._close_parents()

    def _put(self, entry: Entry, reader: TarReader) -> None:
        parts = _split(entry.name)
        if entry.uid > _MAX_ID or entry.gid > _MAX_ID:
            raise InvalidLayer(f"{_shown(entry.name)}: the owner {entry.uid}:{entry.gid} is no id of Linux")
        if not parts:
            self._put_root(entry)
            return
        name = parts[-1]
        parent_path = b"/".join(parts[:-1])
        try:
            parent = self._parents.get(parent_path)
            if parent is None:
                parent = self._open_parent(parts[:-1], parent_path)
            if self._whiteouts and name.startswith(_WHITEOUT):
                self._put_whiteout(parent, parent_path, name, entry)
                return
            _PUT[entry.kind](self, parent, name, entry, reader)
        except OSError as error:
            raise _explained(error, entry) from error

    # Parents

    def _open_parent(self, parts: list[bytes], path: bytes) -> int:
        """The directory, opened without following a link; made where the layer does not mention it."""
        try:
            descriptor = self._open(path or b".")
        except FileNotFoundError:
            descriptor = self._make_parents(parts)
        if len(self._parents) >= _KEPT_OPEN:
            self._close_parents()
        self._parents[path] = descriptor
        return descriptor

    def _open(self, path: bytes) -> int:
        return open_beneath(self._root, path)

    def _make_parents(self, parts: list[bytes]) -> int:
        directory = os.dup(self._root)
        for number, name in enumerate(parts, 1):
            inner = -1
            try:
                inner = os.open(name, _PARENT, dir_fd=directory)
            except FileNotFoundError:
                looks = self._look_below(b"/".join(parts[:number]))
                self._data.set(stat.S_IMODE(looks.st_mode), looks.st_uid, looks.st_gid, 0)
                inner = _checked(self._data.put_directory(directory, name))
            finally:
                os.close(directory)
            directory = inner
        return directory

    def _look_below(self, path: bytes) -> os.stat_result:
        """Of the uppermost lower layer's directory with this path, else of a plain one."""
        for lower in self._lower:
            try:
                descriptor = open_beneath(lower, path)
            except OSError:
                continue
            try:
                return os.fstat(descriptor)
            finally:
                os.close(descriptor)
        return os.stat_result((stat.S_IFDIR | 0o755, 0, 0, 0, *self._owner, 0, 0, 0, 0))

    def _close_parents(self) -> None:
        for descriptor in self._parents.values():
            os.close(descriptor)
        self._parents.clear()

    # What replaces what

    def _make_room(self, parent: int, name: bytes) -> None:
        """Removes what an earlier entry has put there."""
        try:
            os.unlink(name, dir_fd=parent)
        except IsADirectoryError:
            # An open parent may lie within what goes.
            self._close_later(parent)
            remove_tree(parent, name)

    def _close_later(self, keep: int) -> None:
        for path, descriptor in list(self._parents.items()):
            if descriptor != keep:
                os.close(descriptor)
                del self._parents[path]

    def _count(self, size: int, entry: Entry) -> None:
        self.size += size
        if self.size > self._limits.bytes:
            raise InvalidLayer(
                f"{_shown(entry.name)}: the layer unpacks to more than {self._limits.bytes} bytes"
            )

    def _count_written(self, size: int) -> None:
        self._unchecked += size
        if self._unchecked >= _FREE_INTERVAL:
            self._unchecked = 0
            found = os.fstatvfs(self._root)
            if found.f_bavail * found.f_frsize < self._limits.free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # One function for each type

    def _put_root(self, entry: Entry) -> None:
        if entry.kind != DIRECTORY:
            raise InvalidLayer(f"{_shown(entry.name)}: the root of a layer is a directory")
        self._data.set(entry.mode, entry.uid, entry.gid, entry.mtime)
        _checked(self._data.finish_at(self._root, b"."))
        self._times[b""] = entry.mtime

    def _put_file(self, parent: int, name: bytes, entry: Entry, reader: TarReader) -> None:
        self._count(entry.real_size, entry)
        self._count_written(entry.size)
        self._data.set(entry.mode, entry.uid, entry.gid, entry.mtime)
        if entry.segments is None and not entry.xattrs:
            whole = reader.data()
            if whole is not None:
                result = self._data.put_file(parent, name, whole, len(whole))
                if result == -errno.EEXIST:
                    self._make_room(parent, name)
                    result = self._data.put_file(parent, name, whole, len(whole))
                _checked(result)
                return
        descriptor = self._data.begin_file(parent, name)
        if descriptor == -errno.EEXIST:
            self._make_room(parent, name)
            descriptor = self._data.begin_file(parent, name)
        _checked(descriptor)
        try:
            if entry.segments is None:
                for part in reader.parts():
                    _write(descriptor, part)
                    self._count_written(len(part))
            else:
                _write_sparse(descriptor, entry, reader)
            _checked(self._data.finish_file(descriptor))
            # After the owner: a change of owner takes file capabilities away.
            _set_xattrs(descriptor, entry)
        finally:
            os.close(descriptor)

    def _put_directory(self, parent: int, name: bytes, entry: Entry, reader: TarReader) -> None:
        self._data.set(entry.mode, entry.uid, entry.gid, entry.mtime)
        descriptor = self._data.put_directory(parent, name)
        opaque = False
        if descriptor == -errno.ENOTDIR or descriptor == -errno.ELOOP:
            opaque = self._is_whiteout(parent, name)
            self._make_room(parent, name)
            descriptor = self._data.put_directory(parent, name)
        _checked(descriptor)
        path = b"/".join(_split(entry.name))
        self._times[path] = entry.mtime
        old = self._parents.pop(path, -1)
        if old >= 0:
            os.close(old)
        if len(self._parents) >= _KEPT_OPEN:
            self._close_later(parent)
        self._parents[path] = descriptor
        if entry.xattrs:
            readable = os.open(b".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
            try:
                _set_xattrs(readable, entry)
            finally:
                os.close(readable)
        if opaque:
            # A whiteout of a name and a directory of that name: what was below is gone, and this is there.
            self._set_opaque(descriptor)

    def _put_symlink(self, parent: int, name: bytes, entry: Entry, reader: TarReader) -> None:
        _check_link(entry)
        self._make(parent, name, entry, lambda: os.symlink(entry.link, name, dir_fd=parent))

    def _put_hard_link(self, parent: int, name: bytes, entry: Entry, reader: TarReader) -> None:
        _check_link(entry)
        parts = _split(entry.link)
        if not parts:
            raise InvalidLayer(f"{_shown(entry.name)} is a hard link to the root")
        try:
            source = self._open(b"/".join(parts[:-1]) or b".")
        except FileNotFoundError as error:
            raise _no_target(entry) from error
        try:
            if _same_file(source, parts[-1], parent, name):
                return
            try:
                self._link(source, parts[-1], parent, name)
            except FileNotFoundError as error:
                raise _no_target(entry) from error
        finally:
            os.close(source)

    def _link(self, source: int, source_name: bytes, parent: int, name: bytes) -> None:
        def link() -> None:
            os.link(source_name, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)

        try:
            link()
        except FileExistsError:
            self._make_room(parent, name)
            link()

    def _put_node(self, parent: int, name: bytes, entry: Entry, reader: TarReader) -> None:
        kind = {CHARACTER: stat.S_IFCHR, BLOCK_DEVICE: stat.S_IFBLK, FIFO: stat.S_IFIFO}[entry.kind]
        if entry.kind != FIFO:
            if self._rootless:
                raise InvalidLayer(f"{_shown(entry.name)} is a device, which only root can make")
            if entry.major == entry.minor == 0:
                raise InvalidLayer(
                    f"{_shown(entry.name)} is the device 0:0, which means a whiteout to overlayfs"
                )
            if entry.major >= 1 << 12 or entry.minor >= 1 << 20:
                raise InvalidLayer(f"{_shown(entry.name)}: there is no device {entry.major}:{entry.minor}")
        device = os.makedev(entry.major, entry.minor)
        self._make(parent, name, entry, lambda: os.mknod(name, kind | 0o600, device, dir_fd=parent))

    def _make(self, parent: int, name: bytes, entry: Entry, make: object) -> None:
        """Makes what is no file and no directory, and gives it its owner, mode and time."""
        assert callable(make)
        try:
            make()
        except FileExistsError:
            self._make_room(parent, name)
            make()
        self._data.set(entry.mode, entry.uid, entry.gid, entry.mtime)
        _checked(self._data.finish_at(parent, name, is_link=entry.kind == SYMLINK))

    # Whiteouts

    def _put_whiteout(self, parent: int, parent_path: bytes, name: bytes, entry: Entry) -> None:
        if name == _OPAQUE:
            self._set_opaque(parent)
            if not parent_path:
                self.opaque = True
            return
        if name.startswith(_RESERVED):
            return
        hidden = name[len(_WHITEOUT) :]
        if hidden in (b"", b".", b".."):
            raise InvalidLayer(f"{_shown(entry.name)} hides no name")
        try:
            os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
        except FileExistsError:
            # The layer itself has this name, and whiteouts are about the layers below. What is there hides them,
            # but for a directory, with which they would be merged.
            if stat.S_ISDIR(os.stat(hidden, dir_fd=parent, follow_symlinks=False).st_mode):
                directory = os.open(hidden, _PARENT, dir_fd=parent)
                try:
                    self._set_opaque(directory)
                finally:
                    os.close(directory)

    def _is_whiteout(self, parent: int, name: bytes) -> bool:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0

    def _set_opaque(self, directory: int) -> None:
        readable = os.open(b".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
        try:
            os.setxattr(readable, self._xattr + b"opaque", b"y")
        finally:
            os.close(readable)

    def _set_times(self) -> None:
        """Directories last, as each entry in them has changed their times."""
        for path, mtime in reversed(self._times.items()):
            try:
                descriptor = self._open(path or b".")
            except OSError:
                continue  # an entry after it has replaced it
            try:
                os.utime(f"/proc/self/fd/{descriptor}", ns=(mtime, mtime))
            finally:
                os.close(descriptor)


_PUT = {
    FILE: Extractor._put_file,
    DIRECTORY: Extractor._put_directory,
    SYMLINK: Extractor._put_symlink,
    HARD_LINK: Extractor._put_hard_link,
    CHARACTER: Extractor._put_node,
    BLOCK_DEVICE: Extractor._put_node,
    FIFO: Extractor._put_node,
}


def open_beneath(root: int, path: bytes) -> int:
    """The directory (O_PATH) at this path below `root`, no component of which is a link.

    Raises: OSError: ELOOP or ENOTDIR for a link, EXDEV for what leaves the root.
    """
    try:
        return openat2(root, path, _PARENT, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
    except OSError as error:
        # A container's seccomp filter may not know the call; EPERM is what docker's answers.
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise
    return _walk(root, path)


def _walk(root: int, path: bytes) -> int:
    directory = os.open(b".", _PARENT, dir_fd=root)
    for name in path.split(b"/"):
        if name in (b"", b"."):
            continue
        try:
            if name == b"..":
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), os.fsdecode(path))
            inner = os.open(name, _PARENT, dir_fd=directory)
        finally:
            os.close(directory)
        directory = inner
    return directory


def _split(name: bytes) -> list[bytes]:
    """The components of a name below the layer's root, which a leading slash means too."""
    if not name or len(name) > _MAX_NAME or b"\0" in name:
        raise InvalidLayer(f"{_shown(name)} is no name of a file: empty, too long, or with a NUL")
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise InvalidLayer(f"{_shown(name)} climbs out of its directory")
    return parts


def _check_link(entry: Entry) -> None:
    if not entry.link or len(entry.link) > _MAX_NAME or b"\0" in entry.link:
        raise InvalidLayer(f"{_shown(entry.name)} is a link to no name: empty, too long, or with a NUL")


def _no_target(entry: Entry) -> InvalidLayer:
    return InvalidLayer(
        f"{_shown(entry.name)} is a hard link to {_shown(entry.link)}, which its layer does not hold"
    )


def _same_file(source: int, source_name: bytes, parent: int, name: bytes) -> bool:
    """Whether both names are links of one file already; making room for the second would remove the first."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        return os.path.samestat(os.stat(source_name, dir_fd=source, follow_symlinks=False), found)
    except FileNotFoundError:
        return False


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def _explained(error: OSError, entry: Entry) -> Exception:
    """The error with the entry's name, and what the number means here."""
    name = _shown(entry.name)
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EXDEV):
        return InvalidLayer(f"{name}: its path, or what it links to, leads through a link or a file")
    if error.errno == errno.ENAMETOOLONG:
        return InvalidLayer(f"{name}: the name is too long")
    if error.errno == errno.EINVAL and (entry.uid or entry.gid):
        return ImageError(
            f"unpack {name}: its owner {entry.uid}:{entry.gid} is not mapped in this user namespace: "
            "give the user more ids in /etc/subuid and /etc/subgid"
        )
    return ImageError(f"unpack {name}: {error.strerror}")


def _write(descriptor: int, view: memoryview) -> None:
    while view:
        view = view[os.write(descriptor, view) :]


def _write_sparse(descriptor: int, entry: Entry, reader: TarReader) -> None:
    """Each segment at its place; what is between them stays a hole."""
    os.ftruncate(descriptor, entry.real_size)
    segments = iter(entry.segments or ())
    room = 0
    for part in reader.parts():
        while part:
            while room == 0:
                offset, room = next(segments)
                os.lseek(descriptor, offset, os.SEEK_SET)
            piece = part[:room]
            _write(descriptor, piece)
            room -= len(piece)
            part = part[len(piece) :]


def _set_xattrs(descriptor: int, entry: Entry) -> None:
    """File capabilities, access lists, and what users may set. Others mean something to this host alone."""
    for name, value in entry.xattrs.items():
        if name.startswith(_OVERLAY):
            raise InvalidLayer(f"{_shown(entry.name)} has {_shown(name)}, which a layer may not bring along")
        if name.startswith(b"user.") or name in _XATTRS:
            try:
                os.setxattr(descriptor, name, value)
            except OSError as error:
                if error.errno != errno.ENOTSUP:
                    raise
