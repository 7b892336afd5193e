"""A new volume gets what the image has at its place."""

from __future__ import annotations

import os

from cooper.trees import DIRECTORY, Copy, keep
from ociimage.native.paths import open_in_root


def copy_up(root: str, target: str, volume: str) -> None:
    """What is at `target` in the root file system is in the volume as well, if it is a directory there.

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
        copy = Copy(keep)
        copy.contents(source, destination)
        copy.finish(source, destination)
    finally:
        os.close(source)
        os.close(destination)
