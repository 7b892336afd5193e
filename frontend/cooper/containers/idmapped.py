"""Id-mapped views of directories and files, for containers with a user namespace.

They are mounted by cooper below the container's directory and bound from there, so every runtime can use them.
"""

from __future__ import annotations

import os

from cooper.containers.userns import map_text, maps_of
from cooper.errors import Error
from ociimage.native import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Views:
    """A context in which views are made, all with the maps of one container."""

    def __init__(self, directory: str, options: dict[str, Any]) -> None:
        """`directory`: the container's own."""
        self._directory = f"{directory}/mounts"
        self._maps = maps_of(options, "uids"), maps_of(options, "gids")
        self._namespace = -1
        self._count = 0

    def __enter__(self) -> Views:
        if self._maps[0]:
            self._namespace = syscalls.user_namespace(*map(map_text, self._maps))
            os.makedirs(self._directory, 0o711, exist_ok=True)
        return self

    def __exit__(self, *details: object) -> None:
        if self._namespace >= 0:
            os.close(self._namespace)

    def of(self, source: str) -> str:
        """Where the source is seen with the container's ids; the source itself without a user namespace.

        Raises: Error if its file system cannot do that.
        """
        if self._namespace < 0:
            return source
        target = f"{self._directory}/{self._count}"
        self._count += 1
        if os.path.isdir(source):
            os.makedirs(target, 0o711, exist_ok=True)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_CLOEXEC, 0o600))
        tree = syscalls.open_tree(syscalls.AT_FDCWD, os.fsencode(source), clone=True)
        try:
            syscalls.mount_setattr_idmap(tree, self._namespace)
            syscalls.move_mount(tree, target)
        except OSError as error:
            raise Error(
                f"mount {source} with mapped ids: {error.strerror}",
                "its file system has no id-mapped mounts: use --userns host",
            ) from error
        finally:
            os.close(tree)
        return target


def remove_views(directory: str) -> None:
    """No view of the container is mounted any more. Raises: OSError."""
    try:
        names = os.listdir(f"{directory}/mounts")
    except FileNotFoundError:
        return
    for name in names:
        path = f"{directory}/mounts/{name}"
        try:
            while True:
                syscalls.umount2(path, syscalls.MNT_DETACH | syscalls.UMOUNT_NOFOLLOW)
        except OSError:  # not mounted, or not any more
            pass
        if os.path.isdir(path):
            os.rmdir(path)
        else:
            os.unlink(path)
    os.rmdir(f"{directory}/mounts")
