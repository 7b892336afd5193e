"""Users of `exec`: numbers only, read in one way only.

A name is never looked up, and nothing but the plain decimal form is a number: a runtime that reads "1" as
somebody else's id, or 4294967296 as 0, runs the program with the wrong rights.
"""

from __future__ import annotations

from stave.errors import Error

# 2^32-1 means "no change" to the kernel.
MAX_ID = 2**32 - 2


def parse_user(text: str) -> tuple[int, int | None]:
    """The uid and, where given, the gid of ``UID`` or ``UID:GID``.

    Raises:
        Error: any other form, or a number out of range.
    """
    uid, colon, gid = text.partition(":")
    return parse_id("user", uid), parse_id("group", gid) if colon else None


def parse_id(kind: str, text: str) -> int:
    """The id of that kind ("user" or "group"), in plain decimal digits.

    Raises:
        Error: any other form, or more than MAX_ID.
    """
    plain = text.isascii() and text.isdigit() and len(text) <= 10 and (text == "0" or text[0] != "0")
    if not plain or int(text) > MAX_ID:
        raise Error(f'"{text}" is not a numeric {kind} id: a whole number from 0 to {MAX_ID}')
    return int(text)
