"""Properties that no Program can carry out; leaving them out silently would weaken what was asked for."""

from __future__ import annotations

from stave.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PROCESS = ("apparmorProfile", "selinuxLabel", "scheduler", "ioPriority")
LINUX = ("netDevices", "memoryPolicy", "intelRdt")


def refuse_process(process: Mapping[str, Any]) -> None:
    """`process` holds nothing unsupported.

    Raises:
        ConfigError: it does.
    """
    _refuse("/process", process, PROCESS)


def refuse_linux(linux: Mapping[str, Any]) -> None:
    """`linux` holds nothing unsupported.

    Raises:
        ConfigError: it does.
    """
    _refuse("/linux", linux, LINUX)


def _refuse(pointer: str, part: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        if part.get(key):
            raise ConfigError(f"{pointer}/{key}", "not supported")
