"""Serving a process of the container in the foreground."""

from __future__ import annotations

import posix

from stave.native import module as native

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the C half, without the enums

_TIOCGWINSZ, _TIOCSWINSZ = 0x5413, 0x5414


# What somebody at a terminal breaks off with. Before the program runs that ends the runtime, as it may hang in a hook.
_BREAKS_OFF = (2, 3, 20)  # SIGINT, SIGQUIT, SIGTSTP


def hold_signals() -> None:
    """What is sent to this process from now on is for the program, and waits until `wait_in_foreground` passes it on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals().difference(_BREAKS_OFF))


def give_size(master: int) -> None:
    """The terminal is as large as the caller's, if that has one: before the program can ask for it."""
    from fcntl import ioctl

    try:
        size = ioctl(0, _TIOCGWINSZ, bytes(8))
    except OSError:
        return
    ioctl(master, _TIOCSWINSZ, size)


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
