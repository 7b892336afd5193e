"""`exec --user` takes plain numbers and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stave.cli.user import MAX_ID, parse_user
from stave.errors import Error


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", (0, None)), ("1", (1, None)), ("1:2", (1, 2)), ("0:0", (0, 0)), ("4294967294", (MAX_ID, None)),
     ("1000:4294967294", (1000, MAX_ID))],
)  # fmt: skip
def test_user(text: str, expected: tuple[int, int | None]) -> None:
    """A uid, or uid and gid, in decimal."""
    assert parse_user(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "1:", ":1", ":", "1:2:3", "01", "00", "1:01", "+1", "-1", " 1", "1 ", "1\n", "1:-1", "4294967295",
     "1:4294967295", str(2**32), str(2**64), "1" * 5000, "root", "0x0", "1_0", "1e3", "1.0", "١", "²"],
)  # fmt: skip
def test_refused(text: str) -> None:
    """Any other form is refused: none of them may become somebody's id, least of all 0."""
    with pytest.raises(Error, match="is not a numeric (user|group) id"):
        parse_user(text)


@given(st.text("0123456789:+- x", max_size=12))
def test_only_what_reads_back(text: str) -> None:
    """What is taken is exactly what its numbers print as."""
    try:
        uid, gid = parse_user(text)
    except Error:
        return
    assert text == (f"{uid}" if gid is None else f"{uid}:{gid}")
