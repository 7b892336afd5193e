"""Requests that come between two lives of a container, or while something else is being done to it.

A wrapper of the runtime holds one of its commands until the moment that matters, so nothing here depends on luck.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cooper.settings import Settings
from cooper.supervisor import client

from ..host import alive, eventually, limits
from .program import Cooper
from .test_supervisor import supervisor_of

# Within `status` is the file of this name in the run directory of the only container.
_HEAD = """#!/bin/sh
until_() { for try in $(seq 1000); do if "$@" 2>/dev/null; then return; fi; sleep 0.02; done; exit 99; }
status="{root}/run/containers/*/status" pid="{root}/run/containers/*/pid" place={place}
case " $* " in
"""


def held(cooper: Cooper, place: Path, command: str, script: str) -> Cooper:
    """cooper on a runtime that runs the script before its command of this name."""
    wrapper = place / "wrapper"
    head = _HEAD.replace("{root}", str(cooper.root)).replace("{place}", str(place))
    wrapper.write_text(f'{head}*" {command} "*) {script};;\nesac\nexec {cooper.runtime} "$@"\n')
    wrapper.chmod(0o755)
    return cooper.with_runtime(str(wrapper))


def connection(cooper: Cooper) -> client.Supervisor:
    """A connection to the supervisor of the only container."""
    [directory] = (cooper.root / "run/containers").iterdir()
    settings = SimpleNamespace(run_directory=lambda container: str(directory))
    supervisor = client.connect(cast(Settings, settings), directory.name)
    assert supervisor is not None
    return supervisor


def has_been_taken(supervisor: client.Supervisor) -> None:
    """What was sent before has been taken: packets are answered in their order, and this one is refused."""
    supervisor.send(client.KILL, b"SIGWINCH")
    assert supervisor.wait(client.ANSWER, seconds=60) == (client.ANSWER, b"container not running")


@pytest.mark.parametrize("action", ["restart", "stop", "kill"])
def test_a_stop_is_not_undone_by_a_failed_check(cooper: Cooper, tmp_path: Path, action: str) -> None:
    """A check that fails while SIGKILL is on its way neither restarts the container nor does anything else."""
    slow = held(
        cooper, tmp_path, "kill", "touch $place/failing; until_ sh -c 'grep -q unhealthy '\"$status\""
    )
    check = ("--health-cmd", "test ! -e /place/failing", "--health-interval", "50ms", "--health-retries", "1")
    flags = ("--health-on-failure", action, "--restart", "always", "-v", f"{tmp_path}:/place")
    slow.run("run", "-d", "--name", "one", *check, *flags, "busybox", "sleep", "1000")
    cooper.run("rm", "-f", "one")
    assert (tmp_path / "failing").exists()


def test_who_comes_at_the_very_end_is_told(cooper: Cooper, tmp_path: Path) -> None:
    """A client that connects while the supervisor learns that all is done still gets the exit status."""
    slow = held(cooper, tmp_path, "delete", "touch $place/deleting; until_ test -e $place/go")
    slow.run("run", "-d", "--name", "one", "--network", "none", "busybox", "sh", "-c", "exit 3")
    eventually((tmp_path / "deleting").exists, "the container has ended")
    supervisor = supervisor_of(cooper, "one")
    os.kill(supervisor, signal.SIGSTOP)
    (tmp_path / "go").touch()
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children")
    eventually(lambda: not any(alive(int(pid)) for pid in children.read_text().split()), "it is deleted")
    late = connection(cooper)
    late.send(client.ATTACH, bytes([client.CARETAKER]))
    os.kill(supervisor, signal.SIGCONT)
    assert late.wait(client.EXITED, seconds=60) == (client.EXITED, b"3 0")
    assert late.wait(client.FINISHED, seconds=60)[0] == client.FINISHED
    late.close()
    assert cooper.out("wait", "one") == "3"


def test_a_check_ends_before_the_next_life(cooper: Cooper, tmp_path: Path) -> None:
    """The runtime's exec of a check is awaited before the container is deleted: neither meets the next container."""
    note = "echo exec >> $place/order; exit 1"
    slow = held(
        cooper,
        tmp_path,
        "exec",
        f"touch $place/checking; until_ sh -c '! kill -0 $(cat '\"$pid\"')'; sleep 0.1; {note};;\n"
        '*" delete "*) echo delete >> $place/order',
    )
    flags = ("--health-cmd", "true", "--health-interval", "10ms", "-v", f"{tmp_path}:/place")
    script = "until test -e /place/checking; do sleep 0.02; done"
    slow.run("run", "-d", "--name", "one", "--restart", "always", *flags, "busybox", "sh", "-c", script)
    eventually(lambda: cooper.inspect("one", "{{.RestartCount}}") != "0", "started again")
    assert (tmp_path / "order").read_text().split()[:2] == ["exec", "delete"]
    cooper.run("rm", "-f", "one")


