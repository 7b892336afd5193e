"""`cooper version`."""

from __future__ import annotations

import cooper
from cooper.cli.command import Command, Invocation
from cooper.cli.output import print_line

COMMAND = Command(examples=(("cooper version", "the version"),))


def run(invocation: Invocation) -> int:
    """The version is printed."""
    print_line(f"cooper version {cooper.__version__}")
    return 0
