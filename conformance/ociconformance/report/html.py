"""The report as one page."""

from __future__ import annotations

from collections.abc import Sequence

from ociconformance.results import Result


def render(results: Sequence[Result], machine: str) -> str:
    """The page."""
    return "<!doctype html>"
