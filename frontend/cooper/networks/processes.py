"""Processes that outlive the command that started them: known by pid and start time, ended through a pidfd."""

from __future__ import annotations

import posix

SIGHUP, SIGKILL, SIGTERM = 1, 9, 15
# A process that was killed is gone after a scheduler's moment; one that hangs in the kernel is not waited for.
PATIENCE_MILLISECONDS = 2000


def identity(pid: int) -> str:
    """``PID START`` of a process (proc(5), stat field 22), or "" if there is none or it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return f"{pid} {int(fields[19])}" if fields[0] not in (b"Z", b"X") else ""


def is_alive(known: str) -> bool:
    """Whether the process of that identity runs."""
    return bool(known) and identity(int(known.split()[0])) == known


def end_known(known: str) -> None:
    """The process of that identity has ended; another that has its pid by now is left alone."""
    if is_alive(known):
        end(int(known.split()[0]), SIGKILL)


def end(pid: int, signal: int) -> None:
    """The process has been sent the signal and has ended."""
    import _signal
    import select

    try:
        descriptor = posix.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        _signal.pidfd_send_signal(descriptor, signal)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(PATIENCE_MILLISECONDS):
            _signal.pidfd_send_signal(descriptor, SIGKILL)
            poll.poll(PATIENCE_MILLISECONDS)
    except ProcessLookupError:
        pass
    finally:
        posix.close(descriptor)
