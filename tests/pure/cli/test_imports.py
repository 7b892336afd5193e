"""The command line costs next to nothing to start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ocispec
import stave

# Each of these costs more than all of the command line.
HEAVY = {
    "os", "re", "json", "enum", "typing", "argparse", "dataclasses", "collections", "functools", "logging",
    "contextlib", "subprocess", "traceback", "struct", "signal", "datetime", "importlib",
}  # fmt: skip

ROOTS = [str(Path(module.__file__ or "").parents[1]) for module in (stave, ocispec)]


def loaded_after(statements: str) -> set[str]:
    """The modules that an isolated interpreter has loaded after the statements, and had not before."""
    program = (
        f"import sys; sys.path[:0] = {ROOTS!r}; before = set(sys.modules)\n{statements}\n"
        "print('\\n'.join(sorted(set(sys.modules) - before)))"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_reading_the_command_line() -> None:
    """To read a command line takes the table, the parser, the log and the errors, and nothing else."""
    loaded = loaded_after("from stave.cli.main import *; import stave.cli.main as m; m.parse(['state', 'x'])")
    assert loaded - {"__future__", "time"} == {
        "stave", "stave.errors", "stave.cli", "stave.cli.main", "stave.cli.log", "stave.cli.output",
        "stave.cli.parser", "stave.cli.table",
    }  # fmt: skip


@pytest.mark.parametrize("module", ["create", "start", "state", "kill", "delete", "run", "execute"])
def test_hot_commands(module: str) -> None:
    """The modules of the hot commands load nothing heavy."""
    loaded = loaded_after(f"import stave.cli.main, stave.cli.{module}")
    assert loaded & HEAVY == set()


def test_a_failure_stays_light() -> None:
    """To report a failure in JSON loads nothing heavy either: callers ask for containers that are gone."""
    loaded = loaded_after(
        "from stave.cli.main import execute\n"
        "assert execute(['--log-format', 'json', 'kill', 'web', 'NOSUCH']) == 1"
    )
    assert "stave.cli.signals" in loaded
    assert loaded & HEAVY == set()
