"""The runner of validation programs: its verdicts, and that a program can do no harm."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from ociconformance import machine, runtime_tools
from ociconformance.runtime_tools import BROKEN, FAIL, LATE, PASS, judge, main, names, run

RUNTIME = Path(sys.executable)
root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of every kind need root")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The directory of a program called `it`, which is a shell script to be written."""
    (tmp_path / "validation").mkdir()
    return tmp_path


def script(directory: Path, text: str) -> Path:
    """The program is this script."""
    file = directory / "validation" / "it.t"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return directory


@pytest.mark.parametrize(
    ("said", "status", "outcome"),
    [
        ("ok 1 - a\n1..1\n", 0, PASS),
        ("", 0, PASS),
        ("ok 1 - a\nnot ok 2 - b\n", 0, FAIL),
        ("not ok 1 - a # SKIP no\n", 0, PASS),
        ('TAP version 13\n  ---\n  {\n    "error": "hooks are in disorder"\n  }\n  ...\n1..0\n', 0, FAIL),
        ('ok 1 - a\n  ---\n  {\n    "error": ""\n  }\n', 0, PASS),
        ("ok 1 - a\n", 2, BROKEN),
        ("panic", 1, BROKEN),
    ],
)
def test_verdicts(said: str, status: int, outcome: str) -> None:
    """An empty plan passes or not by its comment; a program that ends in an error without a plan is broken."""
    assert judge(said, status) == outcome


def test_programs_that_are_not_there(program: Path) -> None:
    """A wrong directory and a wrong name are told."""
    with pytest.raises(ValueError, match="holds no programs"):
        names(program)
    script(program, "")
    assert names(program) == ["it"]
    with pytest.raises(ValueError, match="has no other"):
        names(program, ["other"])


@root
def test_counts(program: Path) -> None:
    """Assertions are counted, and the runtime is named to the program, which runs where it was built."""
    text = 'echo ok 1 - $RUNTIME; echo not ok 2 - $PWD; echo "ok 3 - c # SKIP no"; exit 1'
    verdict = run(script(program, text), RUNTIME, "it")
    assert (verdict.outcome, verdict.passed, verdict.failed, verdict.skipped) == (FAIL, 1, 1, 1)
    assert str(RUNTIME) in verdict.said and str(program) in verdict.said


@root
def test_no_harm(program: Path) -> None:
    """What is removed of /etc, mounted and left running is the program's own."""
    text = 'rm -rf /etc/* && mount -t tmpfs none /mnt && (sleep 1000 &) && test -z "$(ls /etc)"'
    verdict = run(script(program, text), RUNTIME, "it")
    assert verdict.outcome == PASS, verdict.said
    assert Path("/etc/passwd").exists()
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    assert not {"/mnt", "/etc", "/run/own"} & set(mounts)


@root
def test_control_groups(program: Path) -> None:
    """A group at the root of a hierarchy is below the runner's own, and gone afterwards with its processes."""
    text = """
    for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/memory; do
        [ -e $hierarchy/cgroup.procs ] || continue
        mkdir -p $hierarchy/it-is-left/below
        sh -c "echo \\$\\$ >$hierarchy/it-is-left/below/cgroup.procs && exec sleep 1000" &
        grep -q it-is-left /proc/self/cgroup || echo ok 1 - made
    done"""
    verdict = run(script(program, text), RUNTIME, "it")
    assert verdict.outcome == PASS and verdict.passed == 1, verdict.said
    hierarchies = machine.hierarchies()
    assert hierarchies
    for hierarchy in hierarchies:
        assert not list(hierarchy.glob("it-is-left")) and not list(hierarchy.glob("oci-validation-*"))


@root
def test_time(program: Path) -> None:
    """A program that does not end is ended."""
    verdict = run(script(program, "echo ok 1 - a; exec sleep 1000"), RUNTIME, "it", timeout_s=1)
    assert verdict.outcome == LATE and verdict.seconds < 10


@root
def test_command(program: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status tells surprises from what is known; the file holds everything."""
    script(program, "echo ok 1 - a")
    file = program / "result.json"
    assert main([str(program), "--runtime", str(RUNTIME), "--timeout", "20", "--json", str(file)]) == 0
    assert "1 of 1 programs pass; without a known reason fail: none" in capsys.readouterr().out
    (record,) = json.loads(file.read_text())
    assert record["name"] == "it" and record["outcome"] == PASS and "ok 1 - a" in record["said"]
    script(program, "echo not ok 1 - a")
    assert main([str(program), "--runtime", str(RUNTIME)]) == 1
    assert "fail: it" in capsys.readouterr().out
    monkeypatch.setitem(runtime_tools.KNOWN, "it", "machine: has no such thing")
    assert main([str(program), "--runtime", str(RUNTIME)]) == 0
    assert "(machine: has no such thing)" in capsys.readouterr().out
    assert main([str(program), "--runtime", "/no/such/runtime"]) == 2
