"""Running newuidmap and newgidmap."""

from __future__ import annotations

import posix

from stave.errors import ConfigError
from stave.native import module as native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.plan.program import Operation


def run_id_mapper(pid: int, operation: Operation) -> None:
    """The process's user namespace has the mapping.

    Raises:
        ConfigError: the program refused, with what it said and the table that it goes by.
    """
    program, numbers = operation.arguments
    name = program.rpartition("/")[2]
    nowhere = posix.open("/dev/null", posix.O_RDONLY | posix.O_CLOEXEC)
    output, theirs = posix.pipe2(posix.O_CLOEXEC)
    try:
        try:
            child = native.spawn(program, [name, str(pid), *numbers], [], nowhere, theirs, "/")
        finally:
            posix.close(theirs)
            posix.close(nowhere)
        said = b""
        while chunk := posix.read(output, 4096):
            said += chunk
    finally:
        posix.close(output)
    _, status = posix.waitpid(child, 0)
    if status:
        text = said.decode(errors="replace").strip().rpartition("\n")[2]
        table = "/etc/subuid" if name == "newuidmap" else "/etc/subgid"
        raise ConfigError(
            operation.pointer, f"{name} {pid} {' '.join(numbers)} (it goes by {table}): {text or 'failed'}"
        )
