"""run: in the foreground, detached, kept; exit codes, signals and terminals on the way."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from .bundle import without
from .driver import Container, Outcome, Stave, killed_at_exit
from .host import alive, eventually


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_exit_status(container: Container, status: int) -> None:
    """The program's exit status is that of `run`."""
    container.script(f"exit {status}")
    container.run(status=status)


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_ended_by_a_signal(container: Container, name: str) -> None:
    """A program that a signal ends gives 128 and the signal's number."""
    # PID 1 of a pid namespace would be deaf to its own signals.
    container.linux["namespaces"] = without(container.linux["namespaces"], "pid")
    container.script(f"kill -{name} $$")
    number = signal.Signals[f"SIG{name}"]
    container.run(status=128 + number)


@contextlib.contextmanager
def in_foreground(container: Container) -> Iterator[tuple[Popen[bytes], Outcome]]:
    """`run` of a program that runs until it is killed."""
    container.runs("sleep", "1000")
    container.write_config()
    process, outcome = container.stave.begin("run", "--bundle", container.bundle, container.id)
    with killed_at_exit(process):
        eventually(lambda: container.stave("state", container.id, status=None).status == 0, "it is there")
        eventually(lambda: container.status == "running", "it runs")
        yield process, outcome


def test_first_process_killed(container: Container) -> None:
    """When KILL ends the first process itself, `run` says 137."""
    with in_foreground(container) as (process, _):
        container.kill("KILL")
        assert process.wait(60) == 137


def test_deleted_by_somebody_else(container: Container) -> None:
    """Who waits in `run` learns how the program ended, also if the container is gone before it looks."""
    with in_foreground(container) as (process, outcome):
        process.send_signal(signal.SIGSTOP)
        container.delete("--force")
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 137
        assert outcome.errors == ""


def test_deleted_at_the_end(container: Container) -> None:
    """In the foreground the container is deleted when its program has ended."""
    container.runs("true")
    container.run()
    assert "does not exist" in container.stave.fails("state", container.id)


def test_keep(container: Container) -> None:
    """With --keep it is stopped, and stays."""
    container.script("exit 3")
    container.run("--keep", status=3)
    assert container.status == "stopped"
    container.delete()


def test_detach(container: Container) -> None:
    """With --detach `run` returns at once, and the container stays behind also after its end."""
    container.script("exit 4")
    container.run("--detach")
    assert container.wait() == 4
    assert container.status == "stopped"


def test_standard_streams(container: Container) -> None:
    """Standard input, output and error are the caller's."""
    source = container.bundle / "input"
    source.write_text("one\ntwo\n")
    container.script("cat; echo wrong >&2")
    with source.open() as stdin:
        outcome = container.run(stdin=stdin)
    assert outcome.output == "one\ntwo"
    assert outcome.errors == "wrong"


@pytest.mark.parametrize("name", ["TERM", "HUP", "USR1"])
def test_signals_are_passed_on(container: Container, name: str) -> None:
    """A signal to `run` in the foreground is one to the program."""
    container.script(f'trap "echo got; exit 9" {name}; echo ready; while :; do sleep 0.01; done')
    container.write_config()
    process, outcome = container.stave.begin("run", "--bundle", container.bundle, container.id)
    try:
        eventually(lambda: outcome.output == "ready", "it is ready")
        process.send_signal(signal.Signals[f"SIG{name}"])
        assert process.wait(60) == 9
        assert outcome.output == "ready\ngot"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("phase", ["createRuntime", "startContainer"])
def test_signal_before_the_program_runs(container: Container, phase: str) -> None:
    """What is sent to `run` while it still creates or starts the container is for the program as well."""
    container.linux["namespaces"] = without(container.linux["namespaces"], "pid", "mount")
    container.config["root"]["path"] = "/"
    container.config["mounts"] = []
    for name in ("maskedPaths", "readonlyPaths"):
        container.linux.pop(name, None)
    here, go_on = container.bundle / "here", container.bundle / "go-on"
    script = f"touch {here}; until [ -e {go_on} ]; do sleep 0.01; done"
    container.config["hooks"] = {phase: [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    container.runs("sleep", "1000")
    container.write_config()
    process, outcome = container.stave.begin("run", "--bundle", container.bundle, container.id)
    with killed_at_exit(process):
        eventually(here.exists, "the hook runs")
        process.send_signal(signal.SIGTERM)
        go_on.touch()
        assert process.wait(60) == 128 + signal.SIGTERM, outcome.errors
    assert container.stave("list", "--quiet").output == ""


def test_orphans_are_collected(container: Container) -> None:
    """What the program leaves behind without a pid namespace is gone when `run` returns."""
    container.linux["namespaces"] = without(container.linux["namespaces"], "pid")
    container.script("setsid sleep 1000 & echo $!")
    left = int(container.run().output)
    eventually(lambda: not alive(left), "it ends")  # it has left its cgroup a moment before


def test_failure_leaves_nothing(container: Container) -> None:
    """A program that is not there ends `run` with 1 and one line."""
    container.runs("nosuch")
    container.write_config()
    line = container.stave.fails("run", "--bundle", container.bundle, container.id)
    assert line.endswith('exec: "nosuch": executable file not found in $PATH')


def test_taken_id(container: Container) -> None:
    """`run` leaves a container of the same id alone."""
    container.launch()
    line = container.stave.fails("run", "--bundle", container.bundle, container.id)
    assert "container with given ID already exists" in line
    assert container.status == "running"


def test_environment_of_the_runtime(stave: Stave, container: Container, directory: Path) -> None:
    """Nothing of the runtime's own environment reaches the program, nor does it change the runtime: the caller's
    settings for Python are not for stave."""
    ran, evil = directory / "ran", directory / "evil"
    evil.mkdir()
    for name in ("sitecustomize", "usercustomize", "posix", "json", "stave", "ocispec", "encodings"):
        (evil / f"{name}.py").write_text(f"open({str(ran)!r}, 'w')\n")
    names = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONPLATLIBDIR")
    hostile = {
        "SECRET": "x",
        "PYTHONINSPECT": "1",
        "PYTHONSTARTUP": f"{evil}/json.py",
        **dict.fromkeys(names, str(evil)),
    }
    container.script("env; sleep 1000")
    container.process["env"] = ["PATH=/bin", "HOME=/"]
    container.run("--detach", env=hostile)
    container.eventually_says("SHLVL")
    assert sorted(container.output.split()) == ["HOME=/", "PATH=/bin", "PWD=/", "SHLVL=1"]
    assert "PYTHON" not in container.exec("env", env=hostile).output
    for words in (["features"], ["state", container.id], ["ps", container.id], ["events", "--stats", container.id],
                  ["delete", "--force", container.id]):  # fmt: skip
        stave(*words, env={**hostile, "PATH": os.environ["PATH"]})
    assert not ran.exists()
