"""stave spec."""

from __future__ import annotations

import posix

from stave.cli.output import write
from stave.errors import Error, KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """A config.json to start from is in the bundle."""
    from ocispec.defaults import default_config
    from ocispec.jsontext import dumps
    from stave.host.facts import read_facts

    config = default_config(
        invocation.options["rootless"],
        posix.geteuid(),
        posix.getegid(),
        cgroup_namespace=read_facts().cgroups.is_v2,
    )
    bundle = invocation.options["bundle"]
    path = f"{bundle}/config.json" if bundle else "config.json"
    try:
        descriptor = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o666)
    except FileExistsError as error:
        raise Error(f"{path} exists: remove it first") from error
    except OSError as error:
        raise KernelError(f"write {path}", error.errno or 0) from error
    try:
        write(descriptor, f"{_with_tabs(dumps(config, indent=1))}\n")
    finally:
        posix.close(descriptor)
    return 0


def _with_tabs(text: str) -> str:
    """The JSON text with a tab for each space of indentation, as runc writes it."""
    lines = text.split("\n")
    return "\n".join(["\t" * (len(line) - len(line.lstrip(" "))) + line.lstrip(" ") for line in lines])
