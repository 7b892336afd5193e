"""What a clause is, and the words to write one down with.

A clause is a rule of the specification in words of our own, small enough that one test can decide it. Most are
sentences with one of RFC 2119's words, which is the clause's `level`. Others say what a property of the
configuration means, without such a word: a runtime has to apply every property (`runtime/create/applied`), so
they are as binding, and are written with `means`.

That a property is OPTIONAL says only that it may be absent. No clause repeats it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

SINCE = "1.0"

PERMISSION = "A permission: a runtime may do it or leave it, so nothing that it does can be wrong."
AUTHOR = "Binds whoever writes the configuration, and no runtime is told to notice."
OUTSIDE = "Says what is no business of the runtime."


@dataclass(frozen=True)
class Clause:
    """One rule of the specification."""

    id: str
    level: str
    """MUST, MUST NOT, REQUIRED, SHOULD, SHOULD NOT or MAY."""
    text: str
    since: str = SINCE
    """The minor version of the specification that brought it, such as "1.2"."""
    untested: str = ""
    """Why no test can decide it; empty where one does."""
    implied: bool = False
    """Whether it is binding only because a runtime has to apply every property."""
    document: str = ""
    """The file of the specification, filled in by Document."""
    section: str = ""
    """The heading's anchor in that file, filled in by Document."""

    @property
    def binding(self) -> bool:
        """Whether a runtime that breaks it doesn't conform, rather than not following advice."""
        return self.level in ("MUST", "MUST NOT", "REQUIRED")

    @property
    def url(self) -> str:
        """The section in the specification's own repository."""
        base = "https://github.com/opencontainers/runtime-spec/blob/v1.3.0"
        return f"{base}/{self.document}#{self.section}"


@dataclass(frozen=True)
class Section:
    """The clauses under one heading."""

    anchor: str
    title: str
    clauses: tuple[Clause, ...]


@dataclass
class Document:
    """One file of the specification."""

    name: str
    sections: tuple[Section, ...]
    clauses: tuple[Clause, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.sections = tuple(
            replace(
                section,
                clauses=tuple(
                    replace(clause, document=self.name, section=section.anchor) for clause in section.clauses
                ),
            )
            for section in self.sections
        )
        self.clauses = tuple(clause for section in self.sections for clause in section.clauses)


def section(anchor: str, title: str, *clauses: Clause) -> Section:
    """A heading and what stands below it."""
    return Section(anchor, title, clauses)


def must(id: str, text: str, *, since: str = SINCE, untested: str = "") -> Clause:
    """An absolute demand."""
    return Clause(id, "MUST", text, since, untested)


def must_not(id: str, text: str, *, since: str = SINCE, untested: str = "") -> Clause:
    """An absolute prohibition."""
    return Clause(id, "MUST NOT", text, since, untested)


def required(id: str, text: str, *, since: str = SINCE, untested: str = "") -> Clause:
    """A property that has to be there."""
    return Clause(id, "REQUIRED", text, since, untested)


def should(id: str, text: str, *, since: str = SINCE, untested: str = "") -> Clause:
    """Advice that a runtime needs a good reason not to follow."""
    return Clause(id, "SHOULD", text, since, untested)


def should_not(id: str, text: str, *, since: str = SINCE, untested: str = "") -> Clause:
    """Advice against something."""
    return Clause(id, "SHOULD NOT", text, since, untested)


def may(id: str, text: str, *, since: str = SINCE, untested: str = PERMISSION) -> Clause:
    """A freedom. Some have an effect that others can test; they name no reason then."""
    return Clause(id, "MAY", text, since, untested)


def means(id: str, text: str, *, since: str = SINCE, untested: str = "") -> Clause:
    """What a property does once it is applied."""
    return Clause(id, "MUST", text, since, untested, implied=True)
