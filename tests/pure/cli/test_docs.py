"""Every command is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stave.cli.table import COMMANDS

PAGES = Path(__file__).parents[3] / "docs/commands"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_section(command: str) -> None:
    """A heading names the command, and its page is listed with it in the contents."""
    pages = [
        page for page in PAGES.glob("*.md") if re.search(rf"^## .*`stave {command}`", page.read_text(), re.M)
    ]
    assert len(pages) == 1, f"docs/commands has {len(pages)} sections on {command}"
    line = next(
        line for line in (PAGES / "README.md").read_text().splitlines() if f"({pages[0].name})" in line
    )
    assert command in re.split(r"[ ,|]+", line)


def test_no_command_that_is_not_there() -> None:
    """No heading is of a command that does not exist."""
    for page in PAGES.glob("*.md"):
        for heading in re.findall(r"^## .*$", page.read_text(), re.M):
            assert set(re.findall(r"`stave ([a-z]+)`", heading)) <= set(COMMANDS)
