"""The report as one page for people: every clause, the runtimes side by side, details that unfold.

The page is self-contained: page.css and page.js are written into it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from ociconformance.clauses import CLAUSES, DOCUMENTS, SPEC_VERSION, Clause, Document
from ociconformance.clauses.model import Section
from ociconformance.results import DEVIATION, FAIL, FIXED, PASS, SKIP, UNCLAIMED, VERDICTS, Result, Test

UNTESTED = "untested"
LABELS = {
    PASS: ("✓", "holds"),
    DEVIATION: ("≠", "known deviation"),
    FAIL: ("✗", "fails"),
    FIXED: ("!", "unexpectedly passes"),
    UNCLAIMED: ("○", "not claimed"),
    SKIP: ("–", "skipped here"),
    UNTESTED: ("·", "no test"),
}
"""The sign of a verdict on a clause, and the words for it."""
LEGEND = {
    PASS: "every test of the clause passed",
    DEVIATION: "a test failed, as is known of this runtime and explained",
    FAIL: "a test failed that is not known to fail",
    FIXED: "a test passed that is known to fail",
    UNCLAIMED: "newer than the version that the runtime claims, or its features document says no",
    SKIP: "this machine can't show it",
    UNTESTED: "no test can decide it, and the clause says why",
}
"""What the signs mean, in a sentence each."""
_DECIDED = (PASS, DEVIATION, FAIL, FIXED)

_HERE = Path(__file__)


def render(results: Sequence[Result], machine: str) -> str:
    """The page."""
    style = _HERE.with_name("page.css").read_text(encoding="utf-8")
    script = _HERE.with_name("page.js").read_text(encoding="utf-8")
    names = " · ".join(result.title for result in results)
    return "".join(
        [
            "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n",
            '<meta name=viewport content="width=device-width, initial-scale=1">\n',
            f"<title>Conformance: {escape(names)}</title>\n",
            f"<style>\n{style}:root {{ --runtimes: {len(results)}; }}\n</style>\n",
            *_head(results, machine),
            *(part for result in results for part in _deviations(result)),
            *_tools(results),
            f"<div class=columns><span>Clause</span>{''.join(f'<span>{escape(each.name)}</span>' for each in results)}</div>\n",
            "<main>\n",
            *(part for document in DOCUMENTS for part in _document(document, results)),
            "<p id=nothing hidden>No clause matches.</p>\n</main>\n",
            f"<script>\n{script}</script>\n</html>\n",
        ]
    )


def prose(text: str) -> str:
    """Text of ours, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def verdict(result: Result, clause: Clause) -> str:
    """How a clause fares on a runtime, for the reader."""
    return result.verdict(clause) or UNTESTED


def score(result: Result, clauses: Iterable[Clause]) -> tuple[int, int]:
    """How many of these clauses hold on the runtime, and of how many its tests have decided that."""
    verdicts = [result.verdict(clause) for clause in clauses]
    return verdicts.count(PASS), sum(each in _DECIDED for each in verdicts)


def _head(results: Sequence[Result], machine: str) -> Iterator[str]:
    tested = sum(not clause.untested for clause in CLAUSES.values())
    yield "<header>\n<h1>OCI runtime conformance</h1>\n"
    yield (
        f"<p class=about>Runtime specification {SPEC_VERSION}: {len(CLAUSES)} clauses that concern Linux, "
        f"{tested} of them decided by tests. {escape(machine)}, {time.strftime('%-d %B %Y')}.</p>\n<div class=cards>\n"
    )
    for result in results:
        yield from _card(result)
    yield "</div>\n"
    yield from _overview(results)
    yield "</header>\n"


def _counts(result: Result, clauses: Iterable[Clause]) -> dict[str, int]:
    """How many of these clauses have each verdict; those without a test are left out."""
    counts = dict.fromkeys(LABELS, 0)
    for clause in clauses:
        counts[verdict(result, clause)] += 1
    del counts[UNTESTED]
    return counts


def _bar(counts: Mapping[str, int]) -> str:
    parts = "".join(
        f'<i class="{name}" style="flex-grow:{count}" title="{count} {LABELS[name][1]}"></i>'
        for name, count in counts.items()
        if count
    )
    return f"<span class=bar aria-hidden=true>{parts}</span>"


def _overview(results: Sequence[Result]) -> Iterator[str]:
    """A row per document, a column per runtime: the page's contents, and where the runtimes differ."""
    heads = "".join(f"<th scope=col>{escape(result.name)}" for result in results)
    yield f"<table class=overview>\n<tr><th scope=col>Document{heads}\n"
    for document in DOCUMENTS:
        clauses = [clause for section in document.sections for clause in section.clauses]
        yield f'<tr><th scope=row><a href="#{document.name}">{document.name}</a>'
        for result in results:
            held, decided = score(result, clauses)
            words = f"{held} of {decided}" if decided else "none decided"
            yield f"<td>{_bar(_counts(result, clauses))}<small>{words}</small>"
        yield "\n"
    yield "</table>\n<details class=legend><summary>What the signs mean</summary><ul>\n"
    for name, (sign, words) in LABELS.items():
        yield f'<li><b class="sign {name}">{sign}</b> <b>{words}</b>: {LEGEND[name]}</li>\n'
    yield "</ul></details>\n"


