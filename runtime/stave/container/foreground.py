"""Serving a process of the container in the foreground."""

from __future__ import annotations

import posix

from stave.native import module as native


def wait_in_foreground(pid: int, master: int) -> int:
    """The exit status of our child `pid`, having served it: signals are passed on, and the terminal copied.

    Args:
        master: the terminal's master, or -1.
    """
    status = native.supervise(pid, master)
    if posix.WIFSIGNALED(status):
        return 128 + posix.WTERMSIG(status)
    return posix.WEXITSTATUS(status)
