"""The reports: a page for people, a document for programs, and TAP."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ociconformance.report import html, json, tap
from ociconformance.results import Result

FORMATS: dict[str, Callable[[Sequence[Result], str], str]] = {
    "html": html.render,
    "json": json.render,
    "tap": tap.render,
}
"""What makes a report's text of results and a line about the machine."""
