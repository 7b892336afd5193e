"""The completion scripts, in the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cooper
from cooper.cli.main import execute

SHELLS = ("bash", "zsh", "fish")
PROGRAM = """#!/bin/sh
PYTHONPATH={path} exec {python} -c 'import sys; from cooper.cli.main import execute; sys.exit(execute(sys.argv[1:]))' \\
    --root {root} "$@"
"""


@pytest.fixture
def place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A directory with the scripts, `cooper` on an empty root, and a directory and a file to complete."""
    for shell in SHELLS:
        assert execute(["completion", shell]) == 0
        (tmp_path / f"script.{shell}").write_text(capfd.readouterr().out)
    program = tmp_path / "bin/cooper"
    program.parent.mkdir()
    path = ":".join(entry for entry in sys.path if entry)
    program.write_text(PROGRAM.format(path=path, python=sys.executable, root=tmp_path / "root"))
    program.chmod(0o755)
    assert cooper.__path__
    (tmp_path / "here/some dir").mkdir(parents=True)
    (tmp_path / "here/env.list").touch()
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    """In which only this cooper is found."""
    return {"PATH": f"{place}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(place), "TERM": "dumb"}


def run(place: Path, *command: str) -> str:
    """What the shell prints, which must have nothing to complain of."""
    done = subprocess.run(
        command, cwd=place / "here", env=environment(place), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# A line, and what is offered for the last word of it: in bash what follows the last "=" or ":".
LINES = {
    "cooper unp": {"unpause"},
    "cooper network ins": {"inspect"},
    "cooper run --restart on": {"on-failure"},
    "cooper run --restart=al": {"always"},
    "cooper run --env-file ": {"some dir", "env.list"},
    "cooper run --env-file=e": {"env.list"},
    "cooper run --network h": {"host"},
    "cooper run --privi": {"--privileged"},
    "cooper stop ": set(),
}


def test_bash(place: Path) -> None:
    """Commands, flags, values and files; also where bash takes the line apart at `=`."""
    script = f". {place}/script.bash; "
    for line in LINES:
        script += (
            f"COMP_LINE='{line}'; COMP_POINT={len(line)}; _cooper; printf '%s|' \"${{COMPREPLY[@]}}\"; echo; "
        )
    offered = run(place, "bash", "-uc", script).splitlines()
    assert {line: set(each.split("|")) - {""} for line, each in zip(LINES, offered, strict=True)} == LINES


def test_fish(place: Path) -> None:
    """The same in fish, which offers whole words."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    script = f"source {place}/script.fish; "
    for line in LINES:
        script += f"complete --do-complete '{line}'; echo '|'; "
    output = run(place, "fish", "-c", script).split("|\n")
    for (line, wanted), offered in zip(LINES.items(), output, strict=False):
        words = {word.split("\t")[0].rstrip("/").rpartition("=")[2] for word in offered.splitlines()}
        assert wanted <= words, line


def test_zsh(place: Path, in_zsh: Callable[..., None]) -> None:
    """In zsh, a tabulator at the end of each line brings up what belongs to it."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    assert run(place, "zsh", "-n", f"{place}/script.zsh") == ""
    in_zsh(
        place, environment(place), {line: min(wanted) for line, wanted in LINES.items() if len(wanted) == 1}
    )
