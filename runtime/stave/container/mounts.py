"""The mounts of a container without a mount namespace of its own.

They are the caller's, and nothing ends them with the container's process; so they are told apart from those that
were there before, and go with `delete`.
"""

from __future__ import annotations

from stave.errors import KernelError
from stave.host.facts import read_file
from stave.native.module import unmount


def mounts_below(root: str) -> list[str]:
    """The mounts below a directory, not on it, as "id path", in the order in which they were made.

    Source: proc_pid_mountinfo(5).
    """
    found = []
    for line in read_file("/proc/self/mountinfo").splitlines():
        number, _, _, _, place, _ = line.split(" ", 5)
        path = _decode(place)
        if path.startswith(f"{root.rstrip('/')}/"):
            found.append(f"{number} {path}")
    return found


def unmount_new(root: str, before: list[str]) -> None:
    """Nothing is mounted below the directory but what was before, as `mounts_below` told.

    Raises:
        KernelError: a mount could not be removed.
    """
    known = set(before)
    # A mount takes along what lies in it. To go by the list would be wrong: its later paths may lead to others then.
    while new := [mount for mount in mounts_below(root) if mount not in known]:
        path = new[0].partition(" ")[2]
        try:
            unmount(path)
        except OSError as error:
            raise KernelError(f"unmount {path}", error.errno or 0) from error


def _decode(text: str) -> str:
    r"""A path without the octal escapes of blanks and backslashes.

    >>> _decode(r"/a\040b")
    '/a b'
    """
    first, *others = text.split("\\")
    return first + "".join([chr(int(part[:3], 8)) + part[3:] for part in others])
