"""The root file system of a container: a directory of the user's, or an image's layers with one of its own on top."""

from __future__ import annotations

from cooper.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.containers.record import Container
    from cooper.settings import Settings


def mount(settings: Settings, container: Container, options: dict[str, Any]) -> str:
    """The path of the container's root, which is there and mounted."""
    if options["rootfs"]:
        return str(options["rootfs"])
    raise Error("images are not there yet")


def unmount(settings: Settings, container: Container) -> None:
    """Nothing is mounted for the container any more."""


def remove(settings: Settings, container: Container) -> None:
    """What the container has written is gone."""


def written(settings: Settings, container: Container) -> str:
    """How much the container has written to its layer, for people."""
    return ""
