"""A new volume gets what the image has at its place."""

from __future__ import annotations

import os

from cooper.containers.userns import inside, maps_of
from cooper.trees import DIRECTORY, Copy
from ociimage.native.paths import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def copy_up(root: str, target: str, volume: str, options: dict[str, Any]) -> None:
    """What is at `target` in the root file system is in the volume as well, if it is a directory there.

    The volume has the ids of the container, which with a user namespace are others than the host's.

    Raises: OSError
    """
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        source = open_in_root(top, target, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # the image has no such directory
        return
    finally:
        os.close(top)
    destination = os.open(volume, DIRECTORY)
    try:
        uids, gids = maps_of(options, "uids"), maps_of(options, "gids")
        copy = Copy(lambda uid, gid: (inside(uids, uid), inside(gids, gid)))
        copy.contents(source, destination)
        copy.finish(source, destination)
    finally:
        os.close(source)
        os.close(destination)
