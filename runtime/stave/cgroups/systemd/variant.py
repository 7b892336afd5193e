"""Values of annotations ``org.systemd.property.NAME`` in GVariant's text form, and only what is needed of it.

Annotations often come from users of an engine, so nothing is guessed: whatever is not plainly one of the forms
below is an error.

===================== =========================================================
``true``, ``false``   b
``'text'``, ``"text"`` s, with the escapes ``\\\\ \\' \\" \\n \\t``
``-5``                i (int32)
``uint64 5``          the named type: byte int16 uint16 int32 uint32 int64 uint64
``1.5``, ``double 2`` d
``['a', 'b']``        an array; all members have one type, and there is at least one
``('a', uint64 5)``   a tuple
===================== =========================================================

Source: the GVariant text format, GLib's reference manual.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    # A D-Bus signature of one complete type, and a value of it.
    Variant = tuple[str, Any]

MAX_LENGTH, MAX_DEPTH = 4096, 8
_SPACE = " \t\n"
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t"}
_INTEGERS: Mapping[str, tuple[str, int, int]] = {
    "byte": ("y", 0, 2**8 - 1),
    "int16": ("n", -(2**15), 2**15 - 1),
    "uint16": ("q", 0, 2**16 - 1),
    "int32": ("i", -(2**31), 2**31 - 1),
    "uint32": ("u", 0, 2**32 - 1),
    "int64": ("x", -(2**63), 2**63 - 1),
    "uint64": ("t", 0, 2**64 - 1),
}


def parse(text: str) -> Variant:
    """The value that the text stands for.

    >>> parse("uint64 5000"), parse("['a']")
    (('t', 5000), ('as', ['a']))

    Raises:
        ValueError: it is none of the forms above; the message says what is wrong and where.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"is longer than {MAX_LENGTH} characters")
    reader = _Reader(text)
    value = reader.value(0)
    reader.skip_space()
    if reader.at != len(text):
        raise reader.error("expected the end")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, problem: str) -> ValueError:
        return ValueError(f"{problem} at character {self.at + 1} of {self.text!r}")

    def skip_space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _SPACE:
            self.at += 1

    def next(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def value(self, depth: int) -> Variant:
        if depth > MAX_DEPTH:
            raise self.error("nested too deeply")
        self.skip_space()
        first = self.next()
        if first in ("'", '"'):
            return "s", self.string(first)
        if first == "[":
            members = self.members("]", depth)
            signatures = {signature for signature, _ in members}
            if len(signatures) != 1:
                raise self.error("an array needs members, all of one type,")
            return "a" + signatures.pop(), [value for _, value in members]
        if first == "(":
            members = self.members(")", depth)
            if not members:
                raise self.error("a tuple needs members")
            signature = "".join(signature for signature, _ in members)
            return f"({signature})", tuple(value for _, value in members)
        return self.word()

    def string(self, quote: str) -> str:
        self.at += 1
        characters = []
        while (character := self.next()) != quote:
            if not character or character == "\0":
                raise self.error("the string does not end")
            self.at += 1
            if character == "\\":
                if self.next() not in _ESCAPES or not self.next():
                    raise self.error("unknown escape")
                character = _ESCAPES[self.next()]
                self.at += 1
            characters.append(character)
        self.at += 1
        return "".join(characters)

    def members(self, end: str, depth: int) -> list[Variant]:
        self.at += 1
        members: list[Variant] = []
        while True:
            self.skip_space()
            if self.next() == end and not members:
                break
            members.append(self.value(depth + 1))
            self.skip_space()
            if self.next() == end:
                break
            if self.next() != ",":
                raise self.error(f"expected , or {end}")
            self.at += 1
        self.at += 1
        return members

    def word(self) -> Variant:
        word = self.plain()
        if word in ("true", "false"):
            return "b", word == "true"
        if word in _INTEGERS:
            self.skip_space()
            return self.integer(self.plain(), word)
        if word == "double":
            self.skip_space()
            return self.double(self.plain())
        return self.double(word) if "." in word else self.integer(word, "int32")

    def plain(self) -> str:
        start = self.at
        while self.next() and (self.next().isascii() and self.next().isalnum() or self.next() in "+-."):
            self.at += 1
        return self.text[start : self.at]

    def integer(self, word: str, kind: str) -> Variant:
        signature, least, most = _INTEGERS[kind]
        digits = word.removeprefix("-")
        if not digits.isdigit() or len(digits) > 20:
            raise self.error(f"{word!r} is no value of a known form")
        number = int(word)
        if not least <= number <= most:
            raise self.error(f"{number} does not fit into {kind}")
        return signature, number

    def double(self, word: str) -> Variant:
        whole, _, fraction = word.removeprefix("-").partition(".")
        if not whole.isdigit() or (fraction and not fraction.isdigit()):
            raise self.error(f"{word!r} is no number")
        return "d", float(word)
