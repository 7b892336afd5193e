"""What is written where: text to descriptors, tables that fit a terminal."""

from __future__ import annotations

import posix

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
