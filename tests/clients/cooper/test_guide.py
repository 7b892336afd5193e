"""docs/cooper.md: every command prints what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from ..image import rootfs_tar
from .program import PROGRAM, Cooper, place

PAGE = Path(__file__).parents[3] / "docs/cooper.md"


def examples() -> list[tuple[str, str]]:
    """The commands of the console blocks, each with the output that is shown."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def matches(shown: str, output: str) -> bool:
    """Whether the output is what is shown, with anything in the place of "..."."""
    pattern = "".join(".*" if part == "..." else re.escape(part) for part in re.split(r"(\.\.\.)", shown))
    return re.fullmatch(pattern, output, re.S) is not None


def test_the_guide(runtime: Path) -> None:
    """From an empty root to a clean end."""
    with place() as directory:
        cooper = Cooper(directory / "root", runtime)
        (directory / "rootfs.tar").write_bytes(rootfs_tar(Path(shutil.which("busybox") or "")))
        programs = directory / "bin"
        programs.mkdir()
        (programs / "cooper").write_text(
            f'#!/bin/sh\nexec {PROGRAM} --root {cooper.root} --runtime {runtime} "$@"\n'
        )
        (programs / "cooper").chmod(0o755)
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        try:
            assert len(examples()) > 20
            for command, shown in examples():
                done = subprocess.run(["sh", "-c", f"{{ {command}; }} 2>&1"], cwd=directory, env=environment,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60)  # fmt: skip
                assert matches(shown.rstrip("\n"), done.stdout.rstrip("\n")), f"$ {command}\n{done.stdout}"
        finally:
            cooper.remove_all()
        assert not cooper.leftovers()
