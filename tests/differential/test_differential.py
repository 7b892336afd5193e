"""stave, runc and crun show the same to the program in a container, for a bounded number of generated bundles.

More of them: ``python -m tests.differential --examples 2000 --seed 7 .venv/bin/stave runc crun``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .explained import EXPLAINED

EXAMPLES = 120
PROJECT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_same_view(runtime: Path) -> None:
    """No generated bundle shows a difference that explained.py does not list."""
    others = [name for name in ("runc", "crun") if shutil.which(name)]
    assert len(others) == 2, "runc and crun are needed"
    command = [sys.executable, "-m", "tests.differential", "--examples", str(EXAMPLES), str(runtime), *others]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-6000:]


def test_explanations() -> None:
    """Every explanation is a sentence."""
    assert all(each.reason.endswith(".") and each.reason[0].isalpha() for each in EXPLAINED)
