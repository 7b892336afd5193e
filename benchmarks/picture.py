"""The measurements as a picture: bars by command and runtime, in SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from statistics import median, quantiles

from report import Row

_COLOURS = ("#2a6f97", "#e07a5f", "#8d99ae", "#81b29a")
_BAR, _GAP, _GROUP = 13, 2, 14  # heights of a bar, of what is between bars, and between groups
_LABELS, _WIDTH, _NUMBERS = 170, 460, 130
_TEXT = "#57606a"  # legible on white and on black


def picture(title: str, rows: Mapping[str, Row], runtimes: Sequence[str], unit: str) -> str:
    """Returns an SVG: a group of bars per row, a bar per runtime: its median, a line for its quartiles.

    All rows share one scale; rows without samples of every runtime are left out.
    """
    shown = {name: row for name, row in rows.items() if all(row[runtime] for runtime in runtimes)}
    longest = max(median(row[runtime]) for row in shown.values() for runtime in runtimes)
    scale = _WIDTH / longest
    parts = [_legend(title, runtimes)]
    top = 50
    for name, row in shown.items():
        middle = top + len(runtimes) * (_BAR + _GAP) / 2
        parts.append(_text(_LABELS - 10, middle + 4, name, "end"))
        for runtime, colour in zip(runtimes, _COLOURS, strict=False):
            parts.append(_bar(top, row[runtime], scale, colour, unit))
            top += _BAR + _GAP
        top += _GROUP
    width = _LABELS + _WIDTH + _NUMBERS
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" viewBox="0 0 {width} {top}"'
        f' font-family="sans-serif" font-size="12" fill="{_TEXT}">\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _legend(title: str, runtimes: Sequence[str]) -> str:
    parts = [f'<text x="10" y="18" font-size="14" font-weight="bold">{escape(title)}</text>']
    left = _LABELS
    for runtime, colour in zip(runtimes, _COLOURS, strict=False):
        parts.append(f'<rect x="{left}" y="29" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(left + 18, 39, runtime, "start"))
        left += 40 + 8 * len(runtime)
    return "\n".join(parts)


def _bar(top: float, values: Sequence[float], scale: float, colour: str, unit: str) -> str:
    middle = median(values)
    parts = [
        f'<rect x="{_LABELS}" y="{top}" width="{middle * scale:.1f}" height="{_BAR}" fill="{colour}"/>',
    ]
    end = middle
    if len(values) > 1:
        low, _, high = quantiles(values, n=4, method="inclusive")
        end = min(max(high, middle), middle * 1.5)
        left, right = _LABELS + low * scale, _LABELS + end * scale
        line = f'x1="{left:.1f}" x2="{right:.1f}" y1="{top + _BAR / 2}" y2="{top + _BAR / 2}"'
        parts.append(f'<line {line} stroke="{_TEXT}"/>')
    parts.append(_text(_LABELS + end * scale + 6, top + _BAR - 3, f"{middle:.1f} {unit}", "start"))
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
