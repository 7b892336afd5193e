"""stave mounts add, stave mounts remove."""

from __future__ import annotations

from stave.cli.input import named, read_input
from stave.cli.root import state_root
from stave.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """The container has the mounts that the file lists, or has them no more."""
    import posix

    from ocispec.errors import InvalidConfig, InvalidJSON
    from stave.container.live_mounts import add, parse_mounts, remove

    action, container_id, path = invocation.arguments
    if action not in ("add", "remove"):
        raise UsageError(f'mounts takes "add" or "remove", not "{action}"')
    try:
        mounts = parse_mounts(read_input(path))
    except InvalidConfig as error:
        error.path = named(path)
        raise
    except InvalidJSON as error:
        raise InvalidJSON(f"{named(path)}: {error}") from error
    if action == "add":
        add(state_root(invocation), container_id, mounts, posix.getcwd())
    else:
        remove(state_root(invocation), container_id, mounts)
    return 0
