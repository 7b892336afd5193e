"""Trees that are removed whatever is in them."""

from __future__ import annotations

import errno
import os

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def remove_tree(parent: int, name: bytes | str) -> None:
    """Removes the directory `name` in the open directory `parent` with all that is in it, following no link.

    However deep it is, two descriptors and no recursion do: directories that are not empty move to the top.
    A file is removed too, and what is not there is no error.
    """
    try:
        top = os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        os.unlink(name, dir_fd=parent)
        return
    try:
        prefix = f".{os.urandom(8).hex()}-"
        moved = 0
        waiting: list[str] = []
        _empty(top, waiting)
        while waiting:
            directory = waiting.pop()
            inner = os.open(directory, _DIRECTORY, dir_fd=top)
            try:
                full: list[str] = []
                _empty(inner, full)
                for each in full:
                    moved += 1
                    os.rename(each, f"{prefix}{moved}", src_dir_fd=inner, dst_dir_fd=top)
                    waiting.append(f"{prefix}{moved}")
            finally:
                os.close(inner)
            os.rmdir(directory, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _empty(directory: int, full: list[str]) -> None:
    """Removes all files and empty directories in it, and notes the others in `full`."""
    with os.scandir(directory) as entries:
        listed = list(entries)
    for entry in listed:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=directory)
            continue
        try:
            os.rmdir(entry.name, dir_fd=directory)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            full.append(entry.name)


def remove_path(path: str) -> None:
    """The same by an absolute path, whose parent is trusted."""
    directory, name = os.path.split(path)
    try:
        parent = os.open(directory, _DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        remove_tree(parent, name)
    finally:
        os.close(parent)
