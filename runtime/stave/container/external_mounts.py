"""Mounts whose source lies outside the container: criu has to be told of each, where it is and what it shows."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence

from stave.native import module as native
from stave.plan.program import Operation

NULL = "/dev/null"


class External:
    """A mount from outside.

    Attributes:
        target: its path in the container, without links.
        key: its name in criu's images.
        source: the path on the host that it shows.
    """

    __slots__ = ("target", "key", "source")

    def __init__(self, target: str, key: str, source: str) -> None:
        self.target = target
        self.key = key
        self.source = source

    def __repr__(self) -> str:
        return f"External({self.target!r}, {self.key!r}, {self.source!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, External) and repr(self) == repr(other)


def external_mounts(operations: Iterable[Operation], pid: int) -> list[External]:
    """The external mounts that these operations make, as they are in the mount namespace of process `pid`.

    Raises:
        OSError: the process is gone.
    """
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with open(f"/proc/{pid}/mountinfo", errors="surrogateescape") as file:
            targets = mount_points(file.read())

        def resolve(path: str) -> tuple[str, bool] | None:
            return _resolve(root, path)

        return decide(list(operations), targets, resolve)
    finally:
        os.close(root)


def decide(operations: Sequence[Operation], targets: Sequence[str], resolve: Resolve) -> list[External]:
    """The same, from what is known.

    Args:
        targets: of all mounts that there are.
        resolve: a path's form without links and whether it is a directory; None if there is nothing.
    """
    found: list[External] = []
    own = {place[0] for each in operations if (place := resolve(_target(each))) is not None and _target(each)}
    for operation in operations:
        place = resolve(_target(operation))
        if place is None:
            continue
        target, is_directory = place
        if operation.name == "mask_path" and not is_directory:
            found.append(External(target, NULL, NULL))
        elif operation.name == "bind_node":
            found.append(External(target, target, operation.arguments[0]))
        elif operation.name == "bind":
            source = operation.arguments[0]
            found.append(External(target, target, source))
            # A recursive one has brought along what is mounted below its source.
            below = [each for each in targets if each.startswith(f"{target}/") and each not in own]
            found += [External(each, each, source + each[len(target) :]) for each in below]
    return found


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Resolve = Callable[[str], tuple[str, bool] | None]

# Where the operations that make mounts have the target.
_TARGETS = {"mount": 2, "bind": 1, "bind_node": 1, "mask_path": 0, "make_readonly": 0}


def _target(operation: Operation) -> str:
    index = _TARGETS.get(operation.name)
    return "" if index is None else str(operation.arguments[index])


def _resolve(root: int, path: str) -> tuple[str, bool] | None:
    if not path:
        return None
    try:
        descriptor = native.open_in_root(root, path)
    except OSError:
        return None
    try:
        prefix = os.readlink(f"/proc/self/fd/{root}")
        found = os.readlink(f"/proc/self/fd/{descriptor}")
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
    if prefix != "/" and (found + "/").startswith(prefix + "/"):
        found = found[len(prefix) :] or "/"
    return found, is_directory


def mount_points(mountinfo: str) -> list[str]:
    """The mount points in a process's mountinfo. Source: proc_pid_mountinfo(5)"""
    return [_unescape(line.split(" ")[4]) for line in mountinfo.splitlines()]


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
