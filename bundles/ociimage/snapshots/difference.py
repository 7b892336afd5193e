"""What a container has changed of its image."""

from __future__ import annotations

import os
import stat

from ociimage.layers.extract import open_beneath
from ociimage.snapshots import overlay


def changes(lower: overlay.Layers, upper: str) -> list[tuple[str, str]]:
    """(kind, path) of everything in the upper directory, by path: "A"dded, "C"hanged, "D"eleted.

    Args:
        lower: the overlay without the upper directory.
    """
    view = _view(lower)
    try:
        found: list[tuple[str, str]] = []
        for directory, names in _walk(upper):
            for name, entry in names:
                path = f"{directory}/{name}" if directory else name
                if stat.S_ISCHR(entry.st_mode) and entry.st_rdev == 0:
                    found.append(("D", f"/{path}"))
                else:
                    found.append(("C" if _exists(view, path) else "A", f"/{path}"))
        return sorted(found, key=lambda each: each[1])
    finally:
        os.close(view)


def tree_size(path: str) -> int:
    """Bytes of all files in the directory, those with several names counted once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for _, names in _walk(path):
        for _, entry in names:
            if entry.st_nlink > 1 and not stat.S_ISDIR(entry.st_mode):
                key = (entry.st_dev, entry.st_ino)
                if key in seen:
                    continue
                seen.add(key)
            if not stat.S_ISDIR(entry.st_mode):
                total += entry.st_size
    return total


def _view(lower: overlay.Layers) -> int:
    """A descriptor of the root of what the lower layers show together."""
    if len(lower.lower) == 1:
        return os.open(lower.lower[0], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return overlay.make(lower, ("descriptors", "strings"))


def _exists(view: int, path: str) -> bool:
    directory, _, name = path.rpartition("/")
    try:
        parent = open_beneath(view, os.fsencode(directory) or b".")
    except OSError:
        return False
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        # With one layer its own whiteouts show.
        return not (stat.S_ISCHR(found.st_mode) and found.st_rdev == 0)
    except OSError:
        return False
    finally:
        os.close(parent)


def _walk(root: str) -> list[tuple[str, list[tuple[str, os.stat_result]]]]:
    """Each directory's path below the root, with what is in it."""
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    result = []
    waiting = [""]
    try:
        while waiting:
            path = waiting.pop()
            try:
                beneath = open_beneath(top, os.fsencode(path) or b".")
            except OSError:
                continue  # gone meanwhile
            try:
                names = _listed(beneath)
            finally:
                os.close(beneath)
            result.append((path, names))
            waiting += [
                f"{path}/{name}" if path else name for name, entry in names if stat.S_ISDIR(entry.st_mode)
            ]
        return result
    finally:
        os.close(top)


def _listed(directory: int) -> list[tuple[str, os.stat_result]]:
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        found = []
        for name in sorted(os.listdir(readable)):
            try:
                found.append((name, os.stat(name, dir_fd=readable, follow_symlinks=False)))
            except FileNotFoundError:
                continue
        return found
    finally:
        os.close(readable)
