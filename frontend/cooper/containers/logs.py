"""A container's log: files in the form of supervisor/log.c, oldest lines in the highest number."""

from __future__ import annotations

import posix
import time

from cooper.cli.output import STDERR, STDOUT, write
from cooper.containers import record
from cooper.containers.values import is_number, parse_duration
from cooper.errors import Conflict, UsageError
from cooper.supervisor import client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from cooper.containers.journal import JournalReader
    from cooper.containers.record import Container
    from cooper.settings import Settings

_PIECE = 1 << 16
_NEVER = b"9"
_FILES = 1000
# While files are renamed, the one with the highest number first, one number is free.
_GAP = 1


class Reader:
    """The lines of a log, over all its files, and those that are appended later."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._rest = b""
        self._file = 0

    def lines(self) -> Iterator[bytes]:
        """The entries, without their newline, up to the end as it is now; then those written since the last call."""
        if not self._file:
            self._file = self._oldest()
        while self._file:
            yield from self._read()
            number = self._number()
            if not number:
                return
            # It has been renamed, so its last lines are there: perhaps some that came since it was read.
            yield from self._read()
            successor = self._successor()
            posix.close(self._file)
            self._file = successor

    def last(self, count: int, wanted: Callable[[bytes], bool]) -> list[bytes]:
        """The entries of the last lines that are wanted; parts of a line are one. `lines` goes on behind them."""
        return _last(filter(wanted, self.lines()), count)

    def _read(self) -> Iterator[bytes]:
        while piece := posix.read(self._file, _PIECE):
            *whole, self._rest = (self._rest + piece).split(b"\n")
            yield from whole

    def _name(self, number: int) -> str:
        return f"{self._path}.{number}" if number else self._path

    def _number(self) -> int:
        """Which the open file is now, 0 for the one that is written; -1 if it is gone."""
        own = posix.fstat(self._file).st_ino
        missing = 0
        for number in range(_FILES):
            try:
                if posix.stat(self._name(number)).st_ino == own:
                    return number
                missing = 0
            except FileNotFoundError:
                missing += 1
                if missing > _GAP:
                    break
        return -1

    def _successor(self) -> int:
        """The file after the open one, opened; files may be renamed meanwhile."""
        while True:
            number = self._number()
            if number < 0:
                return self._oldest()
            file = _open(self._name(number - 1))
            if file and self._number() == number:
                return file
            if file:
                posix.close(file)

    def _oldest(self) -> int:
        """The file with the highest number, opened; 0 if there is none. Files may be renamed meanwhile."""
        while True:
            number = self._highest()
            file = _open(self._name(number))
            if not file:
                if not number:
                    return 0
            elif self._highest() == number:
                return file
            else:
                posix.close(file)

    def _highest(self) -> int:
        highest, missing, number = 0, 0, 1
        while missing <= _GAP and number < _FILES:
            if posix.access(self._name(number), posix.F_OK):
                highest, missing = number, 0
            else:
                missing += 1
            number += 1
        return highest


def _open(path: str) -> int:
    try:
        return posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except FileNotFoundError:
        return 0


def parse_time(text: str, flag: str, now: float) -> bytes:
    """A time as the log writes it, which sorts as text. Raises: UsageError."""
    if not text:
        return b""
    if text[:1].isdigit() and "-" not in text:
        seconds = parse_duration(text, flag)
        # A number without unit is a time, with one it is so long ago.
        return stamp(seconds if is_number(text.replace(".", "", 1)) else now - seconds)
    import datetime

    # Nanoseconds, which datetime does not have, stay.
    head, point, tail = text.partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))] if point else ""
    try:
        date = datetime.datetime.fromisoformat(head + tail[len(digits) :])
    except ValueError as error:
        raise UsageError(
            f"{flag}: {text!r} is no time", "10m, 2026-01-31T12:00:00Z, or seconds since 1970"
        ) from error
    return stamp(int(date.timestamp()))[:20] + digits.ljust(9, "0")[:9].encode() + b"Z"


def stamp(seconds: float) -> bytes:
    """A time, seconds since 1970, as the log writes it."""
    whole = int(seconds)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{text}.{int((seconds - whole) * 1e9):09d}Z".encode()


def print_log(settings: Settings, container: Container, given: dict[str, Any]) -> int:
    """`cooper logs`."""
    options = container.options
    if options["log"]["driver"] == "none":
        raise Conflict(f"the container {container.name} has no log", "it was made with --log-driver none")
    now = time.time()
    since = parse_time(given["since"], "--since", now)
    until = parse_time(given["until"], "--until", now) or _NEVER
    tail = -1
    if given["tail"] != "all":
        if not is_number(given["tail"].removeprefix("-")):
            raise UsageError(f"--tail: {given['tail']!r} is neither a number nor all")
        tail = int(given["tail"])
    following = None
    if given["follow"] and container.state == record.RUNNING:
        following = client.connect(settings, container.id)
        if following is not None:
            following.send(client.ATTACH, bytes([client.WANTS_NEWS]))
    reader = _reader(settings, container, options["log"]["driver"])

    def wanted(line: bytes) -> bool:
        return since <= line[:30] <= until

    printer = _Printer(given["timestamps"])
    printer.print(reader.last(tail, wanted) if tail >= 0 else filter(wanted, reader.lines()))
    while following is not None:
        kind = _news(following)
        fresh = list(reader.lines())
        printer.print(filter(wanted, fresh))
        if not kind or kind == client.FINISHED or (fresh and fresh[-1][:30] > until):
            break
    return 0


def _reader(settings: Settings, container: Container, driver: str) -> Reader | JournalReader:
    if driver == "journald":
        from cooper.containers.journal import JournalReader

        return JournalReader(settings, container.id)
    return Reader(f"{settings.container_directory(container.id)}/log")


def _news(supervisor: client.Supervisor) -> bytes:
    """The type of the next packet; all news that have come meanwhile are one."""
    kind, _ = supervisor.receive()
    supervisor.socket.setblocking(False)
    try:
        while kind and kind != client.FINISHED:
            kind, _ = supervisor.receive()
    except BlockingIOError:
        pass
    finally:
        supervisor.socket.setblocking(True)
    return kind


def _last(entries: Iterator[bytes], count: int) -> list[bytes]:
    """The entries of the last lines; parts of a line are one."""
    kept: list[bytes] = []
    starts: list[int] = []
    partial = False
    for entry in entries:
        if not partial:
            starts.append(len(kept))
        kept.append(entry)
        partial = is_partial(entry)
        if len(starts) > count:
            cut = starts[1] if count else len(kept)
            del kept[:cut]
            starts = [start - cut for start in starts[1:]]
    return kept


def is_partial(entry: bytes) -> bool:
    """Whether its line goes on in a later entry of the stream."""
    return entry.split(b" ", 3)[2:3] == [b"P"]


class _Printer:
    """Writes entries to the streams that they came from."""

    def __init__(self, stamps: bool) -> None:
        self._stamps = stamps
        self._inside = {b"stdout": False, b"stderr": False}

    def print(self, entries: Iterable[bytes]) -> None:
        pending: list[bytes] = []
        stream, size = b"stdout", 0
        for entry in entries:
            parts = entry.split(b" ", 3)
            if len(parts) < 4 or parts[1] not in self._inside:
                continue
            if parts[1] != stream or size > _PIECE:
                self._flush(stream, pending)
                pending, stream, size = [], parts[1], 0
            if self._stamps and not self._inside[stream]:
                pending.append(parts[0] + b" ")
            pending.append(parts[3])
            self._inside[stream] = parts[2] == b"P"
            if not self._inside[stream]:
                pending.append(b"\n")
            size += len(entry)
        self._flush(stream, pending)

    @staticmethod
    def _flush(stream: bytes, pending: list[bytes]) -> None:
        if pending:
            write(STDOUT if stream == b"stdout" else STDERR, b"".join(pending))
