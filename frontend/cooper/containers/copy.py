"""`cooper cp`: between the host and a container, both ways, and as a tar.

The host's side is what the user who runs cooper names, and opened as such. The container's side is opened below its
root by openat2(2), so links there lead to nowhere outside, also when they are swapped meanwhile.
"""

from __future__ import annotations

import os
import stat

from cooper.cli.output import STDIN, STDOUT
from cooper.containers.access import Files
from cooper.containers.lookup import find, open_database
from cooper.containers.userns import inside, maps_of, outside
from cooper.errors import Error, NotFound, UsageError
from cooper.trees import DIRECTORY, Copy
from ociimage.native.paths import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cooper.cli.command import Invocation

    # A path and open(2)'s flags -> a descriptor.
    Opener = Callable[[str, int], int]
    # Ids on the host's side of a container's files -> ids on the other side.
    Owner = Callable[[int, int], tuple[int, int]]


def copy(invocation: Invocation) -> int:
    """`cooper cp`."""
    settings, given = invocation.settings, invocation.options
    source, destination = invocation.arguments
    there_from, there_to = _split(source), _split(destination)
    if bool(there_from) == bool(there_to):
        raise UsageError(
            "one of the two is in a container: CONTAINER:PATH", "between containers: cp A:/x - | cp - B:/"
        )
    name, path = there_from or there_to  # type: ignore[misc]
    database = open_database(settings)
    container = find(settings, database, name)
    options = container.options
    uids, gids = maps_of(options, "uids"), maps_of(options, "gids")

    def from_inside(uid: int, gid: int) -> tuple[int, int]:
        return inside(uids, uid), inside(gids, gid)

    def to_inside(uid: int, gid: int) -> tuple[int, int]:
        return outside(uids, uid), outside(gids, gid)

    with Files(settings, database, container) as files:
        root, path_there = files.locate(path)
        # The slash or `/.` at its end means something.
        there = path_there.rstrip("/") + ("/." if path.endswith("/.") else "/" if path.endswith("/") else "")
        there = there or "/"

        def open_there(which: str, flags: int) -> int:
            return open_in_root(root, which, flags)

        try:
            if there_from and destination == "-":
                _to_tar(open_there, there, from_inside)
            elif there_to and source == "-":
                _from_tar(open_there, there, to_inside)
            elif there_from:
                owner = from_inside if given["archive"] else (lambda uid, gid: (os.geteuid(), os.getegid()))
                _copy(open_there, there, _open_here, destination, Copy(owner), given["follow-link"])
            else:
                owner = to_inside if given["archive"] else (lambda uid, gid: to_inside(0, 0))
                _copy(_open_here, source, open_there, there, Copy(owner), given["follow-link"])
        except OSError as error:
            raise Error(f"copy {source} to {destination}: {_reason(error)}") from error
    return 0


def _split(text: str) -> tuple[str, str] | None:
    """(container, path), or None for a path of the host: it begins with / or ., or has no colon."""
    name, colon, path = text.partition(":")
    if not colon or not name or text.startswith((".", "/")) or "/" in name:
        return None
    return name, path or "/"


def _reason(error: OSError) -> str:
    name = error.filename.decode() if isinstance(error.filename, bytes) else error.filename
    return f"{name}: {error.strerror}" if name and error.strerror else error.strerror or str(error)


def _open_here(path: str, flags: int) -> int:
    return os.open(path or ".", flags | os.O_CLOEXEC)


def _parent(opener: Opener, path: str) -> tuple[int, str]:
    """A descriptor of the directory that holds the path, and the last name ("." for the root)."""
    directory, _, name = path.rstrip("/").rpartition("/")
    where = directory or ("/" if path.startswith("/") else ".")
    return opener(where, os.O_RDONLY | os.O_DIRECTORY), name or "."


def _copy(
    open_source: Opener, source: str, open_destination: Opener, destination: str, work: Copy, follow: bool
) -> None:
    """With docker's rules for what the destination means."""
    contents = source.endswith("/.") or source == "."
    plain = source.removesuffix(".") if contents else source
    plain = plain.rstrip("/") or ("/" if source.startswith("/") else ".")
    parent, name = _parent(open_source, plain)
    try:
        # A link is what is copied, unless it is to be followed or a slash after it says that its directory is meant.
        if follow or source.endswith("/") or contents:
            is_directory = _is_directory(open_source, plain)
        else:
            is_directory = stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        if is_directory:
            top = open_source(plain, os.O_RDONLY | os.O_DIRECTORY)
            try:
                _copy_directory(
                    top, "" if contents or name == "." else name, open_destination, destination, work
                )
            finally:
                os.close(top)
        elif follow:
            file = open_source(plain, os.O_RDONLY | os.O_NONBLOCK)
            try:
                _copy_file(open_destination, destination, name, lambda to, new: work.opened(file, to, new))
            finally:
                os.close(file)
        else:
            _copy_file(open_destination, destination, name, lambda to, new: work.entry(parent, name, to, new))
    finally:
        os.close(parent)


