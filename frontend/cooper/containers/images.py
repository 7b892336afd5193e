"""Images, as containers need them. What is not needed is not imported: it shows in every start."""

from __future__ import annotations

from cooper.errors import Error, NotFound, UsageError
from ociimage.errors import ImageError, ImageNotFound
from ociimage.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.settings import Settings
    from ociimage.image import Image

PULL = ("always", "missing", "never", "newer")


def open_store(settings: Settings) -> Store:
    """The images below the root."""
    return Store(f"{settings.root}/images")


def find_image(
    settings: Settings, name: str, pull: str = "missing", platform: str = "", quiet: bool = False
) -> Image:
    """The image of this name, pulled if `pull` and its absence ask for it.

    Raises: NotFound, UsageError, and what pulling raises.
    """
    if pull not in PULL:
        raise UsageError(f"--pull: {pull!r} is none of {', '.join(PULL)}")
    store = open_store(settings)
    try:
        if pull not in ("always", "newer"):
            return store.resolve(name)
    except ImageNotFound as error:
        if pull == "never":
            raise NotFound(f"there is no image {name} here", "cooper pull gets it") from error
    from cooper.images.transfer import pull_image

    try:
        return pull_image(settings, name, platform, quiet)
    except ImageError as error:
        if pull in ("always", "newer"):
            raise
        raise Error(f"there is no image {name} here, and pulling it failed: {error}") from error


def inspect_image(settings: Settings, name: str) -> dict[str, Any]:
    """What `inspect` shows of an image. Raises: NotFound."""
    try:
        return open_store(settings).resolve(name).inspect()
    except ImageNotFound as error:
        raise NotFound(f"there is no image {name}") from error
