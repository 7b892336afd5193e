"""What people see: tables that fit the terminal, bars at a terminal alone, and nothing a hostile name could smuggle in."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cooper.cli import output

HEADER = ["CONTAINER ID", "IMAGE", "COMMAND"]
ROWS = [
    ["0123456789ab", "registry.example.org/a/very/long/name/of/an/image:1", '"sh -c true"'],
    ["f" * 12, "b", '"x"'],
]
TRANSFER = """
import sys
from cooper.images.progress import Progress
with Progress(quiet=len(sys.argv) > 1) as progress:
    for what, done in (("download", 0), ("download", 500), ("download", 1000), ("done", 1000)):
        progress(what, "sha256:" + "a" * 64, done, 1000)
"""


def lines(columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The table on a terminal of so many columns; 0 for no terminal."""
    monkeypatch.setattr(output, "width", lambda: columns)
    return output.table(HEADER, ROWS).splitlines()


def test_a_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widest column is cut, and shows it; titles and what has room stay whole, and columns are below each other."""
    title, first, second = lines(60, monkeypatch)
    assert max(map(len, (title, first, second))) <= 60
    assert "0123456789ab" in first and '"sh -c true"' in first and "…" in first and "…" not in second
    assert title.index("COMMAND") == first.index('"sh') == second.index('"x"')
    assert lines(0, monkeypatch)[1].split() == [*ROWS[0][:2], '"sh', "-c", 'true"']
    assert lines(10, monkeypatch)[0].split() == ["CONTAINER", "ID", "IMAGE", "COMMAND"]


def test_control_characters_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of images and labels come from strangers: what would move the cursor is written out."""
    monkeypatch.setattr(output, "width", lambda: 0)
    assert output.table(["NAME"], [["a\x1b[2J\nb"]]) == "NAME\na\\x1b[2J\\nb\n"


COLOUR = re.compile("\x1b\\[[0-9;]+m")


def transfer(stderr: int, *words: str, **variables: str) -> subprocess.Popen[bytes]:
    """A transfer is being shown."""
    path = ":".join(entry for entry in sys.path if entry)
    environment = {"PYTHONPATH": path, "TERM": "xterm", **variables}
    return subprocess.Popen([sys.executable, "-c", TRANSFER, *words], env=environment, stderr=stderr)


def on_a_terminal(*words: str, **variables: str) -> str:
    """What is seen of a transfer at a terminal."""
    master, slave = pty.openpty()
    process = transfer(slave, *words, **variables)
    os.close(slave)
    seen = b""
    while True:
        try:
            seen += os.read(master, 65536)
        except OSError:  # nobody has the other end any more
            break
    os.close(master)
    assert process.wait(60) == 0
    return seen.decode()


def test_bars_at_a_terminal() -> None:
    """A bar that moves, with colours unless they are not wanted; nothing if that is asked for."""
    seen = on_a_terminal()
    assert "aaaaaaaaaaaa" in seen and "━" in seen and COLOUR.search(seen)
    assert not COLOUR.search(on_a_terminal(NO_COLOR="1").replace("\x1b[0m", ""))
    assert on_a_terminal("quiet") == ""


def test_lines_elsewhere(tmp_path: Path) -> None:
    """A line when a part begins and one when it is done: no colours, no bars."""
    with open(tmp_path / "seen", "w+b") as file:
        assert transfer(file.fileno()).wait(60) == 0
        file.seek(0)
        assert file.read() == b"aaaaaaaaaaaa: downloading\naaaaaaaaaaaa: done\n"
