"""Many commands at once, and commands that are killed at any moment."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from ..host import CGROUPS, UNIFIED, alive, eventually
from .program import Cooper, processes

AT_ONCE = 50


def test_fifty_at_once(cooper: Cooper) -> None:
    """Fifty concurrent runs end with fifty right results, and nothing is left."""
    running = [
        cooper.start(
            "run", "--rm", "--network", "none", "busybox", "sh", "-c", f"echo {number}; exit {number}"
        )
        for number in range(AT_ONCE)
    ]
    results = [(process.communicate(timeout=120), process.returncode) for process in running]
    for number, ((out, err), status) in enumerate(results):
        assert (out, err, status) == (f"{number}\n".encode(), b"", number)
    assert cooper.out("ps", "-aq") == ""


def test_one_name_at_once(cooper: Cooper) -> None:
    """Of many that want one name one gets it."""
    running = [cooper.start("create", "--name", "one", "busybox") for _ in range(8)]
    statuses = [process.communicate(timeout=60) and process.returncode for process in running]
    assert sorted(statuses) == [0, *([125] * 7)]
    assert cooper.out("ps", "-a", "--format", "{{.Names}}") == "one"


def test_start_stop_and_remove_at_once(cooper: Cooper) -> None:
    """Commands on one container that come together leave it in one state, and never hang."""
    cooper.run("create", "--name", "one", "--network", "none", "busybox", "sleep", "1000")
    for _ in range(3):
        words = [
            ("start", "one"),
            ("stop", "-t", "0", "one"),
            ("restart", "-t", "0", "one"),
            ("ps", "-a"),
            ("kill", "one"),
        ]
        running = [cooper.start(*each) for each in words]
        for process in running:
            process.communicate(timeout=60)
    cooper.run("rm", "-f", "one")
    assert cooper.out("ps", "-aq") == ""


@pytest.mark.parametrize("seed", range(12))
def test_run_is_killed(cooper: Cooper, seed: int) -> None:
    """Whenever `run` is killed with all that it has started, the next command puts everything right."""
    moment = random.Random(seed).uniform(0.005, 0.09)
    process = cooper.start(
        "run", "--name", "one", "-v", "/data", "busybox", "sleep", "1000", start_new_session=True
    )
    time.sleep(moment)  # any moment will do: what is tested holds at each of them
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    for pid, words in processes():
        if "cooper-supervisor" in words and str(cooper.root) in words:
            with contextlib.suppress(ProcessLookupError):  # it may end by itself
                os.kill(pid, signal.SIGKILL)

    def settled() -> bool:
        return cooper.out("ps", "-a", "--format", "{{.State}}") in ("", "created", "exited")

    eventually(settled, "the container is settled")
    cooper.run("system", "df")
    cooper.run("rm", "-f", "one")
    cooper.run("volume", "prune", "--force", "--all")
    eventually(lambda: not cooper.leftovers(), f"nothing is left: {cooper.leftovers()}")
    assert (
        cooper.out("run", "--rm", "--name", "one", "--network", "none", "busybox", "echo", "again") == "again"
    )


@pytest.mark.parametrize("words", [("stop", "-t", "0"), ("rm", "-f"), ("start",)])
@pytest.mark.parametrize("seed", range(3))
def test_other_commands_are_killed(cooper: Cooper, words: tuple[str, ...], seed: int) -> None:
    """What a killed command has begun, another finishes."""
    cooper.run("create", "--name", "one", "--network", "none", "busybox", "sleep", "1000")
    if words[0] != "start":
        cooper.run("start", "one")
    process = cooper.start(*words, "one")
    time.sleep(random.Random(seed).uniform(0.005, 0.05))
    process.kill()
    process.communicate()
    cooper.run("ps", "-a")
    cooper.run("rm", "-f", "one")
    assert cooper.out("ps", "-aq") == ""


_KILLED = """#!/bin/sh
case " $* " in
*" {command} "*) mkdir {place}/once 2>/dev/null || exec {runtime} "$@"
    {runtime} "$@" & sleep {seconds}; kill -9 $! 2>/dev/null; wait $!; exit $?;;
