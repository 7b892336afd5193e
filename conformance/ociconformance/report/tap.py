"""The report in the Test Anything Protocol, version 13: a line for every test on every runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ociconformance.results import DEVIATION, FAIL, SKIP, UNCLAIMED, Result, Test


def render(results: Sequence[Result], machine: str) -> str:
    """The lines. A known deviation is a TODO, and so no failure to a reader of TAP."""
    tests = [(result, test) for result in results for test in result.tests]
    lines = ["TAP version 13", f"# {machine}", f"1..{len(tests)}"]
    for number, (result, test) in enumerate(tests, 1):
        lines.extend(_lines(number, result, test))
    return "\n".join(lines) + "\n"


def _lines(number: int, result: Result, test: Test) -> Iterator[str]:
    verdict = "not ok" if test.verdict in (FAIL, DEVIATION) else "ok"
    line = f"{verdict} {number} - {result.title} {test.name}".replace("#", "\\#")
    if test.verdict in (SKIP, UNCLAIMED):
        yield f"{line} # SKIP {_one_line(test.reason)}"
        return
    yield f"{line} # TODO {_one_line(test.why)}" if test.verdict == DEVIATION else line
    if test.reason:
        yield from (f"# {text}" for text in test.reason.splitlines())


def _one_line(text: str) -> str:
    return " ".join(text.split())
