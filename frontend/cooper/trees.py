"""Trees of files are copied by descriptors, without following a link: either side may change or lie meanwhile.

Regular files, directories, links and FIFOs are copied, with modes, times, and the extended attributes that belong to
content; files that are one stay one. Devices and sockets are left out.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # The owner at the destination for one at the source: ids -> ids, or None to leave it to the kernel.
    Owner = Callable[[int, int], tuple[int, int] | None]

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTRIBUTES = ("user.", "security.capability", "system.posix_acl")


class Copy:
    """One copy, from one tree into another."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._seen: dict[tuple[int, int], tuple[int, str]] = {}

    def contents(self, source: int, destination: int) -> None:
        """What is in the directory `source` is in the directory `destination` too; both stay the caller's.

        Raises: OSError
        """
        for name in sorted(os.listdir(source)):
            self.entry(source, name, destination, name)

    def entry(self, source: int, name: str, destination: int, new_name: str) -> None:
        """`name` in `source` is `new_name` in `destination` too, in place of what was there.

        A directory joins a directory. Raises: OSError
        """
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            self._directory(source, name, destination, new_name)
            return
        _remove_file(destination, new_name)
        if stat.S_ISREG(status.st_mode):
            self._file(source, name, destination, new_name)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), new_name, dir_fd=destination)
            self._finish_name(status, destination, new_name)
        elif stat.S_ISFIFO(status.st_mode):
            os.mkfifo(new_name, stat.S_IMODE(status.st_mode), dir_fd=destination)
            self._finish_name(status, destination, new_name)

    def _directory(self, source: int, name: str, destination: int, new_name: str) -> None:
        inner = os.open(name, DIRECTORY, dir_fd=source)
        try:
            try:
                os.mkdir(new_name, 0o700, dir_fd=destination)
            except FileExistsError:
                pass
            outer = os.open(new_name, DIRECTORY, dir_fd=destination)
            try:
                self.contents(inner, outer)
                self.finish(inner, outer)
            finally:
                os.close(outer)
        finally:
            os.close(inner)

    def _file(self, source: int, name: str, destination: int, new_name: str) -> None:
        reading = os.open(name, _FILE, dir_fd=source)
        try:
            status = os.fstat(reading)
            if not stat.S_ISREG(status.st_mode):  # it was swapped for something else
                return
            if status.st_nlink > 1 and self._link(status, destination, new_name):
                return
            self.opened(reading, destination, new_name)
        finally:
            os.close(reading)

    def opened(self, reading: int, destination: int, new_name: str) -> None:
        """The open file is a new file `new_name` in `destination`, too. Raises: OSError."""
        _remove_file(destination, new_name)
        writing = os.open(new_name, _NEW, 0o600, dir_fd=destination)
        try:
            _copy_data(reading, writing)
            self.finish(reading, writing)
        finally:
            os.close(writing)

    def _link(self, status: os.stat_result, destination: int, new_name: str) -> bool:
        """Whether the file was copied before, under another name in the same directory; it is linked then."""
        key = (status.st_dev, status.st_ino)
        directory, first = self._seen.setdefault(key, (destination, new_name))
        if directory != destination or first == new_name:
            return False
        try:
            os.link(first, new_name, src_dir_fd=destination, dst_dir_fd=destination, follow_symlinks=False)
        except OSError:
            return False
        return True

    def finish(self, source: int, destination: int) -> None:
        """The file or directory has its owner, mode, attributes and times."""
        status = os.fstat(source)
        owner = self._owner(status.st_uid, status.st_gid)
        if owner is not None:
            os.fchown(destination, *owner)
        os.fchmod(destination, stat.S_IMODE(status.st_mode))
        for attribute in os.listxattr(source):
            if attribute.startswith(_ATTRIBUTES):
                try:
                    os.setxattr(destination, attribute, os.getxattr(source, attribute))
                except OSError:  # a file system without them
                    break
        os.utime(destination, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _finish_name(self, status: os.stat_result, destination: int, name: str) -> None:
        owner = self._owner(status.st_uid, status.st_gid)
        if owner is not None:
            os.chown(name, *owner, dir_fd=destination, follow_symlinks=False)
        os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=destination, follow_symlinks=False)


def _remove_file(directory: int, name: str) -> None:
    """What is no directory is gone. Raises: IsADirectoryError."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass


def _copy_data(reading: int, writing: int) -> None:
    try:
        while os.copy_file_range(reading, writing, 1 << 30):
            pass
    except OSError:  # between file systems that cannot
        while data := os.read(reading, 1 << 20):
            while data:
                data = data[os.write(writing, data) :]
