"""The measurements as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median, quantiles

Row = Mapping[str, Sequence[float]]
"""Samples by runtime."""


def table(
    title: str, rows: Mapping[str, Row], runtimes: Sequence[str], unit: str, baseline: Sequence[float] = ()
) -> str:
    """Returns a table of medians with their quartiles, and the first runtime's ratio to every other.

    With a `baseline`, a last column has what the first runtime takes beyond its median.
    """
    first, *others = runtimes
    head = [
        title,
        *(f"{runtime}, {unit}" for runtime in runtimes),
        *(f"{first} / {other}" for other in others),
    ]
    head += [f"{first} over bare Python, {unit}"] if baseline else []
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)])]
    for name, row in rows.items():
        cells = [spread(row[runtime]) for runtime in runtimes]
        cells += [_ratio(row[first], row[other]) for other in others]
        cells += [f"{median(row[first]) - median(baseline):+.1f}"] if baseline else []
        lines.append(_line([name, *cells]))
    return "\n".join(lines)


def spread(values: Sequence[float]) -> str:
    """Returns the median and, in parentheses, the quartiles; `-` without values."""
    if not values:
        return "-"
    if min(values) == max(values):
        return f"{values[0]:.0f}"
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return f"{middle:.1f} ({low:.1f}-{high:.1f})"


def _ratio(values: Sequence[float], others: Sequence[float]) -> str:
    return f"{median(values) / median(others):.2f}" if values and others else "-"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
