"""Generated examples are the same each time, and none fails for taking long on a busy machine; zsh for completions."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("project", deadline=None, database=None, derandomize=True, max_examples=150)
settings.load_profile("project")


@pytest.fixture
def in_zsh() -> Callable[[Path, Mapping[str, str], Mapping[str, str]], None]:
    """A function of the directory with `script.zsh`, zsh's environment, and what belongs to each line."""
    return _in_zsh


def _in_zsh(place: Path, environment: Mapping[str, str], lines: Mapping[str, str]) -> None:
    """In zsh, a tabulator at the end of each line brings up what belongs to it."""
    master, slave = pty.openpty()
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave, cwd=place / "here", env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        set_up = f"PROMPT=; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -d {place}/dump"
        os.write(master, f"{set_up}; . {place}/script.zsh; echo rea''dy\n".encode())
        _read_until(master, "ready")
        for line, wanted in lines.items():
            os.write(master, f"{line}\t".encode())
            _read_until(master, wanted)
            os.write(master, b"\x15")  # clears the line
    finally:
        shell.kill()
        shell.wait()
        os.close(master)


def _read_until(master: int, wanted: str) -> None:
    """The terminal has shown the text."""
    shown, deadline = "", time.monotonic() + 60
    while wanted not in shown:
        left = deadline - time.monotonic()
        assert left > 0 and select.select([master], [], [], left)[0], f"{wanted!r} is not in {shown!r}"
        shown += os.read(master, 65536).decode(errors="replace")
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", shown)
