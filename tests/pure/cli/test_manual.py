"""The manual page is that of the commands as they are."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from stave.cli.manual import page
from stave.cli.table import COMMANDS, GLOBAL

FILE = Path(__file__).parents[3] / "docs/man/stave.8"


def test_it_is_up_to_date() -> None:
    """The page in docs/man is what the table of commands gives now."""
    assert FILE.read_text() == page(), "run: python -m stave.cli.manual > docs/man/stave.8"


def test_it_is_well_formed() -> None:
    """mandoc finds nothing to say about it."""
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", FILE], capture_output=True, text=True)
    # A date would make the page differ from day to day.
    said = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert said == []


def test_it_can_be_read() -> None:
    """Every command and flag is in the formatted page, as it is typed."""
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    command = ["mandoc", "-T", "ascii", "-O", "width=300", str(FILE)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    while "\b" in text:  # bold and underlined, as on a typewriter
        place = text.index("\b")
        text = text[: place - 1] + text[place + 1 :]
    for name, (_, flags, _, _, _, arguments, _) in COMMANDS.items():
        assert f"   {name}\n" in text
        assert f"stave {name}" in text and arguments in text
        assert all(f"--{flag[0][0]}" in text for flag in flags)
    assert all(f"--{flag[0][0]}" in text for flag in GLOBAL)
