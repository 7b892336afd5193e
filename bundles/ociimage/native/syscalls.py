"""The only importer of the compiled module: calls named like the kernel's, that raise OSError.

Descriptors that come back are close-on-exec and belong to the caller.
"""

from __future__ import annotations

import os

from ociimage.native._native import ffi, lib

# linux/openat2.h
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

# linux/mount.h
MOUNT_ATTR_NODEV = 0x4
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

AT_FDCWD = -100


def check(result: int, what: bytes | str) -> int:
    """`result` itself, or the OSError that a negative one stands for."""
    if result < 0:
        raise OSError(-result, os.strerror(-result), os.fsdecode(what))
    return result


def openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    """openat2(2), close-on-exec."""
    return check(lib.image_openat2(directory, path, flags, resolve), path)


def fsopen(kind: str) -> int:
    """fsopen(2)."""
    return check(lib.image_fsopen(kind.encode()), f"fsopen {kind}")


def fsconfig_set_string(context: int, key: str, value: bytes) -> None:
    """fsconfig(2), FSCONFIG_SET_STRING."""
    check(lib.image_fsconfig_string(context, key.encode(), value), f"fsconfig {key}")


def fsconfig_set_fd(context: int, key: str, descriptor: int) -> None:
    """fsconfig(2), FSCONFIG_SET_FD."""
    check(lib.image_fsconfig_fd(context, key.encode(), descriptor), f"fsconfig {key}")


def fsconfig_set_flag(context: int, key: str) -> None:
    """fsconfig(2), FSCONFIG_SET_FLAG."""
    check(lib.image_fsconfig_flag(context, key.encode()), f"fsconfig {key}")


def fsconfig_create(context: int) -> None:
    """fsconfig(2), FSCONFIG_CMD_CREATE; the error carries the kernel's own words where it has some."""
    result = lib.image_fsconfig_create(context)
    if result < 0:
        raise OSError(-result, _kernel_log(context) or os.strerror(-result))


def _kernel_log(context: int) -> str:
    """What the file system said, without the letter of its level."""
    buffer = ffi.new("char[1024]")
    words = []
    while (size := lib.image_fscontext_log(context, buffer, 1024)) > 0:
        words.append(ffi.buffer(buffer, size)[:].decode(errors="replace").strip()[2:])
    return "; ".join(words)


def fsmount(context: int, attributes: int = 0) -> int:
    """fsmount(2)."""
    return check(lib.image_fsmount(context, attributes), "fsmount")


def open_tree(directory: int, path: bytes = b"", *, clone: bool = False) -> int:
    """open_tree(2) on the path, or on the directory itself; with `clone` a detached mount."""
    return check(lib.image_open_tree(directory, path, clone), path or b"open_tree")


def move_mount(tree: int, target: str) -> None:
    """move_mount(2) of a detached mount to `target`."""
    check(lib.image_move_mount(tree, os.fsencode(target)), target)


def mount_setattr_idmap(tree: int, user_namespace: int) -> None:
    """mount_setattr(2): the detached mount shows its ids as the user namespace maps them."""
    check(lib.image_mount_idmapped(tree, user_namespace), "mount_setattr idmap")


def mount_setattr_private(tree: int) -> None:
    """mount_setattr(2): what is mounted below is not passed on."""
    check(lib.image_mount_private(tree), "mount_setattr private")


def mount(source: str, target: str, kind: str, flags: int, data: bytes) -> None:
    """mount(2)."""
    result = lib.image_mount(source.encode(), os.fsencode(target), kind.encode(), flags, data)
    check(result, target)


def mount_private(target: str) -> None:
    """mount(2), MS_PRIVATE: what is mounted below is not passed on."""
    check(lib.image_mount_make_private(os.fsencode(target)), target)


def umount2(target: str, flags: int) -> None:
    """umount2(2)."""
    check(lib.image_umount2(os.fsencode(target), flags), target)


def user_namespace(uid_map: str, gid_map: str) -> int:
    """A descriptor of a new user namespace with these maps ("inside outside length" lines)."""
    return check(lib.image_user_namespace(uid_map.encode(), gid_map.encode()), "user namespace")


class FileData:
    """`struct image_file`, made once and set anew for each entry of a layer."""

    __slots__ = ("_struct",)

    def __init__(self) -> None:
        self._struct = ffi.new("struct image_file *")

    def set(self, mode: int, uid: int, gid: int, mtime: int) -> None:
        """Mode bits, owner, and nanoseconds since 1970."""
        struct = self._struct
        struct.mode, struct.uid, struct.gid, struct.mtime = mode, uid, gid, mtime

    def put_file(self, directory: int, name: bytes, data: object, size: int) -> int:
        """Makes the whole file; 0, or -errno."""
        return lib.image_put_file(directory, name, self._struct, ffi.from_buffer(data), size, 0)

    def begin_file(self, directory: int, name: bytes) -> int:
        """Makes an empty file and opens it for writing; a descriptor, or -errno."""
        return lib.image_put_file(directory, name, self._struct, ffi.NULL, 0, 1)

    def put_directory(self, directory: int, name: bytes) -> int:
        """Makes the directory, or gives the one that is there its mode and owner; O_PATH, or -errno."""
        return lib.image_put_directory(directory, name, self._struct)

    def finish_file(self, descriptor: int) -> int:
        """Owner, mode and time of the open file; 0, or -errno."""
        return lib.image_finish_file(descriptor, self._struct)

    def finish_at(self, directory: int, name: bytes, *, is_link: bool = False) -> int:
        """Owner, mode and time of what was made at `name`; 0, or -errno."""
        return lib.image_finish_at(directory, name, self._struct, is_link)
