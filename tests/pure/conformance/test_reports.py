"""The reports of the conformance suite, made of results that were not run."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ociconformance.clauses import DOCUMENTS
from ociconformance.cli import summary
from ociconformance.report import FORMATS
from ociconformance.results import (
    DEVIATION,
    FAIL,
    FIXED,
    PASS,
    SKIP,
    UNCLAIMED,
    Deviation,
    Result,
    judge,
    read_deviations,
)

CLAUSE = "runtime/delete/not-stopped"
DEVIATIONS = [
    Deviation("some", "1", ("a::test_known",), "Because <of> `something`."),
    Deviation("some", "1", ("a::test_all",), "All of them."),
    Deviation("some", "1", ("a::test_race",), "A race.", sometimes=True),
]


def record(name: str, outcome: str, reason: str = "") -> dict[str, Any]:
    """A line as the plugin writes it."""
    return {
        "test": name,
        "clauses": [CLAUSE],
        "summary": "Something is <true>.",
        "outcome": outcome,
        "reason": reason,
        "seconds": 0.5,
    }


RECORDS = [
    (record("a::test_good", "passed"), PASS),
    (record("a::test_bad", "failed", "1 < 2\n(test_a.py:1)"), FAIL),
    (record("a::test_known", "failed", "known"), DEVIATION),
    (record("a::test_all[1]", "failed", "known"), DEVIATION),
    (record("a::test_all[2]", "passed"), FIXED),
    (record("a::test_race", "passed"), PASS),
    (record("a::test_race[2]", "failed"), DEVIATION),
    (record("a::test_elsewhere", "skipped", "needs # a moon"), SKIP),
    (record("a::test_new", "unclaimed", "not claimed: new"), UNCLAIMED),
]


def results() -> list[Result]:
    """Two runtimes, of which one is perfect."""
    tests = tuple(judge(each, DEVIATIONS) for each, _ in RECORDS)
    return [
        Result("some", "1.0", "/bin/some", "1.0.2", tests),
        Result("other", "2.0", "/bin/other", "1.3.0", tests[:1]),
    ]


@pytest.mark.parametrize(
    ("line", "verdict"), RECORDS, ids=lambda each: each["test"] if isinstance(each, dict) else each
)
def test_verdicts(line: dict[str, Any], verdict: str) -> None:
    """A test's verdict follows from its outcome and the deviations that are known."""
    assert judge(line, DEVIATIONS).verdict == verdict


def test_unexpected() -> None:
    """What fails without being known, or passes although it is known to fail, is unexpected, and told."""
    result = results()[0]
    assert [test.name for test in result.unexpected()] == ["a::test_bad", "a::test_all[2]"]
    text = summary([result])
    assert "FAIL a::test_bad: 1 < 2" in text and "FIXED a::test_all[2]: passes, though" in text


def test_json() -> None:
    """Runtimes with their tests, and clauses with the worst verdict on each runtime."""
    document = json.loads(FORMATS["json"](results(), "a machine"))
    assert [each["name"] for each in document["runtimes"]] == ["some", "other"]
    clause = next(each for each in document["clauses"] if each["id"] == CLAUSE)
    assert clause["verdicts"] == [FAIL, PASS]


def test_tap() -> None:
    """A line per test, numbered to the plan's end; deviations are TODO, what was not run is SKIP."""
    lines = FORMATS["tap"](results(), "a machine").splitlines()
    tests = [line for line in lines if re.match(r"(not )?ok ", line)]
    assert f"1..{len(tests)}" in lines
    assert [int(re.findall(r"ok (\d+) ", line)[0]) for line in tests] == list(range(1, len(tests) + 1))
    assert "not ok 3 - some 1.0 a::test_known # TODO Because <of> `something`." in lines
    assert "ok 8 - some 1.0 a::test_elsewhere # SKIP needs # a moon" in lines


def test_html() -> None:
    """One page that loads nothing, with every clause, and texts that are no markup."""
    page = FORMATS["html"](results(), "a machine")
    assert page.startswith("<!doctype html>")
    assert not re.search(r"<(link|img|iframe)|<script[^>]*src|@import|url\(", page)
    assert page.count("<details class=clause") == len(json.loads(FORMATS["json"]([], ""))["clauses"])
    assert "Something is &lt;true&gt;." in page and "<true>" not in page
    assert "Because &lt;of&gt; <code>something</code>." in page


def test_html_sums_up() -> None:
    """Above the clauses the page says what holds, and what a runtime does otherwise, with links to the clauses."""
    page = FORMATS["html"](results(), "a machine")
    above, _, clauses = page.partition("<nav class=tools>")
    assert "<b>0</b> of 1 clauses hold<br>0 of the 1 binding ones" in above
    assert "<b>1</b> of 1 clauses hold<br>1 of the 1 binding ones" in above
    assert above.count("<th scope=row>") == len(DOCUMENTS) and "<small>0 of 1</small>" in above
    assert "What some does otherwise: 3 deviations" in above and "What other does" not in above
    links = set(re.findall(r'<a href="#([^"]+)"', page))
    assert CLAUSE in links and links <= set(re.findall(r' id="([^"]+)"', page))
    assert '<small title="some 1.0: hold, of those decided">0/1</small>' in clauses


def test_known_deviations() -> None:
    """The suite's own list names each test once for a runtime, with a whole sentence why."""
    known = read_deviations()
    named = [(each.runtime, each.version, each.only, test) for each in known for test in each.tests]
    assert len(set(named)) == len(named)
    assert all(each.why.endswith(".") and each.only in ("", "cgroup v1", "cgroup v2") for each in known)
