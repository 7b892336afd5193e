"""The clause registry of the conformance suite."""

from __future__ import annotations

import re

import pytest

from ociconformance.clauses import CLAUSES, DOCUMENTS
from ociconformance.clauses.model import Clause
from ociconformance.cli import collect

LEVELS = {"MUST", "MUST NOT", "REQUIRED", "SHOULD", "SHOULD NOT", "MAY"}


def test_ids_are_unique() -> None:
    """No two clauses have the same id, nor the same words in the same section."""
    every = [clause for document in DOCUMENTS for clause in document.clauses]
    assert len({clause.id for clause in every}) == len(every) == len(CLAUSES)
    assert len({(clause.document, clause.section, clause.text) for clause in every}) == len(every)


@pytest.mark.parametrize("clause", CLAUSES.values(), ids=lambda clause: clause.id)
def test_form(clause: Clause) -> None:
    """A clause has a readable id, a level, a known version, a heading's anchor and a whole sentence."""
    assert re.fullmatch(r"[a-z0-9-]+(/[a-z0-9_-]+)+", clause.id)
    assert clause.level in LEVELS
    assert clause.since in ("1.0", "1.1", "1.2", "1.3")
    assert re.fullmatch(r"[a-z0-9-]+", clause.section)
    assert clause.text[-1] == "." and clause.text[:-1].strip() == clause.text[:-1]
    assert not clause.untested or clause.untested.endswith(".")


def test_every_clause_is_tested_or_says_why_not() -> None:
    """A clause is named by a test, or gives a reason, and not both."""
    named = {clause for test in collect() for clause in test["clauses"]}
    assert [clause.id for clause in CLAUSES.values() if bool(clause.untested) == (clause.id in named)] == []


def test_every_test_says_what_is_true() -> None:
    """Every test of the suite has a docstring, which the report shows."""
    assert [test["test"] for test in collect() if not test["summary"]] == []
