"""What the suite's tests are written with."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

UNCLAIMED = "not claimed"
"""How the reason begins if a runtime does not say that it does what a test is about."""

covers = pytest.mark.covers


def case(*values: Any, covers: str | tuple[str, ...] = (), id: str | None = None) -> Any:
    """A set of parameters that decides clauses of its own."""
    clauses = (covers,) if isinstance(covers, str) else covers
    return pytest.param(*values, marks=[pytest.mark.covers(*clauses)] if clauses else [], id=id)


def unclaimed(what: str) -> NoReturn:
    """The test is about something that the runtime says it has not."""
    pytest.skip(f"{UNCLAIMED}: {what}")
