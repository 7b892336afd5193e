"""Who a container's process is: `user[:group]` looked up in the root file system's own files.

Numbers are numbers, whatever names the files hold (CVE-2016-3697, CVE-2024-40635), and files are reached by
descriptors: neither the host's accounts nor any name service is asked.
"""

from __future__ import annotations

import os
import stat

from ociimage.errors import InvalidOption
from ociimage.native.paths import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_ID = (1 << 32) - 2
_MAX_FILE = 16 << 20


class User:
    """A process's identity.

    Attributes:
        uid, gid: numbers.
        groups: supplementary ones, in order, without gid.
        home: directory, "/" if it is not known.
        name: in passwd, or "".
    """

    __slots__ = ("uid", "gid", "groups", "home", "name")

    def __init__(
        self, uid: int = 0, gid: int = 0, groups: Sequence[int] = (), home: str = "/", name: str = ""
    ) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = list(groups)
        self.home = home
        self.name = name


def resolve_user(rootfs: int, spec: str, group_add: Sequence[str] = ()) -> User:
    """The user that `spec` names in the root file system `rootfs` (an open directory).

    A user without a group has that of passwd, and is in those that /etc/group names; with a group only in it.

    Args:
        spec: `user`, `uid`, `user:group` ...; "" is root.
        group_add: names or numbers of more groups.

    Raises: InvalidOption for a name that is not there and for a number that is no id.
    """
    user_text, colon, group_text = spec.partition(":")
    if (colon and not (user_text and group_text)) or ":" in group_text:
        raise InvalidOption(f"user {spec!r}: should be USER or USER:GROUP")
    passwd = _passwd(rootfs)
    user = _find_user(passwd, user_text or "0")
    groups = _groups(rootfs)
    if group_text:
        user.gid = _find_group(groups, group_text)
    elif user.name:
        user.groups = [gid for _, gid, members in groups if user.name in members and gid != user.gid]
    for text in group_add:
        gid = _find_group(groups, text)
        if gid not in user.groups and gid != user.gid:
            user.groups.append(gid)
    return user


def parse_id(text: str) -> int | None:
    """The number, or None for what is no number. Raises: InvalidOption for one that is no id of Linux."""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) > 10 or int(text) > MAX_ID:
        raise InvalidOption(f"{text} is no id of a user or group: they end at {MAX_ID}")
    return int(text)


def _find_user(passwd: list[tuple[str, int, int, str]], text: str) -> User:
    uid = parse_id(text)
    for name, number, gid, home in passwd:
        if (uid is None and name == text) or number == uid:
            return User(number, gid, home=home or "/", name=name)
    if uid is None:
        raise InvalidOption(f"no user {text!r} in the container's /etc/passwd")
    return User(uid)


def _find_group(groups: list[tuple[str, int, list[str]]], text: str) -> int:
    gid = parse_id(text)
    if gid is not None:
        return gid
    for name, number, _ in groups:
        if name == text:
            return number
    raise InvalidOption(f"no group {text!r} in the container's /etc/group")


def _passwd(rootfs: int) -> list[tuple[str, int, int, str]]:
    """(name, uid, gid, home) of all lines that are well formed."""
    found = []
    for fields in _lines(rootfs, "/etc/passwd"):
        if len(fields) >= 6 and _is_id(fields[2]) and _is_id(fields[3]):
            found.append((fields[0], int(fields[2]), int(fields[3]), fields[5]))
    return found


def _groups(rootfs: int) -> list[tuple[str, int, list[str]]]:
    """(name, gid, members) of all lines that are well formed."""
    found = []
    for fields in _lines(rootfs, "/etc/group"):
        if len(fields) >= 4 and _is_id(fields[2]):
            found.append((fields[0], int(fields[2]), fields[3].split(",")))
    return found


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_ID


def _lines(rootfs: int, path: str) -> Iterator[list[str]]:
    """The fields of each line; nothing of a file that is not there, no file, or senselessly long."""
    try:
        # A FIFO there must not hold us up.
        descriptor = open_in_root(rootfs, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_FILE:
            return
        data = b""
        while len(data) <= _MAX_FILE and (piece := os.read(descriptor, 1 << 20)):
            data += piece
    finally:
        os.close(descriptor)
    for line in data.decode(errors="surrogateescape").split("\n"):
        fields = line.strip().split(":")
        # Lines of NIS, "+::::", are no accounts.
        if fields[0] and fields[0][0] not in "#+-":
            yield fields
