"""What a run found: verdicts on tests and on clauses, with the deviations that are known."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ociconformance.clauses import Clause

PASS, FAIL, DEVIATION, FIXED, SKIP, UNCLAIMED = "pass", "fail", "deviation", "fixed", "skip", "unclaimed"
VERDICTS = {
    PASS: "passed",
    FAIL: "failed, and that is not known",
    DEVIATION: "failed, as is known of this runtime",
    FIXED: "passed, though known to fail",
    SKIP: "skipped: this machine can't show it",
    UNCLAIMED: "not claimed by this runtime",
}
"""The verdicts on a test, and what they mean."""

_WORST_FIRST = (FAIL, FIXED, DEVIATION, PASS, SKIP, UNCLAIMED)


@dataclass(frozen=True)
class Deviation:
    """Tests that a runtime is known to fail, and why."""

    runtime: str
    version: str
    """How its version begins."""
    tests: tuple[str, ...]
    """Their names; one without its parameters stands for all of them."""
    why: str
    only: str = ""
    """The kind of machine it shows on, "cgroup v1" or "cgroup v2", or empty."""
    sometimes: bool = False
    """Whether they may pass as well, as it depends on which of two processes is faster."""

    def concerns(self, test: str) -> bool:
        """Whether it is about this test."""
        return test in self.tests or test.partition("[")[0] in self.tests


@dataclass(frozen=True)
class Test:
    """How one test went."""

    name: str
    clauses: tuple[str, ...]
    summary: str
    verdict: str
    reason: str
    """What went wrong, or why it was not run."""
    why: str
    """The explanation of a known deviation."""
    seconds: float


@dataclass(frozen=True)
class Result:
    """A runtime and how the tests went on it."""

    name: str
    version: str
    executable: str
    specification: str
    """The version of the specification that it claims."""
    tests: tuple[Test, ...]

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    def unexpected(self) -> list[Test]:
        """The tests that went otherwise than is known."""
        return [test for test in self.tests if test.verdict in (FAIL, FIXED)]

    def count(self, verdict: str) -> int:
        """How many tests have this verdict."""
        return sum(test.verdict == verdict for test in self.tests)

    def of(self, clause: Clause) -> list[Test]:
        """The tests that decide a clause."""
        return [test for test in self.tests if clause.id in test.clauses]

    def verdict(self, clause: Clause) -> str | None:
        """The worst verdict of the clause's tests; None without a test."""
        found = {test.verdict for test in self.of(clause)}
        return next((verdict for verdict in _WORST_FIRST if verdict in found), None)


def read_deviations(path: Path | None = None) -> list[Deviation]:
    """What the suite's data file, or the file at `path`, lists.

    Raises: ValueError for an entry of another form.
    """
    path = path or Path(__file__).with_name("deviations.json")
    found = []
    for entry in json.loads(path.read_text(encoding="utf-8")):
        try:
            found.append(Deviation(**{**entry, "tests": tuple(entry["tests"])}))
        except (TypeError, KeyError) as error:
            raise ValueError(f"{path}: {entry}: {error}") from error
    return found


def judge(record: dict[str, Any], deviations: Iterable[Deviation]) -> Test:
    """A test's verdict, from the line that was written of it and the deviations of its runtime and machine."""
    known = [each for each in deviations if each.concerns(record["test"])]
    why = " ".join(each.why for each in known)
    verdict = {
        "passed": FIXED if any(not each.sometimes for each in known) else PASS,
        "failed": DEVIATION if why else FAIL,
        "skipped": SKIP,
        "unclaimed": UNCLAIMED,
    }[record["outcome"]]
    return Test(
        record["test"],
        tuple(record["clauses"]),
        record["summary"],
        verdict,
        record["reason"],
        why,
        record["seconds"],
    )
