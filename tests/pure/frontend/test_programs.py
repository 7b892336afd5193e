"""Programs that cooper runs."""

from __future__ import annotations

import os

import pytest

from cooper.containers.runtime import run_program
from cooper.errors import Error


def test_status() -> None:
    """The exit status is the program's, also if there is a bound to how long it may take."""
    assert run_program(["/bin/sh", "-c", "exit 3"]) == 3
    assert run_program(["/bin/sh", "-c", "exit 3"], seconds=60) == 3


def test_nobody_waits_for_ever() -> None:
    """A program that takes too long is killed and collected, and the error names it."""
    with pytest.raises(Error, match="sleep 1000: did not end in 0.05 s and was killed"):
        run_program(["/bin/sleep", "1000"], seconds=0.05)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
