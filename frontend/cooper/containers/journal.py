"""Logs in systemd's journal: the fields that supervisor/journal.c writes, and the lines that journalctl(1) reads."""

from __future__ import annotations

import posix
import time

from cooper.containers.logs import is_partial
from cooper.containers.runtime import run_program, spawn, wait_for
from cooper.errors import Error, UsageError
from cooper.settings import PATIENCE_S, find_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO

    from cooper.containers.record import Container
    from cooper.settings import Settings

SOCKET = "/run/systemd/journal/socket"
_ERROR = b"3"
_FIELDS = "MESSAGE,PRIORITY,CONTAINER_PARTIAL_MESSAGE,_SOURCE_REALTIME_TIMESTAMP"


def fields(container: Container, options: dict[str, Any]) -> str:
    """What every line of the container has besides its text, in the journal's native form.

    Raises: Error if there is no journal; UsageError for a tag that makes none.
    """
    if not posix.access(SOCKET, posix.F_OK):
        raise Error(f"--log-driver journald: there is no {SOCKET}", "start systemd-journald, or use k8s-file")
    tag = options["log"].get("tag") or container.short_id
    if "{{" in tag:
        from cooper.cli.template import Template

        tag = Template(tag).render(
            {
                "ID": container.short_id,
                "FullID": container.id,
                "Name": container.name,
                "ImageID": container.image_id.removeprefix("sha256:")[:12],
                "ImageFullID": container.image_id,
                "ImageName": container.image,
                "DaemonName": "cooper",
            }
        )
    if not tag.isprintable():
        raise UsageError(f"--log-opt tag: {tag!r} has characters that cannot be printed")
    values = {
        "CONTAINER_ID": container.short_id,
        "CONTAINER_ID_FULL": container.id,
        "CONTAINER_NAME": container.name,
        "CONTAINER_TAG": tag,
        "IMAGE_NAME": container.image,
        "SYSLOG_IDENTIFIER": tag,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


class JournalReader:
    """The lines of a container in the journal, in the form of supervisor/log.c.

    Raises: Error if there is no journalctl.
    """

    def __init__(self, settings: Settings, container_id: str) -> None:
        try:
            self._program = find_program("journalctl")
        except Error as error:
            raise Error("the log is in the journal, and there is no journalctl", "install systemd") from error
        self._match = [f"CONTAINER_ID_FULL={container_id}"]
        if not settings.rootless:  # anybody may write that into the journal, but nobody else as root
            self._match.append("_UID=0")
        self._cursor = ""

    def lines(self) -> Iterator[bytes]:
        """The entries, without their newline, up to the end as it is now; then those written since the last call."""
        for entry in self._read(*([f"--after-cursor={self._cursor}"] if self._cursor else [])):
            self._cursor = entry[b"__CURSOR"].decode()
            yield _line(entry)

    def last(self, count: int, wanted: Callable[[bytes], bool]) -> list[bytes]:
        """The entries of the last lines that are wanted; parts of a line are one. `lines` goes on behind them."""
        kept: list[bytes] = []
        for entry in self._read("--reverse"):
            self._cursor = self._cursor or entry[b"__CURSOR"].decode()
            line = _line(entry)
            if not wanted(line):
                continue
            if not kept or not is_partial(line):  # the end of a line, or what there is of it
                count -= 1
            if count < 0:
                break
            kept.append(line)
        return kept[::-1]

    def _read(self, *where: str) -> Iterator[dict[bytes, bytes]]:
        # What has been sent is there afterwards. An ordinary user may not ask for it, and is shown what is there.
        run_program([self._program, "--sync"], seconds=PATIENCE_S)
        words = [
            "--quiet",
            "--no-pager",
            "--output=export",
            f"--output-fields={_FIELDS}",
            *where,
            *self._match,
        ]
        reading, writing = posix.pipe2(posix.O_CLOEXEC)
        child = spawn([self._program, *words], (-1, writing, 2))
        posix.close(writing)
        status = 0
        try:
            with open(reading, "rb") as file:
                yield from _entries(file)
                status = 1  # read to its end, so how it ended matters
        finally:
            status *= wait_for(child)  # whoever stops before has closed the pipe: it ends, too
        if status:
            raise Error(f"journalctl ended with {status}")


def _entries(file: BinaryIO) -> Iterator[dict[bytes, bytes]]:
    """The journal export format (systemd.io/JOURNAL_EXPORT_FORMATS): lines, or a length and as many bytes."""
    entry: dict[bytes, bytes] = {}
    while line := file.readline():
        if line == b"\n":
            yield entry
            entry = {}
            continue
        name, equals, value = line[:-1].partition(b"=")
        if not equals:
            value = file.read(int.from_bytes(file.read(8), "little"))
            file.read(1)
        entry[name] = value


def _line(entry: dict[bytes, bytes]) -> bytes:
    moment = int(entry.get(b"_SOURCE_REALTIME_TIMESTAMP") or entry[b"__REALTIME_TIMESTAMP"])
    seconds, microseconds = divmod(moment, 10**6)
    stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{microseconds:06d}000Z".encode()
    stream = b"stderr" if entry.get(b"PRIORITY") == _ERROR else b"stdout"
    kind = b"P" if b"CONTAINER_PARTIAL_MESSAGE" in entry else b"F"
    return b" ".join((stamp, stream, kind, entry.get(b"MESSAGE", b"")))
