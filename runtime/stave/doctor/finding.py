"""One answer of `stave doctor`."""

from __future__ import annotations

import os
from typing import NamedTuple


class Finding(NamedTuple):
    """Whether something works here.

    Attributes:
        group: what it belongs to ("kernel", "cgroups" ...).
        name: the feature, in the specification's words where it has some.
        works: the answer.
        detail: for a yes what was found, for a no the reason; may be empty.
        cure: for a no, what to do about it, or what happens instead; may be empty.
        required: whether no container can run without it.
    """

    group: str
    name: str
    works: bool
    detail: str = ""
    cure: str = ""
    required: bool = False


def reason(error: int) -> str:
    """What a refusal with this errno means for somebody who asked whether the kernel can do a thing."""
    import errno

    if error == errno.ENOSYS:
        return "the kernel is too old, or a seccomp filter around this process hides the system call"
    if error == errno.EPERM:
        return "not permitted: the capability is missing, or a seccomp filter or security module refuses it"
    return os.strerror(error)


def setting(path: str) -> str | None:
    """A file of /proc/sys, /sys and the like, stripped; None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None
