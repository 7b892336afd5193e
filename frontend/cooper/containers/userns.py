"""User namespaces: which ids of the host a container's ids are.

``auto``     a range of the host's ids that no other container has, so that root in it is nobody outside
``keep-id``  the same, but for the id of the user who runs cooper (or ``keep-id:uid=N,gid=N``), which is the same inside
             and outside
``nomap``    podman's word for auto: an ordinary user's own id is not in the map there
``host``     no user namespace

Nothing on disk changes its owner for that: layers and volumes are mounted id-mapped, as `ociimage.snapshots` and
`cooper.containers.mounts` do.
"""

from __future__ import annotations

import posix

from cooper.containers.values import is_number, parse_fields
from cooper.errors import Error, UsageError
from cooper.settings import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.settings import Settings
    from cooper.state.database import Database

    # {"containerID", "hostID", "size"}, as config.json has them.
    Mapping = dict[str, int]

SIZE = 65536
# Names in /etc/subuid and /etc/subgid whose ranges are for containers: podman's, and our own.
OWNERS = ("cooper", "containers")
# Where nothing is said there: above what useradd, systemd-nspawn and systemd's dynamic users give away.
_POOL = (1 << 30, SIZE * 8192)
TABLES = (
    "CREATE TABLE id_range (container TEXT PRIMARY KEY, first INTEGER NOT NULL UNIQUE, size INTEGER NOT NULL)",
)


def parse_mode(text: str) -> tuple[str, dict[str, int]]:
    """The mode and its options. Raises: UsageError."""
    mode, colon, rest = text.partition(":")
    mode = "auto" if mode == "nomap" else mode
    known = {"": (), "host": (), "auto": ("size",), "keep-id": ("uid", "gid", "size")}
    if mode not in known:
        raise UsageError(f"--userns: {text!r} is none of auto, keep-id, host")
    options = {}
    for key, value in (parse_fields(rest, "--userns") if colon else {}).items():
        if key not in known[mode] or not is_number(value) or int(value) >= 1 << 32:
            raise UsageError(f"--userns {mode}: {key}={value} is not understood")
        options[key] = int(value)
    if not 0 < options.get("size", SIZE) <= 1 << 24:
        raise UsageError("--userns: the size is how many ids the container has, e.g. 65536")
    return mode, options


def choose(settings: Settings, database: Database, container_id: str, text: str) -> dict[str, list[Mapping]]:
    """The container's maps, {"uids", "gids"}, and its range is taken; {} for no user namespace.

    Raises: UsageError; Error if no range is free.
    """
    mode, options = parse_mode(text)
    if mode in ("", "host"):
        return {}
    size = options.get("size", SIZE)
    first = _take(database, container_id, size)
    if mode == "auto":
        return {kind: [_mapping(0, first, size)] for kind in ("uids", "gids")}
    uid, gid = _caller()
    return {
        "uids": keep_id(options.get("uid", uid), uid, first, size),
        "gids": keep_id(options.get("gid", gid), gid, first, size),
    }


def keep_id(inside: int, outside: int, first: int, size: int) -> list[Mapping]:
    """A map of `size` ids from `first` on, in which the id `inside` is `outside` instead."""
    maps = [_mapping(0, first, min(inside, size)), _mapping(inside, outside, 1)]
    if inside + 1 < size:
        maps.append(_mapping(inside + 1, first + inside + 1, size - inside - 1))
    return [each for each in maps if each["size"]]


def _mapping(inside: int, outside: int, size: int) -> Mapping:
    return {"containerID": inside, "hostID": outside, "size": size}


def _caller() -> tuple[int, int]:
    """Who runs cooper: through sudo it is who called that."""
    uid, gid = environment("SUDO_UID"), environment("SUDO_GID")
    if posix.geteuid() == 0 and is_number(uid) and is_number(gid):
        return int(uid), int(gid)
    return posix.geteuid(), posix.getegid()


def _take(database: Database, container_id: str, size: int) -> int:
    start, count = _pool()
    database.ensure("userns", TABLES)
    with database.transaction():
        first = start
        for taken, length in database.query("SELECT first, size FROM id_range ORDER BY first"):
            if taken - first >= size:
                break
            first = max(first, taken + length)
        if first + size > start + count:
            raise Error(
                "no range of ids is free for one more user namespace",
                "a longer one in /etc/subuid and subgid",
            )
        database.execute("INSERT INTO id_range VALUES (?, ?, ?)", (container_id, first, size))
    return first


def release(database: Database, container_id: str) -> None:
    """The container's range is free again."""
    database.ensure("userns", TABLES)
    database.execute("DELETE FROM id_range WHERE container = ?", (container_id,))


def _pool() -> tuple[int, int]:
    """(first, count) of ids for containers, the same for users and groups."""
    ranges = [_range(path) for path in ("/etc/subuid", "/etc/subgid")]
    if ranges[0] and ranges[0] == ranges[1]:
        return ranges[0]
    return _POOL


def _range(path: str) -> tuple[int, int] | None:
    from cooper.containers.record import read_file

    try:
        lines = read_file(path).decode().splitlines()
    except OSError:
        return None
    for owner in OWNERS:
        for line in lines:
            words = line.split(":")
            if len(words) == 3 and words[0] == owner and is_number(words[1]) and is_number(words[2]):
                return int(words[1]), int(words[2])
    return None


def outside(maps: list[Mapping], inner: int) -> int:
    """The host's id for one of the container; without maps the same. What is not mapped is nobody's."""
    for each in maps:
        if each["containerID"] <= inner < each["containerID"] + each["size"]:
            return each["hostID"] + inner - each["containerID"]
    return 65534 if maps else inner


def inside(maps: list[Mapping], outer: int) -> int:
    """The container's id for one of the host."""
    for each in maps:
        if each["hostID"] <= outer < each["hostID"] + each["size"]:
            return each["containerID"] + outer - each["hostID"]
    return 65534 if maps else outer


def map_text(maps: list[Mapping]) -> str:
    """As /proc/PID/uid_map has it."""
    return "\n".join(f"{each['containerID']} {each['hostID']} {each['size']}" for each in maps)


def maps_of(options: dict[str, Any], kind: str) -> list[Mapping]:
    """ "uids" or "gids" of a container's options."""
    return list(options.get("id_maps", {}).get(kind, ()))
