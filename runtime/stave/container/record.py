"""The record: what the launcher needs of a container to answer for it without an interpreter.

``start``, ``state``, ``kill`` and ``delete`` of a simple container, and the ``list`` of such, are carried out
by the launcher itself (``native/launcher/answer.c``). It reads ``record`` in the state directory; without that
file, or whenever something is not as expected, it leaves the command to Python. So this module alone decides
which containers are simple. A record counts only as long as the state.json that it was made from is there.

Its form, numbers in the machine's byte order: the head (magic, then numbers of 8 bytes as in `_encode`), then
texts, each a length of 4 bytes, the bytes, and a zero byte.
"""

from __future__ import annotations

import posix
import sys

from ocispec.jsontext import dumps
from stave.cgroups.files import freezer_group, listing_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from stave.container.state import Container

RECORD = "record"
_MAGIC = b"stave 2\n"
_MAX_BYTES, _MAX_PATHS = 65536, 64  # as in native/launcher/record.h
_CLONE_NEWPID = 0x20000000
# What the launcher knows how to honour. Of a container whose state holds anything else it knows nothing.
_KNOWN = frozenset(
    "id bundle rootfs annotations created owner pid startTime ready startable hooks cgroups cgroupsMade"
    " namespaces startOperations".split()
)


def write_record(container: Container, config: Mapping[str, Any]) -> None:
    """The container, whose state has just been saved, has a record if it is simple."""
    if is_simple(config, container.state):
        file = posix.lstat(f"{container.directory}/state.json")
        data = _encode(container, (file.st_ino, file.st_size, file.st_mtime_ns))
        if len(data) < _MAX_BYTES:
            container.write(RECORD, data)


def is_simple(config: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """Whether nothing about the container's start, signals or end needs Python. The hooks of `create` have run."""
    hooks = config.get("hooks", {})
    return (
        not any(hooks.get(kind) for kind in ("startContainer", "poststart", "poststop"))
        and state["startable"]
        and state["bundle"].isprintable()  # so that `list` prints it as it is
        and not any(value for key, value in state.items() if key not in _KNOWN)
        and len(state["cgroups"]) + len(state["cgroupsMade"]) <= _MAX_PATHS
    )


def _encode(container: Container, state_file: tuple[int, int, int]) -> bytes:
    state = container.state
    groups = _in_order(state["cgroups"])
    made = [path for path in reversed(state["cgroupsMade"]) if path not in groups]
    head = (
        *state_file,
        state["pid"],
        state["startTime"],
        state["namespaces"] & _CLONE_NEWPID,
        state["owner"],
        len(groups),
        len(made),
    )
    texts = [
        *_around(dumps(container.listed("created"), indent=2) + "\n", container.pid, " "),
        *_around(dumps(container.listed("created"))[:-1], container.pid, ""),
        state["bundle"],
        state["created"],
        freezer_group(state["cgroups"]) or "",
        *groups,
        *made,
    ]
    return b"".join(
        [_MAGIC]
        + [number.to_bytes(8, sys.byteorder) for number in head]
        + [_text(text.encode("utf-8", "surrogateescape")) for text in texts]
    )


def _in_order(cgroups: Mapping[str, str]) -> dict[str, None]:
    """The groups' paths, each once. That of the processes' list comes first: as long as it cannot be removed,
    nothing has been."""
    listing = listing_group(cgroups)
    return dict.fromkeys([listing, *cgroups.values()] if listing else [])


def _around(text: str, pid: int, space: str) -> tuple[str, str, str]:
    """What the JSON text has before the status, between that and the pid, and after it; `space` follows colons."""
    # An id holds no quotes, so the first match is the member itself.
    before, _, rest = text.partition(f'"status":{space}"created"')
    middle, _, after = rest.partition(f'"pid":{space}{pid}')
    return f'{before}"status":{space}"', f'"{middle}"pid":{space}', after


def _text(data: bytes) -> bytes:
    return len(data).to_bytes(4, sys.byteorder) + data + b"\0"
