"""Serving a process of the container in the foreground."""

from __future__ import annotations

import posix

from stave.native import module as native


def wait_in_foreground(pid: int, master: int, relay: tuple[int, int] = (-1, -1)) -> int:
    """The exit status of our child `pid`, having served it: signals are passed on, and the terminal copied.

    Args:
        master: the terminal's master, or -1.
        relay: sockets from where word that the program is ready goes on to where; or -1, twice.
    """
    status = native.supervise(pid, master, *relay)
    if posix.WIFSIGNALED(status):
        return 128 + posix.WTERMSIG(status)
    return posix.WEXITSTATUS(status)
