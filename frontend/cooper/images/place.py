"""Where the images are."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cooper.settings import Settings
    from ociimage.store import Store


def open_store(settings: Settings) -> Store:
    """The images below the root."""
    from ociimage.store import Store

    return Store(f"{settings.root}/images")
