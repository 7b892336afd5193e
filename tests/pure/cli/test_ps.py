"""`ps` shows the lines of the container's processes, whatever columns ps was asked for."""

from __future__ import annotations

import os

import pytest

from stave.cli.main import execute
from stave.cli.ps import select_processes
from stave.errors import Error

from .conftest import Lifecycle

TABLE = """UID        PID  PPID CMD
root         1     0 init
games       12     1 sh -c 1
root       121    12 sleep 12

"""


def test_lines_of_the_processes() -> None:
    """Only the column PID counts, not numbers elsewhere in a line."""
    assert select_processes(TABLE, [12]) == "UID        PID  PPID CMD\ngames       12     1 sh -c 1\n"
    assert select_processes(TABLE, []) == "UID        PID  PPID CMD\n"


@pytest.mark.parametrize("table", ["", "COMMAND\nsh\n", "PPID CMD\n1 sh\n"])
def test_no_column(table: str) -> None:
    """Without a column PID there is nothing to select by."""
    with pytest.raises(Error, match="ps prints no column PID"):
        select_processes(table, [1])


def test_this_process(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """ps itself is run, with the options given."""
    lifecycle("state", processes=[os.getpid()])
    assert execute(["ps", "web", "-e", "-o", "pid,ppid"]) == 0
    header, *lines = capfd.readouterr().out.splitlines()
    assert header.split() == ["PID", "PPID"]
    assert [line.split() for line in lines] == [[str(os.getpid()), str(os.getppid())]]


def test_failing_ps(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """What ps complains about is passed on in one line."""
    lifecycle("state", processes=[])
    assert execute(["ps", "web", "--no-such-option"]) == 1
    err = capfd.readouterr().err
    assert err.startswith("stave: ps web: ps --no-such-option: exit status 1: ")
    assert err.count("\n") == 1
