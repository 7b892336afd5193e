"""The figures and tables in docs/spec-conformance.md are those of the suite.

Run as a program it writes them: ``python tests/pure/conformance/test_page.py``.
"""

from __future__ import annotations

import re
from pathlib import Path

from ociconformance.report.tables import clause_table, deviation_tables, untested_list
from ociconformance.results import read_deviations

PAGE = Path(__file__).parent.parent.parent.parent / "docs" / "spec-conformance.md"


def written(page: str) -> str:
    """The page with what stands between its markers made anew."""
    parts = {
        "clauses": clause_table(),
        "untested": untested_list(),
        "deviations": deviation_tables(read_deviations()),
    }
    for name, text in parts.items():
        begin, end = (
            f"<!-- {name}: written by tests/pure/conformance/test_page.py -->",
            f"<!-- end of {name} -->",
        )
        before, old, after = re.split(f"{re.escape(begin)}(.*?){re.escape(end)}", page, flags=re.DOTALL)
        assert old, f"{PAGE} has no part {name}"
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def test_page() -> None:
    """What is in the page between the markers is what the suite says."""
    assert PAGE.read_text() == written(PAGE.read_text()), f"to be written anew: python {__file__}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
