"""What is wrong with a document, and the errors that say so.

SpecError
    UnreadableConfig    no file, or none that we read
    InvalidJSON         not JSON, or more of it than we take
    InvalidConfig       JSON that the specification does not allow: a list of Problem
"""

from __future__ import annotations


class Problem:
    """One thing wrong: where (RFC 6901 pointer), what, and the section that says so (may be empty)."""

    __slots__ = ("message", "pointer", "section")

    def __init__(self, pointer: str, message: str, section: str = "") -> None:
        self.pointer = pointer
        self.message = message
        self.section = section

    def __str__(self) -> str:
        text = f"{self.pointer}: {self.message}" if self.pointer else self.message
        return f"{text} ({self.section})" if self.section else text

    def __repr__(self) -> str:
        return f"Problem({self.pointer!r}, {self.message!r}, {self.section!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


class SpecError(Exception):
    """The base: a document that the specification does not allow."""


class UnreadableConfig(SpecError):
    """A file that cannot be read; the message ends with the cause."""


class InvalidJSON(SpecError):
    """Text that is not JSON; the message has the line and column where there is one."""


class InvalidConfig(SpecError):
    """A document with problems; as text, one line each."""

    def __init__(self, problems: list[Problem], path: str = "") -> None:
        super().__init__(problems, path)
        self.problems = problems
        self.path = path

    def __str__(self) -> str:
        prefix = f"{self.path}: " if self.path else ""
        return "\n".join(prefix + str(problem) for problem in self.problems)


def pointer(*parts: str | int) -> str:
    """The RFC 6901 pointer to the member reached by these names and indices."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
