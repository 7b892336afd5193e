"""Text on descriptors 1 and 2, past Python's own streams: no locale, no buffer to lose at `_exit`."""

from __future__ import annotations

import posix

STDOUT, STDERR = 1, 2


def write(descriptor: int, text: str) -> None:
    """All of the text is written, in UTF-8; text from the command line comes out as it came in.

    Raises:
        OSError: the other end is closed, the disk is full ...
    """
    data = memoryview(text.encode("utf-8", "surrogateescape"))
    while data:
        try:
            data = data[posix.write(descriptor, data) :]
        except BlockingIOError:  # a caller made its end of the pipe non-blocking, and ours with it
            import select

            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()


def print_line(text: str) -> None:
    """The text and a newline are on the standard output."""
    write(STDOUT, text + "\n")


def one_line(text: str) -> str:
    """The text with whatever could break the line, or drive a terminal, as backslash escapes."""
    if text.isprintable():
        return text
    return "".join(
        [char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text]
    )