def _card(result: Result) -> Iterator[str]:
    counts = _counts(result, CLAUSES.values())
    lines = "".join(
        f'<li><b class="sign {name}">{LABELS[name][0]}</b> <b>{count}</b> {LABELS[name][1]}</li>'
        for name, count in counts.items()
        if count
    )
    tests = ", ".join(f"{result.count(name)} {name}" for name in VERDICTS if result.count(name))
    held, decided = score(result, CLAUSES.values())
    held_binding, binding = score(result, (clause for clause in CLAUSES.values() if clause.binding))
    seconds = sum(test.seconds for test in result.tests)
    yield (
        f"<section class=card><h2>{escape(result.name)} <small>{escape(result.version)}</small></h2>"
        f"<p>claims version {escape(result.specification)}</p>"
        f"<p class=score><b>{held}</b> of {decided} clauses hold<br>{held_binding} of the {binding} binding ones</p>"
        f"{_bar(counts)}"
        f"<ul>{lines}</ul><p>{len(result.tests)} tests in {seconds:.0f} s: {escape(tests)}</p></section>\n"
    )


def _deviations(result: Result) -> Iterator[str]:
    """What a runtime is known to do otherwise, each with the clauses that it concerns; nothing if there is none."""
    clauses: dict[str, list[str]] = {}
    for test in result.tests:
        if test.verdict == DEVIATION:
            clauses.setdefault(test.why, []).extend(test.clauses)
    if not clauses:
        return
    yield f"<details class=deviations><summary>What {escape(result.name)} does otherwise: {len(clauses)} "
    yield f"{'deviation' if len(clauses) == 1 else 'deviations'}, explained</summary><ul>\n"
    for why, ids in clauses.items():
        links = " ".join(
            f'<a href="#{name}" title="{escape(CLAUSES[name].text)}">{name}</a>'
            for name in dict.fromkeys(ids)
        )
        yield f"<li>{prose(why)} <span class=id>{links}</span></li>\n"
    yield "</ul></details>\n"


def _tools(results: Sequence[Result]) -> Iterator[str]:
    present = {verdict(result, clause) for result in results for clause in CLAUSES.values()}
    yield '<nav class=tools><input id=search type=search placeholder="Find: words, clause, test" aria-label=Find>'
    yield "<span class=choices>"
    for name, (sign, words) in LABELS.items():
        if name in present or (name == UNTESTED):
            yield (
                f'<label title="{LEGEND[name]}"><input type=checkbox value={name} checked>'
                f'<b class="sign {name}">{sign}</b> {words}</label>'
            )
    yield "</span><span class=choices>"
    yield "<label><input type=checkbox id=binding> only MUST and REQUIRED</label>"
    if len(results) > 1:
        yield "<label><input type=checkbox id=differing> only where runtimes differ</label>"
    yield "</span><span id=count></span></nav>\n"


def _document(document: Document, results: Sequence[Result]) -> Iterator[str]:
    yield f'<section class=document id="{escape(document.name)}"><h2>{escape(document.name)}</h2>\n'
    for section in document.sections:
        yield from _section(section, results)
    yield "</section>\n"


def _section(section: Section, results: Sequence[Result]) -> Iterator[str]:
    url = section.clauses[0].url
    yield f'<section class=part><h3><a href="{url}">{escape(section.title)}</a>'
    for result in results:
        held, decided = score(result, section.clauses)
        yield f'<small title="{escape(result.title)}: hold, of those decided">{held}/{decided}</small>'
    yield "</h3>\n"
    for clause in section.clauses:
        yield from _clause(clause, results)
    yield "</section>\n"


def _clause(clause: Clause, results: Sequence[Result]) -> Iterator[str]:
    verdicts = [verdict(result, clause) for result in results]
    level = "binding" if clause.binding else "advice" if clause.level.startswith("SHOULD") else "freedom"
    words = f"{clause.id} {clause.text} {clause.level} " + " ".join(_test_names(clause, results))
    since = f" <small>since {clause.since}</small>" if clause.since != "1.0" else ""
    yield (
        f'<details class=clause id="{clause.id}" data-verdicts="{" ".join(verdicts)}"'
        f' data-level={level} data-words="{escape(words.lower())}"><summary>'
        f"<span class=text><em class={level}>{clause.level.lower()}</em> {prose(clause.text)}{since}</span>"
    )
    for result, name in zip(results, verdicts, strict=True):
        sign, label = LABELS[name]
        yield f'<b class="sign {name}" title="{escape(result.title)}: {label}" aria-label="{label}">{sign}</b>'
    yield f'</summary><div class=more><p class=id><a href="#{clause.id}">{clause.id}</a></p>'
    if clause.untested:
        yield f"<p>Not tested. {prose(clause.untested)}</p>"
    if clause.implied:
        yield "<p>Says what a property means, without a word of RFC 2119.</p>"
    yield from _tests(clause, results)
    yield "</div></details>\n"


def _test_names(clause: Clause, results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(test.name for result in results for test in result.of(clause)))


def _tests(clause: Clause, results: Sequence[Result]) -> Iterator[str]:
    """Every test of a clause with its verdicts, and what there is to say of those that did not pass."""
    for name in _test_names(clause, results):
        found = [(result, test) for result in results for test in result.of(clause) if test.name == name]
        signs = "".join(
            f'<b class="sign {test.verdict}" title="{escape(result.title)}: {VERDICTS[test.verdict]}">'
            f"{LABELS[test.verdict][0]}</b>"
            for result, test in found
        )
        yield f"<div class=test><p>{signs} {prose(found[0][1].summary)} <code>{escape(name)}</code></p>"
        yield from _reasons(found)
        yield "</div>"


def _reasons(found: Iterable[tuple[Result, Test]]) -> Iterator[str]:
    for result, test in found:
        if test.verdict == PASS:
            continue
        why = f" {prose(test.why)}" if test.why else ""
        said = f"<pre>{escape(test.reason)}</pre>" if test.reason else ""
        yield f"<p class=reason><b>{escape(result.name)}</b> {VERDICTS[test.verdict]}.{why}</p>{said}"
