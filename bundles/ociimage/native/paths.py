"""Paths below a root file system that its own content must not lead out of."""

from __future__ import annotations

import errno
import os

from ociimage.native.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

_MAX_LINKS = 40


def open_in_root(root: int, path: str, flags: int) -> int:
    """What `path` is when the open directory `root` is "/": links lead nowhere else. Close-on-exec.

    Raises: OSError
    """
    try:
        return openat2(root, os.fsencode(path), flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    except OSError as error:
        # A container's seccomp filter may not know the call; EPERM is what docker's answers.
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise
    return _walk(root, path, flags)


def _walk(root: int, path: str, flags: int) -> int:
    """The same a component at a time, expanding links by hand."""
    waiting = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    opened = [os.dup(root)]
    links = 0
    try:
        while waiting:
            name = waiting.pop()
            if name == "..":
                if len(opened) > 1:
                    os.close(opened.pop())
                continue
            descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=opened[-1])
            try:
                target = os.readlink(b"", dir_fd=descriptor)
            except OSError:
                opened.append(descriptor)
                continue
            os.close(descriptor)
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith(b"/"):
                while len(opened) > 1:
                    os.close(opened.pop())
            parts = os.fsdecode(target).split("/")
            waiting += [part for part in reversed(parts) if part not in ("", ".")]
        return _reopen(opened[-1], flags)
    finally:
        for each in opened:
            os.close(each)


def _reopen(descriptor: int, flags: int) -> int:
    """The same file, opened for use. The descriptor is known, so its magic link leads where it should."""
    return os.open(f"/proc/self/fd/{descriptor}", (flags & ~os.O_NOFOLLOW) | os.O_CLOEXEC)


def make_directories_in_root(root: int, path: str, uid: int, gid: int, mode: int = 0o755) -> int:
    """Opens (O_PATH) the directory, making what is missing of it with this owner.

    Raises: OSError: ENOTDIR, ELOOP, or EEXIST where a link leads to nothing.
    """
    flags = os.O_PATH | os.O_DIRECTORY
    walked = ""
    current = open_in_root(root, "/", flags)
    try:
        for part in [each for each in path.split("/") if each not in ("", ".")]:
            walked = f"{walked}/{part}"
            try:
                inner = open_in_root(root, walked, flags)
            except FileNotFoundError:
                os.mkdir(part, mode, dir_fd=current)
                inner = os.open(part, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
                os.chown(f"/proc/self/fd/{inner}", uid, gid)
            os.close(current)
            current = inner
        return os.dup(current)
    finally:
        os.close(current)
