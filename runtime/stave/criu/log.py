"""What criu's log says of a failure."""

from __future__ import annotations

import re

_LIMIT = 5
_TIME = re.compile(r"^\(\d+\.\d+\)\s*")
_PID = re.compile(r"^\d+:\s*")
# The last words of every failed dump and restore, which say nothing of why.
_SUMMARY = ("Dumping FAILED", "Restoring FAILED", "Pre-dumping FAILED")


def excerpt(path: str) -> list[str]:
    """The errors in the log, the first ones where there are many; nothing if there is no log."""
    try:
        with open(path, errors="replace") as log:
            return errors(log.read())
    except OSError:
        return []


def errors(text: str) -> list[str]:
    """The lines of a log that are errors, without the time and the pid in front.

    The first ones are the causes, what comes after follows from them.
    """
    found: dict[str, None] = {}
    for line in text.splitlines():
        words = _PID.sub("", _TIME.sub("", line))
        if words.startswith("Error") and not any(summary in words for summary in _SUMMARY):
            found[words] = None
    return list(found)[:_LIMIT]
