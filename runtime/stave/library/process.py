"""A process of a container, as its parent sees it."""

from __future__ import annotations

import os
import select
import signal
from typing import IO


class Process:
    """A child of this process that runs in a container. As a context manager it closes its pipes and is waited for.

    Attributes:
        pid: in this process's PID namespace.
        returncode: None until it was waited for; then its exit status, or minus the signal that ended it. It stays
            None if somebody else has collected the process: a handler of SIGCHLD, or the kernel where that is ignored.
        stdin, stdout, stderr: the caller's end where PIPE was asked for, else None. Binary, unbuffered.
        terminal: the master of its terminal, owned by the caller, or -1 without one.
    """

    def __init__(self, pid: int, pipes: list[IO[bytes] | None], terminal: int = -1) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = pipes
        self.terminal = terminal
        self._ended = False
        self._descriptor = os.pidfd_open(pid)

    def wait(self, timeout: float | None = None) -> int | None:
        """It has ended; `returncode`.

        Args:
            timeout: seconds; None for ever.

        Raises:
            TimeoutError: it still runs.
        """
        if not self._ended:
            if not select.select([self._descriptor], [], [], timeout)[0]:
                raise TimeoutError(f"process {self.pid} still runs after {timeout} s")
            self._collect()
        return self.returncode

    def poll(self) -> int | None:
        """`returncode`, as it is now."""
        if not self._ended and select.select([self._descriptor], [], [], 0)[0]:
            self._collect()
        return self.returncode

    def send_signal(self, number: int = signal.SIGTERM) -> None:
        """The process has got the signal; nothing happens if it has ended."""
        if not self._ended:
            try:
                signal.pidfd_send_signal(self._descriptor, number)
            except ProcessLookupError:
                pass

    def close(self) -> None:
        """The caller's ends of its pipes are closed."""
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.wait()

    def fileno(self) -> int:
        """A pidfd: readable once the process has ended, for `select`, `selectors` and asyncio."""
        return self._descriptor

    def _collect(self) -> None:
        self._ended = True
        try:
            _, status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            return
        self.returncode = os.waitstatus_to_exitcode(status)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)
