"""The words in a mount's options: one table per kind, from which `features` lists them too.

Spec: config.md#linux-mount-options
"""

from __future__ import annotations

from stave.plan.constants import (
    MOUNT_ATTR__ATIME,
    MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW,
    MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_STRICTATIME,
    PROPAGATION,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Attributes of the mount: (bits to set, bits to clear).
ATTRIBUTES: dict[str, tuple[int, int]] = {
    "ro": (MOUNT_ATTR_RDONLY, 0),
    "rw": (0, MOUNT_ATTR_RDONLY),
    "nosuid": (MOUNT_ATTR_NOSUID, 0),
    "suid": (0, MOUNT_ATTR_NOSUID),
    "nodev": (MOUNT_ATTR_NODEV, 0),
    "dev": (0, MOUNT_ATTR_NODEV),
    "noexec": (MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, MOUNT_ATTR_NOEXEC),
    "nodiratime": (MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, MOUNT_ATTR_NODIRATIME),
    "noatime": (MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
    "atime": (0, MOUNT_ATTR_NOATIME),
    "strictatime": (MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
    "nostrictatime": (0, MOUNT_ATTR_STRICTATIME),
    "relatime": (0, MOUNT_ATTR__ATIME),
    # There is nothing to fall back to: what is neither noatime nor strictatime is relatime.
    "norelatime": (0, 0),
    "nosymfollow": (MOUNT_ATTR_NOSYMFOLLOW, 0),
    "symfollow": (0, MOUNT_ATTR_NOSYMFOLLOW),
}

# The same for the mount and all below it.
RECURSIVE_ATTRIBUTES = {f"r{word}": bits for word, bits in ATTRIBUTES.items()}

# Of the file system, not of the mount; fsconfig(2) knows them by these names.
FILE_SYSTEM = frozenset(("sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand"))

# "defaults" says nothing, and fsconfig(2) has no words for the others: they cannot be set any more.
WITHOUT_EFFECT = frozenset(("defaults", "silent", "loud", "iversion", "noiversion"))

# Of bind mounts: what is done about symbolic links. crun's words.
LINKS = {"copy-symlink": "copy_link", "src-nofollow": "link_source", "dest-nofollow": "link_target"}

MOUNT_OPTIONS: tuple[str, ...] = tuple(
    sorted(
        {"bind", "rbind", "remount", "tmpcopyup", "idmap", "ridmap", *ATTRIBUTES, *LINKS}.union(
            RECURSIVE_ATTRIBUTES, PROPAGATION, FILE_SYSTEM, WITHOUT_EFFECT
        )
    )
)


class MountOptions:
    """What a mount's options ask for.

    Attributes:
        bind: bind or rbind is among them; `recursive`: rbind is.
        remount: an existing mount is changed.
        copy_up: a tmpfs begins with a copy of what it is mounted over (tmpcopyup).
        idmap: the owners of files are shown under other ids; `idmap_recursive`: in the whole tree (ridmap).
        mapping: what follows "idmap=", or "".
        copy_link, link_source, link_target: as `LINKS`.
        set, clear: MOUNT_ATTR_* bits of the mount itself; the later word wins.
        recursive_set, recursive_clear: the same for the mount and all below it.
        propagation: MS_* bits, MS_REC among them for the r-forms; 0 if no word was given.
        parameters: all other words, for the file system.
    """

    __slots__ = (
        "bind",
        "clear",
        "copy_link",
        "copy_up",
        "idmap",
        "idmap_recursive",
        "link_source",
        "link_target",
        "mapping",
        "parameters",
        "propagation",
        "recursive",
        "recursive_clear",
        "recursive_set",
        "remount",
        "set",
    )

    def __init__(self) -> None:
        self.bind = False
        self.recursive = False
        self.remount = False
        self.copy_up = False
        self.idmap = False
        self.idmap_recursive = False
        self.mapping = ""
        self.copy_link = False
        self.link_source = False
        self.link_target = False
        self.set = 0
        self.clear = 0
        self.recursive_set = 0
        self.recursive_clear = 0
        self.propagation = 0
        self.parameters: list[str] = []

    @property
    def attributes(self) -> int:
        """The bits of a new mount, with nothing below it yet."""
        return self.set | self.recursive_set


def parse_options(options: Iterable[str]) -> MountOptions:
    """The meaning of a mount's options; one string may hold several, separated by commas."""
    result = MountOptions()
    for text in options:
        for word in split(text):
            _apply(result, word)
    return result


def _apply(result: MountOptions, word: str) -> None:
    if word in ATTRIBUTES:
        result.set, result.clear = _combine(result.set, result.clear, ATTRIBUTES[word])
    elif word in PROPAGATION:
        result.propagation = PROPAGATION[word]
    elif word in ("bind", "rbind"):
        result.bind = True
        result.recursive = word == "rbind"
    elif word in RECURSIVE_ATTRIBUTES:
        result.recursive_set, result.recursive_clear = _combine(
            result.recursive_set, result.recursive_clear, RECURSIVE_ATTRIBUTES[word]
        )
    elif word == "remount":
        result.remount = True
    elif word == "tmpcopyup":
        result.copy_up = True
    elif word.partition("=")[0] in ("idmap", "ridmap"):
        result.idmap = True
        result.idmap_recursive = word[0] == "r"
        result.mapping = word.partition("=")[2]
    elif word in LINKS:
        setattr(result, LINKS[word], True)
    elif word not in WITHOUT_EFFECT:
        result.parameters.append(word)


def _combine(old_set: int, old_clear: int, bits: tuple[int, int]) -> tuple[int, int]:
    to_set, to_clear = bits
    clear = old_clear & ~to_set | to_clear
    if clear & MOUNT_ATTR__ATIME:
        # A number, not bits: mount_setattr(2) wants to see all of it cleared.
        clear |= MOUNT_ATTR__ATIME
    return old_set & ~to_clear | to_set, clear


def split(text: str) -> list[str]:
    """The options in one string. A comma between double quotes separates nothing; the quotes go.

    >>> split('mode=755,context="a:b,c"')
    ['mode=755', 'context=a:b,c']
    """
    if "," not in text and '"' not in text:
        return [text] if text else []
    words = [""]
    for number, part in enumerate(text.split('"')):
        if number % 2:
            words[-1] += part
        else:
            first, *others = part.split(",")
            words[-1] += first
            words += others
    return [word for word in words if word]
