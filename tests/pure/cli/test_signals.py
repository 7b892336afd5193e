"""Signals are understood as runc understands them, and real-time signals as kill(1) does."""

from __future__ import annotations

import signal

import pytest

from stave.cli.signals import parse_signal
from stave.errors import Error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 15), ("TERM", 15), ("SIGTERM", 15), ("sigterm", 15), ("Term", 15), ("15", 15), ("015", 15),
        ("KILL", 9), ("9", 9), ("0", 0), ("64", 64), ("winch", 28), ("IO", 29), ("POLL", 29), ("CLD", 17),
        ("STKFLT", 16), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("rtmax-1", 63), ("RTMAX", 64), ("RTMIN+30", 64),
    ],
)  # fmt: skip
def test_signal(text: str, expected: int) -> None:
    """A name, with or without SIG and in any case, or a number, is that signal."""
    assert parse_signal(text) == expected


@pytest.mark.parametrize(
    "text",
    ["FOO", "SIG", " TERM", "TERM ", "TERM\n", "-9", "+9", "65", "99", "1e1", "1000000000000", "SIGSIGTERM",
     "_DFL", "SIG_IGN", "SIG_BLOCK", "BLOCK", "RTMIN+", "RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMIN+-1",
     "RTMIN3", "TERM+1", "ſigterm", "٩"],
)  # fmt: skip
def test_not_a_signal(text: str) -> None:
    """Anything else is refused in runc's words."""
    with pytest.raises(Error) as caught:
        parse_signal(text)
    assert str(caught.value) == f'unknown signal "{text}"'


def test_all_names() -> None:
    """Every signal that Python knows by name is known."""
    for known in signal.Signals:
        assert parse_signal(known.name) == known.value