def _is_directory(opener: Opener, path: str) -> bool:
    descriptor = opener(path, os.O_PATH)
    try:
        return stat.S_ISDIR(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def _exists_as_directory(opener: Opener, path: str) -> bool | None:
    """Whether the path is a directory; None if it does not exist."""
    try:
        return _is_directory(opener, path)
    except FileNotFoundError:
        return None


def _copy_directory(top: int, name: str, opener: Opener, destination: str, work: Copy) -> None:
    exists = _exists_as_directory(opener, destination)
    if exists is False:
        raise NotADirectoryError(0, "a directory cannot take a file's place", destination)
    if exists:
        target = opener(destination, os.O_RDONLY | os.O_DIRECTORY)
        new_name = name
    else:
        target, new_name = _parent(opener, destination)
    try:
        if not new_name:
            work.contents(top, target)
            return
        try:
            os.mkdir(new_name, 0o700, dir_fd=target)
        except FileExistsError:
            pass
        inner = os.open(new_name, DIRECTORY, dir_fd=target)
        try:
            work.contents(top, inner)
            work.finish(top, inner)
        finally:
            os.close(inner)
    finally:
        os.close(target)


def _copy_file(opener: Opener, destination: str, own_name: str, put: Callable[[int, str], None]) -> None:
    """`put` is called with the directory that the file goes to, and its name there."""
    if _exists_as_directory(opener, destination):
        target, new_name = opener(destination, os.O_RDONLY | os.O_DIRECTORY), own_name
    elif destination.endswith("/"):
        raise NotFound(f"there is no directory {destination}")
    else:
        target, new_name = _parent(opener, destination)
    try:
        put(target, new_name)
    finally:
        os.close(target)


def _to_tar(opener: Opener, source: str, owner: Owner) -> None:
    """A tar with the source, named by its last part, is on standard output."""
    import tarfile

    contents = source.endswith("/.")
    parent, name = _parent(opener, source.removesuffix("/.") or "/")
    try:
        with open(STDOUT, "wb", closefd=False) as output, tarfile.open(fileobj=output, mode="w|") as archive:
            _add(archive, parent, name, "." if contents or name == "." else name, owner)
    finally:
        os.close(parent)


def _add(archive: Any, parent: int, name: str, path: str, owner: Owner) -> None:
    import tarfile

    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    info = tarfile.TarInfo(path)
    info.mode = stat.S_IMODE(status.st_mode)
    info.uid, info.gid = owner(status.st_uid, status.st_gid)
    info.mtime = status.st_mtime
    if stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
        inner = os.open(name, DIRECTORY, dir_fd=parent)
        try:
            for each in sorted(os.listdir(inner)):
                _add(archive, inner, each, f"{path}/{each}", owner)
        finally:
            os.close(inner)
    elif stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=parent)
        archive.addfile(info)
    elif stat.S_ISREG(status.st_mode):
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
        with open(descriptor, "rb") as file:
            info.size = os.fstat(descriptor).st_size
            archive.addfile(info, file)
    elif stat.S_ISFIFO(status.st_mode):
        info.type = tarfile.FIFOTYPE
        archive.addfile(info)


def _from_tar(opener: Opener, destination: str, owner: Owner) -> None:
    """The tar on standard input is unpacked in the directory."""
    from ociimage.layers.extract import Extractor
    from ociimage.layers.tar_reader import Entry, Stream, TarReader

    class Reader(TarReader):
        """Entries with the owners that they are to have on this side."""

        def next(self) -> Entry | None:
            entry = super().next()
            if entry is not None:
                entry.uid, entry.gid = owner(entry.uid, entry.gid)
            return entry

    target = opener(destination, os.O_RDONLY | os.O_DIRECTORY)
    try:
        stream = Stream(iter(lambda: os.read(STDIN, 1 << 20), b""))
        Extractor(target, whiteouts=False, owner=owner(0, 0)).extract(Reader(stream))
        stream.drain()
    finally:
        os.close(target)
