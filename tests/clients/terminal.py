"""A program on a pseudo-terminal, talked to as a person would."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Self


class Terminal:
    """A program runs with a new pseudo-terminal as its controlling one.

    The size is given in rows and columns. What the program writes is kept in `seen`.
    """

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], rows: int = 24, columns: int = 80
    ) -> None:
        self.seen = ""
        self._master, slave = pty.openpty()
        self.resize(rows, columns)
        self._process = subprocess.Popen(
            command,
            env=dict(env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509  # there are no threads here
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)

    def resize(self, rows: int, columns: int) -> None:
        """The terminal has this size, and its foreground process group has had SIGWINCH."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """The text has been typed."""
        os.write(self._master, text.encode())

    def expect(self, text: str, seconds: float = 60) -> None:
        """The program has written `text` since the last call.

        Raises:
            AssertionError: it did not within `seconds`, or it closed the terminal.
        """
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert self._read(deadline), f"waited for {text!r}, saw {self.seen!r}"
        self.seen = self.seen.partition(text)[2]

    def saw(self, text: str) -> bool:
        """Says whether the program has written `text` by now, since the last call of `expect`."""
        while self._read(time.monotonic() + 0.05):
            pass
        return text in self.seen

    def exit_code(self, seconds: float = 60) -> int:
        """The program has ended; returns its exit code, or minus the number of the signal it died of."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self._process.wait(max(0.1, deadline - time.monotonic()))

    def _read(self, deadline: float) -> bool:
        if not select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: the last holder of the other end has closed it
            return False
        self.seen += data.decode(errors="replace").replace("\r", "")
        return bool(data)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
