"""Properties that no Program can carry out; leaving them out silently would weaken what was asked for."""

from __future__ import annotations

from stave.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocispec.types import Linux, Process

PROCESS = ("scheduler", "ioPriority")
EXEC = (*PROCESS, "execCPUAffinity")
LINUX = ("netDevices", "memoryPolicy", "intelRdt")


def refuse(linux: Linux, process: Process) -> None:
    """A configuration to create a container from holds nothing unsupported.

    Raises:
        ConfigError: it does.
    """
    _refuse("/linux", linux, LINUX)
    _refuse("/process", process, PROCESS)


def refuse_exec(process: Process) -> None:
    """A process to execute in a container holds nothing unsupported.

    Raises:
        ConfigError: it does.
    """
    _refuse("/process", process, EXEC)


def _refuse(pointer: str, part: Mapping[str, object], keys: tuple[str, ...]) -> None:
    for key in keys:
        if part.get(key):
            raise ConfigError(f"{pointer}/{key}", "is not supported")
