"""What is written where: text to descriptors, tables that fit a terminal."""

from __future__ import annotations

import posix

from cooper.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

STDIN, STDOUT, STDERR = 0, 1, 2


def write(descriptor: int, text: str | bytes) -> None:
    """All of the text is written, as UTF-8; what was not UTF-8 when it was read goes out as it came in."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    while data:
        data = data[posix.write(descriptor, data) :]


def print_line(text: str) -> None:
    """One line on standard output."""
    write(STDOUT, text + "\n")


def warn(text: str) -> None:
    """One line on standard error, for what does not stop the command."""
    write(STDERR, f"cooper: warning: {text}\n")


def confirm(what: str) -> bool:
    """Whether whoever is at standard input says yes; nobody is there to say so in a script, which uses --force."""
    write(STDERR, f"{what}? [y/N] ")
    answer = posix.read(STDIN, 256)
    if not answer.endswith(b"\n"):
        write(STDERR, "\n")
    return answer.strip().lower() in (b"y", b"yes")


class NewFile:
    """A context for writing a file, which is there as a whole when the context is left, or not at all.

    "" and "-" are standard output; a device or a pipe is written as it is. Raises: Error, UsageError for a terminal.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._temporary = ""
        self._file = STDOUT

    def __enter__(self) -> NewFile:
        if self._path in ("", "-"):
            if posix.isatty(STDOUT):
                raise UsageError("an archive is not for a terminal", "name a file with --output")
            return self
        flags = posix.O_WRONLY | posix.O_CLOEXEC
        try:
            if not _is_special(self._path):
                self._temporary = f"{self._path}.{posix.getpid()}.part"
                flags |= posix.O_CREAT | posix.O_EXCL
            self._file = posix.open(self._temporary or self._path, flags, 0o600)
        except OSError as error:
            raise Error(f"write {self._path}: {error.strerror}") from error
        return self

    def write(self, data: bytes) -> None:
        """Adds to the end."""
        write(self._file, data)

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        if self._file != STDOUT:
            posix.close(self._file)
        if self._temporary and kind is None:
            posix.rename(self._temporary, self._path)
        elif self._temporary:
            posix.unlink(self._temporary)


def _is_special(path: str) -> bool:
    try:
        return posix.stat(path).st_mode & 0o170000 != 0o100000
    except FileNotFoundError:
        return False


def printable(text: str) -> str:
    """The text with control characters escaped: names and labels may come from hostile images."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "replace").decode()
        if not 0xD800 <= ord(character) < 0xE000 else "?"
        for character in text
    )  # fmt: skip


def width() -> int:
    """The columns of the terminal on standard output, 0 if there is none."""
    if not posix.isatty(STDOUT):
        return 0
    try:
        return posix.get_terminal_size(STDOUT).columns
    except OSError:
        return 0


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines with columns below each other; on a terminal the widest columns are cut until they fit it."""
    cells = [list(header), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    _fit(widths, [len(title) for title in header], width())
    lines = []
    for row in cells:
        cut = [
            cell if len(cell) <= size else f"{cell[: size - 1]}…"
            for cell, size in zip(row, widths, strict=True)
        ]
        lines.append("   ".join(f"{cell:{size}}" for cell, size in zip(cut, widths, strict=True)).rstrip())
    return "\n".join(lines) + "\n"


def _fit(widths: list[int], minimum: list[int], columns: int) -> None:
    """Shrinks the widest columns until all fit, but none below its title."""
    excess = sum(widths) + 3 * (len(widths) - 1) - columns if columns else 0
    while excess > 0:
        room = [size - max(least, 8) for size, least in zip(widths, minimum, strict=True)]
        widest = max(range(len(widths)), key=lambda column: (room[column] > 0, widths[column]))
        if room[widest] <= 0:
            return
        widths[widest] -= 1
        excess -= 1