def test_a_stop_that_comes_before_the_start(cooper: Cooper, tmp_path: Path) -> None:
    """It keeps its signal and its time: what is to be killed at once does not get the container's own stop time."""
    slow = held(cooper, tmp_path, "run", "touch $place/starting; until_ test -e $place/go")
    starting = slow.start("run", "-d", "--name", "one", "--stop-timeout", "1000", "busybox", "sleep", "1000")
    eventually((tmp_path / "starting").exists, "it is being started")
    supervisor = connection(cooper)
    supervisor.send(client.STOP, b"SIGKILL 0")
    has_been_taken(supervisor)
    (tmp_path / "go").touch()
    assert supervisor.wait(client.EXITED, seconds=60) == (client.EXITED, b"137 0")
    supervisor.close()
    _, errors = starting.communicate(timeout=60)
    assert starting.returncode == 0, errors
    cooper.run("rm", "-f", "one")


def test_the_caretaker_of_a_container_that_does_not_start(cooper: Cooper, tmp_path: Path) -> None:
    """`rm -f` is not left waiting by a start that fails after its command was killed."""
    slow = held(cooper, tmp_path, "run", "touch $place/starting; until_ test -e $place/go; exit 3")
    starting = slow.start("run", "-d", "--name", "one", "busybox", "sleep", "1000")
    eventually((tmp_path / "starting").exists, "it is being started")
    descriptors = Path(f"/proc/{supervisor_of(cooper, 'one')}/fd")

    def sockets() -> int:
        return sum(os.readlink(each).startswith("socket:") for each in descriptors.iterdir())

    starting.kill()
    starting.communicate()
    eventually(lambda: sockets() == 1, "only the listening one is left")
    removing = cooper.start("rm", "-f", "one")
    eventually(lambda: sockets() == 2, "it is connected")
    (tmp_path / "go").touch()
    _, errors = removing.communicate(timeout=60)
    assert removing.returncode == 0, errors


def test_paused_and_ended(cooper: Cooper) -> None:
    """A paused container that is to end goes on until then; its next life is not paused."""
    script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    cooper.run("run", "-d", "--name", "one", "--restart", "on-failure", "busybox", "sh", "-c", script)
    eventually(lambda: "ready" in cooper.out("logs", "one"), "ready")
    cooper.run("pause", "one")
    cooper.run("stop", "-t", "1000", "one")
    assert cooper.inspect("one", "{{.State.ExitCode}} {{.State.Status}}") == "3 exited"
    cooper.run("start", "one")
    cooper.run("pause", "one")
    os.kill(int(cooper.inspect("one", "{{.State.Pid}}")), signal.SIGKILL)
    cooper.run("unpause", "one", status=None)  # in a frozen v1 group SIGKILL waits for it
    eventually(lambda: cooper.inspect("one", "{{.RestartCount}}") != "0", "started again")
    assert cooper.inspect("one", "{{.State.Paused}}") == "false"


def test_update_between_two_lives(cooper: Cooper, tmp_path: Path) -> None:
    """The next life has the new limits, although the same supervisor starts it."""
    script = "test -e /place/go && exec sleep 1000"
    flags = ("--restart", "always", "-v", f"{tmp_path}:/place")
    cooper.run("run", "-d", "--name", "one", *flags, "busybox", "sh", "-c", script)
    eventually(lambda: cooper.inspect("one", "{{.State.Status}}") == "restarting", "it waits for its restart")
    cooper.run("update", "-m", "48m", "one")
    (tmp_path / "go").touch()

    def limit() -> str:
        try:
            return limits(int(cooper.inspect("one", "{{.State.Pid}}")))["memory"]
        except (OSError, KeyError):  # it ends at this moment
            return ""

    eventually(lambda: limit() == str(48 << 20), "the new limit")
