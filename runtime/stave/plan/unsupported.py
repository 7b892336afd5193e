"""Properties that no Program can carry out; leaving them out silently would weaken what was asked for."""

from __future__ import annotations

from stave.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import Linux

LINUX = ("intelRdt",)


def refuse(linux: Linux) -> None:
    """A configuration to create a container from holds nothing unsupported.

    Raises:
        ConfigError: it does.
    """
    for key in LINUX:
        if linux.get(key):
            raise ConfigError(f"/linux/{key}", "is not supported")
