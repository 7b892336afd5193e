"""The receiving end of --console-socket."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path


class Terminal:
    """A terminal's master, received from the runtime."""

    def __init__(self, master: int, name: str) -> None:
        self.master = master
        self.name = name
        self._seen = b""

    def write(self, text: str) -> None:
        """The text has been typed."""
        os.write(self.master, text.encode())

    def read_until(self, text: str, seconds: float = 60) -> str:
        """What has been written up to and including the text, with lines ended as in a file."""
        deadline = time.monotonic() + seconds
        while text.encode() not in self._seen.replace(b"\r\n", b"\n"):
            left = deadline - time.monotonic()
            assert left > 0, f"not seen: {text!r} in {self._seen!r}"
            if select.select([self.master], [], [], left)[0] and not self._read():
                break
        seen = self._seen.replace(b"\r\n", b"\n")
        assert text.encode() in seen, f"not seen: {text!r} in {seen!r}"
        end = seen.index(text.encode()) + len(text)
        self._seen = seen[end:]
        return seen[:end].decode()

    def read_all(self) -> str:
        """The rest, up to the end: nobody holds the other side any more."""
        while self._read():
            pass
        return self._seen.replace(b"\r\n", b"\n").decode()

    def close(self) -> None:
        """The master is closed: whoever has the other side is hung up."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def _read(self) -> bool:
        try:
            chunk = os.read(self.master, 4096)
        except OSError:  # EIO: the other side is closed
            return False
        self._seen += chunk
        return bool(chunk)


class ConsoleSocket:
    """A unix socket that a runtime sends terminals to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(60)
        self._terminals: list[Terminal] = []

    def receive(self) -> Terminal:
        """The terminal of the next connection: exactly one descriptor and its name."""
        connection, _ = self._listener.accept()
        with connection:
            data, descriptors, _, _ = socket.recv_fds(connection, 4096, 4)
            (master,) = descriptors
            assert connection.recv(1) == b""
        self._terminals.append(Terminal(master, data.decode()))
        return self._terminals[-1]

    def close(self) -> None:
        """Everything that came in is closed."""
        for terminal in self._terminals:
            terminal.close()
        self._listener.close()


@contextlib.contextmanager
def console_socket(directory: Path) -> Iterator[ConsoleSocket]:
    """A console socket in the directory."""
    listening = ConsoleSocket(directory / "console.sock")
    try:
        yield listening
    finally:
        listening.close()