*) exec {runtime} "$@"
esac
"""


def killed(cooper: Cooper, place: Path, command: str, seconds: float) -> Cooper:
    """cooper on a runtime whose first command of this name is killed after so many seconds, if it has not ended."""
    wrapper = place / "wrapper"
    values = {"place": place, "command": command, "runtime": cooper.runtime, "seconds": f"{seconds:.3f}"}
    wrapper.write_text(_KILLED.format_map(values))
    wrapper.chmod(0o755)
    return cooper.with_runtime(str(wrapper))


@pytest.mark.parametrize("seed", range(8))
def test_the_runtime_is_killed(cooper: Cooper, tmp_path: Path, seed: int) -> None:
    """Whenever the runtime is killed while it makes a container, it has started or has failed; nothing is left of it."""
    hasty = killed(cooper, tmp_path, "run", random.Random(seed).uniform(0, 0.04))
    done = hasty.run("run", "-d", "--name", "one", "busybox", "sleep", "1000", status=None)
    state = cooper.out("ps", "-a", "--format", "{{.State}}")
    if done.returncode:
        assert (done.returncode, state) == (125, "created"), done.stderr
        assert done.stderr.startswith(b"cooper: ") and done.stderr.count(b"\n") == 1
    else:
        assert state == "running"
    cooper.run("rm", "-f", "one")
    eventually(lambda: not cooper.leftovers(), f"nothing is left: {cooper.leftovers()}")


@pytest.mark.parametrize("command", ["kill", "delete"])
def test_the_runtime_is_killed_in_the_end(cooper: Cooper, tmp_path: Path, command: str) -> None:
    """A runtime that does not get to signal or to delete its container is asked again: nothing is left."""
    hasty = killed(cooper, tmp_path, command, 0)
    hasty.run("run", "-d", "--name", "one", "--network", "none", "busybox", "sleep", "1000")
    pid = int(cooper.inspect("one", "{{.State.Pid}}"))
    cooper.run("rm", "-f", "one")
    assert (tmp_path / "once").is_dir()
    assert not alive(pid)
    assert not cooper.leftovers()


_LEAVES = """#!/bin/sh
for id; do :; done
case " $* " in
*" run "*) for top in {tops}; do mkdir -p $top/cooper/$id/below; done
    sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >{place}/pid; echo $! >$top/cooper/$id/below/cgroup.procs; exit 1;;
*) exec {runtime} "$@"
esac
"""


def test_groups_that_the_runtime_leaves(cooper: Cooper, tmp_path: Path) -> None:
    """As a runc does that is killed early, and then knows nothing of them: groups go, with what runs in them."""
    wrapper = tmp_path / "wrapper"
    tops = str(CGROUPS) if UNIFIED else f"{CGROUPS}/memory {CGROUPS}/pids"
    wrapper.write_text(_LEAVES.format(tops=tops, place=tmp_path, runtime=cooper.runtime))
    wrapper.chmod(0o755)
    assert cooper.with_runtime(str(wrapper)).run("run", "-d", "busybox", "true", status=125)
    cooper.run("rm", "--all", "--force")
    assert not alive(int((tmp_path / "pid").read_text()))
    assert not cooper.leftovers()


def test_the_first_process_is_killed(cooper: Cooper) -> None:
    """From outside, as by the kernel: the container has ended with 137, and starts again."""
    cooper.run("run", "-d", "--name", "one", "--network", "none", "--init", "busybox", "sleep", "1000")
    os.kill(int(cooper.inspect("one", "{{.State.Pid}}")), signal.SIGKILL)
    assert cooper.out("wait", "one") == "137"
    assert cooper.inspect("one", "{{.State.Status}} {{.State.OOMKilled}}") == "exited false"
    cooper.run("start", "one")
    assert cooper.inspect("one", "{{.State.Status}}") == "running"


def test_the_database_survives(cooper: Cooper) -> None:
    """Writers that are killed in the middle leave a database that is whole."""
    running = [cooper.start("create", "--name", f"n{number}", "busybox") for number in range(12)]
    time.sleep(0.03)
    for process in running[::2]:
        process.kill()
    for process in running:
        process.communicate(timeout=60)
    names = cooper.out("ps", "-a", "--format", "{{.Names}}").split()
    assert {f"n{number}" for number in range(1, 12, 2)} <= set(names)
    with contextlib.closing(sqlite3.connect(cooper.root / "state.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
