"""What an ordinary user may do: programs that map ids, ranges of subordinate ids, delegated control groups.

Read only where the runtime is not root.
"""

from __future__ import annotations

import posix

from stave.host.facts import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MAPPERS = ("newuidmap", "newgidmap")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def id_mappers() -> tuple[str, str] | None:
    """The paths of newuidmap(1) and newgidmap(1); None unless both are there."""
    search = posix.environ.get(b"PATH", b"").decode("utf-8", "surrogateescape") or _DEFAULT_PATH
    found = []
    for name in _MAPPERS:
        candidates = [f"{directory}/{name}" for directory in search.split(":") if directory[:1] == "/"]
        found += [path for path in candidates if posix.access(path, posix.X_OK)][:1]
    return (found[0], found[1]) if len(found) == len(_MAPPERS) else None


def subordinate_ids(table: str, uid: int) -> list[tuple[int, int]]:
    """The ranges (first id, count) that subuid(5) or subgid(5) grants the user."""
    try:
        lines = read_file(table).splitlines()
    except OSError:
        return []
    names = [str(uid), _name(uid)]
    ranges = []
    for line in lines:
        fields = line.split(":")
        if len(fields) == 3 and fields[0] in names and fields[1].isdigit() and fields[2].isdigit():
            ranges.append((int(fields[1]), int(fields[2])))
    return ranges


def _name(uid: int) -> str:
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return ""


def delegated_group(mount_point: str) -> str:
    """The group of cgroup v2 below which this user may make groups, relative to the mount point; "" if there is none.

    It is the own group, or the next above that was delegated along with it, that holds no processes: those of a
    group that passes controllers on would be in the way.
    """
    return nearest_empty(
        own_group(read_file("/proc/self/cgroup")),
        lambda group: _may_use(mount_point + group),
        lambda group: _holds(mount_point + group),
    )


def own_group(text: str) -> str:
    """The process's group in the v2 hierarchy, from /proc/self/cgroup.

    >>> own_group("4:memory:/a\\n0::/user.slice")
    '/user.slice'
    """
    return next((line[3:] for line in text.splitlines() if line.startswith("0::")), "/")


def nearest_empty(group: str, may_use: Callable[[str], bool], holds: Callable[[str], bool]) -> str:
    """The group itself or the first above it that holds no processes, as long as all on the way may be used."""
    while group.strip("/"):
        if not may_use(group):
            return ""
        if not holds(group):
            return group
        group = group.rpartition("/")[0]
    return ""


def _may_use(directory: str) -> bool:
    files = ("", "/cgroup.procs", "/cgroup.subtree_control")
    return all(posix.access(directory + file, posix.W_OK) for file in files)


def _holds(directory: str) -> bool:
    try:
        return bool(read_file(f"{directory}/cgroup.procs").strip())
    except OSError:
        return True
