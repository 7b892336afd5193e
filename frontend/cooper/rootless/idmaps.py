"""Which ids a user namespace of an ordinary user has: root is the user, the subordinate ids follow.

Source: user_namespaces(7), subuid(5), subgid(5), newuidmap(1)
"""

from __future__ import annotations

import posix

from cooper.errors import Error
from cooper.networks.programs import find, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    # (first id inside, first id outside, how many)
    Range = tuple[int, int, int]

_KINDS = (("newuidmap", "/etc/subuid"), ("newgidmap", "/etc/subgid"))


def ranges(table: str, names: Sequence[str], own: int) -> list[Range]:
    """The map with the user's own id and all that the table of /etc/subuid's form grants to one of the names."""
    found = [(0, own, 1)]
    for line in table.splitlines():
        words = line.strip().split(":")
        if len(words) != 3 or words[0] not in names or not (words[1].isdigit() and words[2].isdigit()):
            continue
        first, count = int(words[1]), int(words[2])
        if count and not first <= own < first + count:
            found.append((found[-1][0] + found[-1][2], first, count))
    return found


class Maps:
    """The maps of one user, to be written by a process that is outside the user namespace.

    Attributes:
        uids, gids: the ranges.
    """

    __slots__ = ("uids", "gids", "_programs")

    def __init__(self) -> None:
        uid, gid = posix.geteuid(), posix.getegid()
        names = _names(uid)
        self.uids, self.gids = (
            ranges(_read(table), names, own) for (_, table), own in zip(_KINDS, (uid, gid), strict=True)
        )
        self._programs = [find(name) for name, _ in _KINDS]
        if not all(self._programs) or len(self.uids) == 1 or len(self.gids) == 1:
            # One without the other makes no container that could be relied on.
            del self.uids[1:], self.gids[1:]

    def are_single(self) -> bool:
        """Whether the user has no ids but the own ones. Such maps a process writes itself."""
        return len(self.uids) == 1

    def write_own(self) -> None:
        """This process, which is alone in its new user namespace, has the single ids. Raises: OSError"""
        for name, text in (
            ("setgroups", "deny"),  # or the group could not be mapped: user_namespaces(7)
            ("uid_map", _text(self.uids)),
            ("gid_map", _text(self.gids)),
        ):
            file = posix.open(f"/proc/self/{name}", posix.O_WRONLY | posix.O_CLOEXEC)
            try:
                posix.write(file, text.encode())
            finally:
                posix.close(file)

    def write_for(self, pid: int) -> None:
        """The process, which is alone in its new user namespace, has the ids.

        Raises: Error with what newuidmap or newgidmap complained of.
        """
        for program, (name, table), own in zip(self._programs, _KINDS, (self.uids, self.gids), strict=True):
            words = [str(number) for each in own for number in each]
            status, _, complaint = run(program, [str(pid), *words])
            if status:
                raise Error(
                    f"{name}: {' '.join(complaint.split()) or f'ended with {status}'}",
                    f"it needs the line for this user in {table}, and to be set-user-id root",
                )


def _text(own: Sequence[Range]) -> str:
    return "".join(f"{inside} {outside} {count}\n" for inside, outside, count in own)


def _names(uid: int) -> list[str]:
    """What stands for the user in the first column."""
    import pwd

    try:
        return [pwd.getpwuid(uid).pw_name, str(uid)]
    except KeyError:
        return [str(uid)]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def last_id(kind: str) -> int:
    """The highest id, "uid" or "gid", that this process's user namespace has; it has all below."""
    last = 0
    for line in _read(f"/proc/self/{kind}_map").splitlines():
        inside, _, count = line.split()
        last = max(last, int(inside) + int(count) - 1)
    return last
