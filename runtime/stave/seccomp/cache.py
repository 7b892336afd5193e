"""Compiled seccomp filters, kept between runs, so that libseccomp is loaded once per profile, not per container.

A file's name is the hash of the profile it was compiled from; it begins with a hash over that name and the rest of
its content: the flags, the library that compiled it (so that an upgrade of libseccomp counts), the filter. Whatever is wrong with a file or the directory, the profile is compiled anew.
"""

from __future__ import annotations

import marshal
import posix
import sys
from _blake2 import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ocispec.types import Config

VERSION = 3  # part of every key: to be raised when the compiler's output for a profile changes
MAX_FILES = 64
DIGEST_SIZE = 32
HEADER_SIZE = DIGEST_SIZE + 8  # hash, then flags, then the length of what names the library
MAX_SIZE = HEADER_SIZE + 4096 + 8 * 4096


def filter_of(config: Config, root: str) -> tuple[bytes, int] | None:
    """The compiled filter of linux.seccomp, None without one. The cache lies in `root`, beside the containers."""
    profile = config.get("linux", {}).get("seccomp")
    return None if profile is None else cached_filter(profile, f"{root}/.seccomp")  # type: ignore[arg-type]


def cached_filter(profile: dict[str, Any], directory: str) -> tuple[bytes, int]:
    """What `profile.compile_profile` answers, from the cache if it is there, else compiled and stored.

    Args:
        profile: the object linux.seccomp, valid by the schema, as JSON was read.
        directory: where the cache lives; made with mode 0700 if absent. It is used only if it belongs to the caller
            and nobody else has access to it.

    Raises:
        ConfigError: as `profile.compile_profile`; nothing that is wrong with the cache is an error.
    """
    key = _key(profile)
    folder = _open_private(directory)
    try:
        found = _load(folder, key) if folder is not None else None
        if found is None:
            from stave.seccomp.profile import compile_profile

            found = compile_profile(profile)
            if folder is not None:
                _store(folder, key, *found)
        return found
    finally:
        if folder is not None:
            posix.close(folder)


def _key(profile: dict[str, Any]) -> str:
    # Version 2 of marshal's format writes values and nothing else: no references, no interning. Equal bytes
    # mean equal profiles; equal profiles with members in another order are compiled twice.
    content = marshal.dumps((VERSION, posix.uname().machine, sys.maxsize, profile), 2)
    return blake2b(content, digest_size=DIGEST_SIZE).hexdigest()


def _open_private(directory: str) -> int | None:
    flags = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        try:
            folder = posix.open(directory, flags)
        except FileNotFoundError:
            posix.mkdir(directory, 0o700)
            folder = posix.open(directory, flags)
    except OSError:
        return None
    status = posix.fstat(folder)
    if status.st_uid == posix.geteuid() and not status.st_mode & 0o077:
        return folder
    posix.close(folder)
    return None


def _load(folder: int, key: str) -> tuple[bytes, int] | None:
    try:
        flags = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
        descriptor = posix.open(key, flags, dir_fd=folder)
    except OSError:
        return None
    try:
        content = posix.read(descriptor, MAX_SIZE + 1)
    except OSError:
        return None
    finally:
        posix.close(descriptor)
    body = content[DIGEST_SIZE:]
    if len(content) > MAX_SIZE or content[:DIGEST_SIZE] != _digest(key, body):
        return None
    flags, length = int.from_bytes(body[:4], "little"), int.from_bytes(body[4:8], "little")
    library, program = body[8 : 8 + length], body[8 + length :]
    path = library.partition(b"\0")[0]
    return (program, flags) if library == _identity(path) else None


def _store(folder: int, key: str, program: bytes, flags: int) -> None:
    library = _identity(_library())
    body = flags.to_bytes(4, "little") + len(library).to_bytes(4, "little") + library + program
    temporary = f"{key}.{posix.getpid()}"
    try:
        _make_room(folder)
        _write(folder, temporary, _digest(key, body) + body)
        posix.rename(temporary, key, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        _remove(folder, temporary)


def _library() -> bytes:
    """The path of libseccomp as this process has loaded it, b"" if it is no file of its own."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            if "/libseccomp.so" in line:
                return line[line.index("/") : -1].encode("utf-8", "surrogateescape")
    return b""


def _identity(path: bytes) -> bytes:
    """What changes with the file of a library: its path, inode, size and time of change."""
    try:
        status = posix.stat(path)
    except OSError:
        return b""
    return path + b"\0%d %d %d" % (status.st_ino, status.st_size, status.st_mtime_ns)


def _digest(key: str, body: bytes) -> bytes:
    return blake2b(key.encode() + body, digest_size=DIGEST_SIZE).digest()


def _write(folder: int, name: str, content: bytes) -> None:
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
    descriptor = posix.open(name, flags, 0o600, dir_fd=folder)
    try:
        posix.write(descriptor, content)  # cut short by a full disk, it fails its hash
    finally:
        posix.close(descriptor)


def _make_room(folder: int) -> None:
    """Drops the oldest files until one more fits; what a killed process left behind goes the same way."""
    names = posix.listdir(folder)
    if len(names) >= MAX_FILES:
        names.sort(key=lambda name: posix.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns)
        for name in names[: len(names) - MAX_FILES + 1]:
            _remove(folder, name)


def _remove(folder: int, name: str) -> None:
    try:
        posix.unlink(name, dir_fd=folder)
    except OSError:
        pass
