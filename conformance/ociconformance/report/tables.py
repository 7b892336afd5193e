"""Tables in Markdown for documentation: the clauses by document, and the known deviations by runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ociconformance.clauses import CLAUSES, DOCUMENTS
from ociconformance.results import Deviation


def clause_table() -> str:
    """A line for every document: how many clauses, how many of them are binding, how many are tested."""
    lines = [
        "| document | clauses | of these binding | tested | of the binding ones |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    rows = [(document.name, document.clauses) for document in DOCUMENTS]
    for name, clauses in [*rows, ("together", tuple(CLAUSES.values()))]:
        binding = [clause for clause in clauses if clause.binding]
        tested = [clause for clause in clauses if not clause.untested]
        both = [clause for clause in binding if not clause.untested]
        lines.append(f"| {name} | {len(clauses)} | {len(binding)} | {len(tested)} | {len(both)} |")
    return "\n".join(lines)


def untested_list() -> str:
    """The binding clauses without a test, with their reasons."""
    reasons: dict[str, list[str]] = {}
    for clause in CLAUSES.values():
        if clause.binding and clause.untested:
            reasons.setdefault(clause.untested, []).append(f"`{clause.id}`")
    return "\n".join(f"- {reason} {', '.join(ids)}." for reason, ids in reasons.items())


def deviation_tables(deviations: Sequence[Deviation]) -> str:
    """A table for every runtime: what it does, and the tests that show it."""
    return "\n\n".join(
        "\n".join(_table(runtime, deviations))
        for runtime in dict.fromkeys(each.runtime for each in deviations)
    )


def _table(runtime: str, deviations: Sequence[Deviation]) -> Iterator[str]:
    own = [each for each in deviations if each.runtime == runtime]
    count = sum(len(each.tests) for each in own)
    yield f"**{runtime} {own[0].version}**, {count} {'test' if count == 1 else 'tests'}:\n"
    yield "| deviation | tests |"
    yield "| --- | --- |"
    for each in own:
        where = f" ({each.only})" if each.only else ""
        yield f"| {each.why}{where} | {', '.join(f'`{_short(test)}`' for test in each.tests)} |"


def _short(test: str) -> str:
    """A test's name without what all have."""
    return test.replace("::test_", "::").replace("|", "\\|")
