"""Start-up: the frequent commands import what is in the bundle, and nothing that is slow to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import cooper
import ociimage
import ocispec
from cooper.hot import MODULES

SLOW = set(
    "json re argparse typing enum dataclasses subprocess socket logging sqlite3 datetime tempfile shutil inspect".split()
)
PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:4]
from cooper.cli.main import execute
execute(sys.argv[4:])
print("loaded", *sys.modules)
"""


@pytest.mark.parametrize(
    "words",
    [("ps", "-a"), ("rm", "-f", "x"), ("stop", "x"), ("start", "x"), ("logs", "x"), ("exec", "x", "true"),
     ("run", "--pull", "never", "--network", "none", "x", "true")],
)  # fmt: skip
def test_imports(words: tuple[str, ...], tmp_path: Path) -> None:
    """Of cooper and below it only what is listed, and of Python's library nothing slow."""
    places = [str(Path(package.__path__[0]).parent) for package in (cooper, ociimage, ocispec)]
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, *places, "--root", str(tmp_path / "root"), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    loaded = set(done.stdout.partition("loaded ")[2].split())
    assert loaded, done.stderr
    assert not loaded & SLOW, loaded & SLOW
    own = {name for name in loaded if name.split(".")[0] in ("cooper", "ociimage", "ocispec")}
    assert not {name for name in own - set(MODULES) if "._native" not in name}  # which is compiled
