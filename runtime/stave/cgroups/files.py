"""Reading and writing the files of one cgroup directory, whatever the version."""

from __future__ import annotations

import posix
from errno import ENODEV, ENOENT

from stave.host.facts import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# What opening or reading says when a group is gone, before and after it was opened.
GONE = (ENOENT, ENODEV)

# Any v1 hierarchy lists the container's processes; the first of these that is there does.
_LISTS = ("", "pids", "freezer", "name=systemd", "memory", "cpu")


def listing_group(paths: Mapping[str, str]) -> str | None:
    """Among a container's groups, by hierarchy, the one that its processes are looked up in."""
    path = next((paths[name] for name in _LISTS if name in paths), None)
    return path or next(iter(paths.values()), None)


def freezer_group(paths: Mapping[str, str]) -> str | None:
    """Among a container's groups, by hierarchy, the one that can be frozen."""
    return paths.get("freezer") or paths.get("")


def write_file(file: str, value: str) -> None:
    """The kernel has taken the value, in one write. Raises OSError where it has not."""
    descriptor = posix.open(file, posix.O_WRONLY | posix.O_CLOEXEC)
    try:
        posix.write(descriptor, value.encode("utf-8", "surrogateescape"))
    finally:
        posix.close(descriptor)


def pids_below(path: str) -> list[int]:
    """The processes in a group and the groups below it; none for a group that is gone.

    Raises:
        OSError: reading failed.
    """
    try:
        pids = [int(pid) for pid in read_file(f"{path}/cgroup.procs").split()]
        for child in children(path):
            pids += pids_below(child)
    except OSError as error:
        if error.errno not in GONE:
            raise
        return []
    # 0 is a process that this pid namespace does not show.
    return [pid for pid in pids if pid]


def children(path: str) -> list[str]:
    """The directories of the groups right below. Raises OSError."""
    with posix.scandir(path) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def is_frozen(path: str) -> bool:
    """Whether the processes of a group stand still, be it because a group above is frozen.

    True only for a group in v2 or in the v1 freezer's hierarchy.
    """
    for name, sign in (("freezer.state", "FROZEN"), ("cgroup.events", "\nfrozen 1")):
        file = f"{path}/{name}"
        # Most groups have neither, and to fail takes longer than to ask.
        if posix.access(file, posix.F_OK):
            try:
                return sign in read_file(file)
            except OSError:
                continue
    return False
