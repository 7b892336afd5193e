"""The examples in docs/commands do what the pages say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .driver import Container

PAGES = Path(__file__).parents[2] / "docs/commands"
CRIU = shutil.which("criu")


def examples(page: str) -> list[tuple[str, str]]:
    """The commands of a page's console blocks, each with the output that is shown, in their order."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", (PAGES / page).read_text(), re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def matches(shown: str, output: str) -> bool:
    """Whether the output is what is shown, with anything in the place of "..."."""
    pattern = "".join(".*" if part == "..." else re.escape(part) for part in re.split(r"(\.\.\.)", shown))
    return re.fullmatch(pattern, output, re.S) is not None


@pytest.mark.parametrize("page", sorted(page.name for page in PAGES.glob("*.md") if page.name != "README.md"))
def test_examples(container: Container, directory: Path, page: str) -> None:
    """Each command prints what is shown, and nothing where nothing is shown."""
    if page == "checkpoint.md" and (
        CRIU is None or subprocess.run([CRIU, "check"], capture_output=True).returncode != 0
    ):
        pytest.skip("criu does not work on this kernel, or is not installed")
    stave = container.stave
    container.script("i=0; while :; do i=$((i+1)); sleep 1; done")
    if page == "bundles.md":
        rule = {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
        container.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    container.write_config()
    shutil.move(container.bundle, directory / "web")
    programs = directory / "bin"
    programs.mkdir()
    (programs / "stave").write_text(f'#!/bin/sh\nexec {stave.executable} --root {stave.root} "$@"\n')
    (programs / "stave").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    try:
        for command, shown in examples(page):
            # Into a file: what goes on in the background must not hold a pipe open.
            with (directory / "output").open("w+") as output:
                subprocess.run(
                    ["sh", "-c", command], cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, timeout=60,
                )  # fmt: skip
                output.seek(0)
                said = output.read()
            assert matches(shown.rstrip("\n"), said.rstrip("\n")), f"$ {command}\n{said}"
    finally:
        stave("delete", "--force", "web")
        shutil.move(directory / "web", container.bundle)
