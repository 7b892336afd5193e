"""Many commands at once, and commands that are killed at any moment."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import time

import pytest

from ..host import eventually
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
