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
    with _Merged(lower) as merged:
        found: list[tuple[str, str]] = []
        for directory, names in _walk(upper):
            for name, entry in names:
                path = f"{directory}/{name}" if directory else name
                if _is_whiteout(entry):
                    found.append(("D", f"/{path}"))
                else:
                    found.append(("C" if merged.has(directory, name) else "A", f"/{path}"))
        return sorted(found, key=lambda each: each[1])


class _Merged:
    """What layers show together, as overlayfs merges them, without a mount."""

    def __init__(self, layers: overlay.Layers) -> None:
        self._opaque = "user.overlay.opaque" if layers.rootless else "trusted.overlay.opaque"
        self._roots = [os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for path in layers.lower]
        # Of each directory the roots of the layers that have a part of it, uppermost first.
        self._parts: dict[str, list[int]] = {"": self._roots}

    def __enter__(self) -> _Merged:
        return self

    def __exit__(self, *error: object) -> None:
        for root in self._roots:
            os.close(root)

    def has(self, directory: str, name: str) -> bool:
        """Whether there is something of this name in the directory."""
        for root in self._of(directory):
            found = self._look(root, directory, name)
            if found is not None:
                return not _is_whiteout(found)
        return False

    def _of(self, path: str) -> list[int]:
        if path not in self._parts:
            directory, _, name = path.rpartition("/")
            parts = []
            for root in self._of(directory):
                found = self._look(root, directory, name)
                if found is None:
                    continue
                if not stat.S_ISDIR(found.st_mode):
                    break  # a whiteout, or what hides the directories below
                parts.append(root)
                if self._is_opaque(root, path):
                    break
            self._parts[path] = parts
        return self._parts[path]

    def _look(self, root: int, directory: str, name: str) -> os.stat_result | None:
        try:
            parent = open_beneath(root, os.fsencode(directory) or b".")
        except OSError:
            return None
        try:
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return None
        finally:
            os.close(parent)

    def _is_opaque(self, root: int, path: str) -> bool:
        beneath = open_beneath(root, os.fsencode(path))
        try:
            return os.getxattr(f"/proc/self/fd/{beneath}", self._opaque) == b"y"
        except OSError:
            return False
        finally:
            os.close(beneath)


def _is_whiteout(entry: os.stat_result) -> bool:
    return stat.S_ISCHR(entry.st_mode) and entry.st_rdev == 0


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
