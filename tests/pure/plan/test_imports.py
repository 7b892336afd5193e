"""Planning costs next to nothing to start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ocispec
import stave

HEAVY = {
    "os", "re", "json", "enum", "typing", "dataclasses", "collections", "functools", "contextlib", "struct",
}  # fmt: skip
ROOTS = [str(Path(module.__file__ or "").parents[1]) for module in (stave, ocispec)]


@pytest.mark.parametrize("module", ["create", "execute"])
def test_light(module: str) -> None:
    """A planner loads nothing of the standard library but what the interpreter has built in."""
    program = (
        f"import sys; sys.path[:0] = {ROOTS!r}; before = set(sys.modules)\nimport stave.plan.{module}\n"
        "print('\\n'.join(sorted(set(sys.modules) - before)))"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert f"stave.plan.{module}" in loaded
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("ocispec")} <= {"ocispec", "ocispec.sysctl"}
    assert not {"stave.plan.explain", "stave.plan.hooks"} & loaded
