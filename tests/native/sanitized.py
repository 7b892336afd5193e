"""Building C sources with AddressSanitizer and UBSan, and running what comes out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from stave.native import build

HERE = Path(__file__).parent
NATIVE = HERE.parent.parent / "runtime" / "stave" / "native"
SANITIZE = "-fsanitize=address,undefined"
FLAGS = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-sanitize-recover=all"]


def build_directory(path: Path) -> Path:
    """The directory holds the generated headers; skips where there is no clang."""
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed")
    build.HERE = str(NATIVE)  # the installed package is without the C sources
    build.write_operations_header(str(path))
    build.build_init(str(path))
    return path


def compile_sanitized(
    directory: Path, name: str, sources: Sequence[Path], sanitizers: str = SANITIZE, *flags: str
) -> Path:
    """A program of these sources, with the sanitizers."""
    program = directory / name
    includes = [f"-I{NATIVE}", f"-I{directory}", f"-I{HERE}"]
    command: list[str | Path] = ["clang", *FLAGS, sanitizers, *flags, *includes, "-o", program, *sources]
    subprocess.run(command, check=True)
    return program


def run(*command: str | Path) -> str:
    """What a driver prints; a report of the sanitizers fails it."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
