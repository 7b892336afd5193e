"""A command in the foreground of a container: its streams, its terminal, its signals.

Neither side ever waits for the other: input is read only when the last piece has gone to the supervisor, and output is
taken meanwhile, so `cat` of any length passes through.
"""

from __future__ import annotations

import _signal
import posix
import select
import termios

from cooper.cli.output import STDERR, STDIN, STDOUT, write
from cooper.containers.record import read_file
from cooper.errors import UsageError
from cooper.settings import environment
from cooper.supervisor import client
from ocispec import jsontext
from ocispec.errors import InvalidJSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.supervisor.client import Supervisor

DETACH_KEYS = "ctrl-p,ctrl-q"
DETACHED = -1
# What is passed on: whatever ends a program unless it says otherwise, and what is free to use.
_PROXIED = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGTERM", "SIGCONT", "SIGTSTP")


def detach_keys(text: str) -> bytes:
    """The keys given, or else those of docker's config.json, or else its default. Raises: UsageError."""
    return parse_detach_keys(text or _configured() or DETACH_KEYS)


def _configured() -> str:
    directory = environment("DOCKER_CONFIG") or f"{environment('HOME')}/.docker"
    try:
        config = jsontext.loads(read_file(f"{directory}/config.json"))
    except (OSError, InvalidJSON):
        return ""
    keys = config.get("detachKeys") if isinstance(config, dict) else None
    return keys if isinstance(keys, str) else ""


def parse_detach_keys(text: str) -> bytes:
    """``ctrl-p,ctrl-q`` as the bytes that a terminal sends; "" is none."""
    keys = b""
    for key in text.split(",") if text else ():
        letter = key.lower().removeprefix("ctrl-")
        if len(key) == 1 and key.isascii():
            keys += key.encode()
        elif key.lower() != letter and len(letter) == 1 and "@" <= letter.upper() <= "_":
            keys += bytes([ord(letter.upper()) - 64])
        else:
            raise UsageError(f"detach keys: {key!r} is neither a character nor ctrl-x")
    return keys


def terminal_size() -> tuple[int, int]:
    """Rows and columns of the terminal that a person looks at; (0, 0) without one."""
    for descriptor in (STDOUT, STDIN, STDERR):
        try:
            size = posix.get_terminal_size(descriptor)
        except OSError:
            continue
        return size.lines, size.columns
    return 0, 0


class RawTerminal:
    """A context in which keys are passed on as they are pressed, if standard input is a terminal."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted and posix.isatty(STDIN)
        self._before: list[Any] = []

    def __enter__(self) -> None:
        if not self._wanted:
            return
        self._before = termios.tcgetattr(STDIN)
        raw = termios.tcgetattr(STDIN)
        raw[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
        raw[1] &= ~termios.OPOST
        raw[2] = raw[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
        termios.tcsetattr(STDIN, termios.TCSAFLUSH, raw)

    def __exit__(self, *details: object) -> None:
        if self._before:
            termios.tcsetattr(STDIN, termios.TCSADRAIN, self._before)


class Foreground:
    """The streams between this process and a container's supervisor, until the container ends or it is left.

    Args:
        wants_input: whether standard input goes to the container.
        tty: whether the container has a terminal.
        keys: the detach keys; b"" for none.
        show: of "stdout" and "stderr", which to write.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        wants_input: bool,
        tty: bool,
        keys: bytes = b"",
        proxy: bool = True,
        show: tuple[str, ...] = ("stdout", "stderr"),
    ) -> None:
        self._supervisor = supervisor
        self._reads = wants_input
        self._tty = tty
        self._keys = keys if tty and posix.isatty(STDIN) else b""
        self._proxy = proxy and not (tty and posix.isatty(STDIN))
        self._show = show
        self._pending = b""
        self._matched = 0
        self._ended = False
        self.oom = False
        self.finished = False

    def run(self) -> int:
        """The container's exit status, or DETACHED."""
        if self._proxy:
            self._pass_signals_on()
        with RawTerminal(self._reads and self._tty):
            if self._tty:
                self._follow_size()
            return self._stream()

    def _pass_signals_on(self) -> None:
        def pass_on(number: int, frame: object) -> None:
            self._supervisor.send(client.KILL, names[number])

        names = {int(getattr(_signal, name)): name.encode() for name in _PROXIED}
        for number in names:
            _signal.signal(number, pass_on)

    def _follow_size(self) -> None:
        def resize(*details: object) -> None:
            rows, columns = terminal_size()
            if rows:
                self._supervisor.send(client.RESIZE, f"{rows} {columns}".encode())

        _signal.signal(_signal.SIGWINCH, resize)
        resize()

    def _stream(self) -> int:
        poll = select.poll()
        socket = self._supervisor.socket.fileno()
        status = None
        while True:
            reading = self._reads and not self._pending
            if reading:
                poll.register(STDIN, select.POLLIN)
            elif self._reads or self._ended:
                try:
                    poll.unregister(STDIN)
                except KeyError:
                    pass
            poll.register(socket, select.POLLIN | (select.POLLOUT if self._pending else 0))
            for descriptor, events in poll.poll():
                if descriptor == STDIN and reading:
                    if self._read_input():
                        return DETACHED
                elif descriptor == socket:
                    if events & select.POLLOUT and self._pending:
                        self._send_input()
                    if events & ~select.POLLOUT:
                        kind, data = self._supervisor.receive()
                        if kind == client.EXITED:
                            words = data.split()
                            status, self.oom = int(words[0]), words[1] == b"1"
                        elif kind == client.FINISHED:
                            self.finished = True
                            return 125 if status is None else status
                        elif not kind:
                            return 125 if status is None else status
                        else:
                            self._write(kind, data)

    def _write(self, kind: bytes, data: bytes) -> None:
        name = {client.OUTPUT: "stdout", client.ERROR: "stderr"}.get(kind, "")
        if name in self._show:
            write(STDOUT if name == "stdout" else STDERR, data)

    def _read_input(self) -> bool:
        """Reads a piece; True if the detach keys were in it."""
        data = posix.read(STDIN, client.CHUNK)
        if not data:
            self._reads, self._ended = False, True
            self._supervisor.send(client.END)
            return False
        if self._keys:
            data, detached = self._without_keys(data)
            if detached:
                return True
        self._pending = data
        self._send_input()
        return False

    def _send_input(self) -> None:
        try:
            if self._pending:
                self._supervisor.socket.send(client.INPUT + self._pending, 0x40)  # MSG_DONTWAIT
        except BlockingIOError:
            return
        except OSError:
            pass
        self._pending = b""

    def _without_keys(self, data: bytes) -> tuple[bytes, bool]:
        """What is to be sent of it: the beginning of the detach keys is kept back until it is none."""
        passed = b""
        for number in data:
            if number == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    return passed, True
                continue
            passed += self._keys[: self._matched]
            self._matched = 0
            if number == self._keys[0]:
                self._matched = 1
            else:
                passed += bytes([number])
        return passed, False
