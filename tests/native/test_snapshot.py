"""The snapshot of the interpreter: its heap, and what a process that starts from it must not inherit."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stave
from stave.native.build_snapshot import snapshot_path

from .test_launcher import FLAGS, HERE, NATIVE, SANITIZE

SITE = Path(stave.__file__).parent.parent


@pytest.fixture(scope="module")
def snapshot() -> Path:
    """The installed snapshot."""
    path = Path(snapshot_path(str(SITE)))
    if not path.exists():
        pytest.skip("the package was built without a static library of the interpreter")
    return path


def run(snapshot: Path, *words: str | bytes, **how: object) -> subprocess.CompletedProcess[str]:
    """The snapshot has carried out a command, as the launcher starts it."""
    command: list[str | bytes | Path] = [snapshot, str(SITE), "", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **how)  # type: ignore[call-overload, no-any-return]


def test_heap(tmp_path: Path) -> None:
    """Blocks keep what they hold, and whose they are, over the sealing of the heap."""
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed")
    program = tmp_path / "heap"
    sources = [HERE / "heap.c", NATIVE / "snapshot" / "heap.c"]
    subprocess.run(
        ["clang", *FLAGS, SANITIZE, f"-I{NATIVE}", f"-I{HERE}", "-o", program, *sources], check=True
    )
    subprocess.run([program], check=True, timeout=60)


def test_the_launcher_starts_it(snapshot: Path, runtime: Path) -> None:
    """The installed program uses it, and says the same as without."""
    with_launcher = subprocess.run([runtime, "features"], capture_output=True, text=True, check=True)
    assert run(snapshot, "features").stdout == with_launcher.stdout != ""


@pytest.mark.parametrize("change", [None, "touched", "longer", "another"])
def test_an_updated_interpreter(runtime: Path, tmp_path: Path, change: str | None) -> None:
    """The snapshot counts only as long as the interpreter that it was made of is there: otherwise that is started."""
    version, tag = SITE.parent.name, sys.implementation.cache_tag
    package, program = tmp_path / f"lib/{version}/site-packages/stave", tmp_path / "bin" / version
    (package / "cli").mkdir(parents=True)
    (package / "cli/main.py").write_text("def main():\n    raise SystemExit(3)\n")
    (package / f"snapshot.{tag}").write_text("#!/bin/sh\nexit 4\n")
    (package / f"snapshot.{tag}").chmod(0o755)
    program.parent.mkdir()
    shutil.copy(runtime, tmp_path / "bin/stave")
    if change == "another":
        program.write_text("#!/bin/sh\nexit 3\n")
        program.chmod(0o755)
    else:
        shutil.copy2(Path(sys.base_prefix, "bin", version), program)
    if change == "touched":
        os.utime(program, (1, 1))
    if change == "longer":
        before = program.stat()
        with program.open("ab") as file:
            file.write(b"0")
        os.utime(program, (before.st_atime, before.st_mtime))
    assert subprocess.run([tmp_path / "bin/stave", "features"], timeout=60).returncode == (3 if change else 4)


def test_environment(snapshot: Path, tmp_path: Path) -> None:
    """It sees its own environment, not that of the build: the state directory of an unprivileged user."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user takes root")
    snapshot_of_all = tmp_path / "snapshot"  # where that user may read it
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(directory.stat().st_mode | 0o055)
    shutil.copy(snapshot, snapshot_of_all)
    for place in ("/nowhere/one", "/nowhere/two"):
        done = run(snapshot_of_all, "list", user=65534, env={"XDG_RUNTIME_DIR": place})
        assert (done.returncode, done.stderr) == (0, "")
    done = run(snapshot_of_all, "list", user=65534, env={})
    assert "XDG_RUNTIME_DIR is not set" in done.stderr


def test_arguments(snapshot: Path) -> None:
    """Words come as they are, text or not."""
    done = run(snapshot, b"\xff\xc3\xa9")
    assert done.returncode == 1
    assert "unknown command" in done.stderr


def test_modules_that_it_lacks(snapshot: Path, tmp_path: Path) -> None:
    """What was not imported is found where the package lies: here jsonschema, with its shared objects."""
    (tmp_path / "config.json").write_text("{}")
    done = run(snapshot, "create", "--bundle", str(tmp_path), "web")
    assert done.returncode == 1
    assert "ociVersion" in done.stderr


@pytest.mark.parametrize("ignored", [False, True])
def test_interrupt(snapshot: Path, tmp_path: Path, ignored: bool) -> None:
    """SIGINT ends a command in order, unless it was ignored from the start."""
    directory = tmp_path / "web"
    directory.mkdir()
    lock = os.open(directory, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
    try:
        command = [str(snapshot), str(SITE), "", "--root", str(tmp_path), "delete", "--force", "web"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        _wait_until_signals_are(process.pid, "SigIgn" if ignored else "SigCgt")
        _wait_until_open(process.pid, directory)
        process.send_signal(signal.SIGINT)
    finally:
        os.close(lock)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (
        (0, b"") if ignored else (130, b"stave: delete web: interrupted\n")
    )


def _wait_until_open(pid: int, directory: Path) -> None:
    """The process waits for the directory's lock: it has it open."""

    def is_it(link: Path) -> bool:
        try:
            return link.samefile(directory)
        except OSError:  # closed since
            return False

    deadline = time.monotonic() + 60
    while not any(is_it(link) for link in Path(f"/proc/{pid}/fd").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _wait_until_signals_are(pid: int, kind: str) -> None:
    """The set of the process's signals that /proc calls this has SIGINT, and SIGPIPE is ignored."""

    def signals(field: str) -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition(f"\n{field}:\t")[2].partition("\n")[0], 16)

    deadline = time.monotonic() + 60
    while not (
        signals(kind) & 1 << signal.SIGINT - 1
        and signals("SigIgn") & 1 << signal.SIGPIPE - 1
        and "snapshot" in os.readlink(f"/proc/{pid}/exe")
    ):
        assert time.monotonic() < deadline
        time.sleep(0.001)
