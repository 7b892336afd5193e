"""stave events."""

from __future__ import annotations

import re

from stave.cli.output import print_line
from stave.cli.root import state_root
from stave.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)


def run(invocation: Invocation) -> int:
    """Each event was printed as a line of JSON, until the container ended; with --stats there is one."""
    from ocispec.jsontext import dumps
    from stave.container.events import events, stats

    root, container_id = state_root(invocation), invocation.container_id
    if invocation.options["stats"]:
        print_line(dumps(stats(root, container_id)))
        return 0
    interval = parse_duration(invocation.options["interval"])
    if interval <= 0:
        raise Error("duration interval must be greater than 0")
    for event in events(root, container_id, interval):
        print_line(dumps(event))
    return 0


def parse_duration(text: str) -> float:
    """A duration as Go writes them, in seconds.

    >>> parse_duration("1m30.5s")
    90.5

    Raises:
        Error: it is none.
    """
    sign, rest = (text[0], text[1:]) if text[:1] in ("+", "-") else ("+", text)
    seconds, position = 0.0, 0
    while match := _PART.match(rest, position):
        seconds += float(match[1]) * _SECONDS[match[2]]
        position = match.end()
    if position < len(rest) and rest != "0" or not rest:
        raise Error(f'invalid duration "{text}": write it as 500ms, 5s or 1m30s')
    return -seconds if sign == "-" else seconds
