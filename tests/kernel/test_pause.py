"""pause, resume, list and ps."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .conftest import MakeContainer
from .driver import Container, Stave
from .host import CGROUPS, V2, alive, eventually, exit_code

# The launcher answers for simple containers without Python; both must do.
pytestmark = pytest.mark.parametrize("stave", ["launcher", "python"], indirect=True)

COUNTING = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"


def test_pause_and_resume(container: Container) -> None:
    """A paused container does nothing until it is resumed."""
    container.script(COUNTING)
    container.run("--detach")
    container.eventually_says("2")
    container.stave("pause", container.id)
    assert container.status == "paused"
    before = container.output
    assert container.stave("list", "--quiet").output == container.id  # takes longer than a step
    assert container.output == before
    container.stave("resume", container.id)
    assert container.status == "running"
    eventually(lambda: container.output != before, "it goes on")


def test_wrong_states(container: Container) -> None:
    """What is paused cannot be paused, what is not cannot be resumed, what has stopped neither."""
    stave = container.stave
    container.launch()
    assert "container not paused" in stave.fails("resume", container.id)
    stave("pause", container.id)
    assert "cannot pause a container in the paused state" in stave.fails("pause", container.id)
    assert "cannot start a container in the paused state" in stave.fails("start", container.id)
    stave("resume", container.id)
    container.kill("KILL")
    container.wait()
    stave.fails("pause", container.id)
    stave.fails("resume", container.id)


def test_exec_in_a_paused_container(container: Container) -> None:
    """A paused container takes no process, unless it is asked to."""
    container.launch()
    container.stave("pause", container.id)
    refused = container.exec("true", status=255)
    assert "cannot exec in a paused container" in refused.errors
    process, outcome = container.stave.begin("exec", "--ignore-paused", container.id, "echo", "late")
    try:
        frozen = freezer(container)
        eventually(lambda: len(frozen.read_text().split()) == 2, "the process has joined")
        assert process.poll() is None and outcome.output == ""
        container.stave("resume", container.id)
        assert process.wait(60) == 0
        assert outcome.output == "late"
    finally:
        process.kill()
        process.wait()


def test_kill_of_a_paused_container(container: Container) -> None:
    """KILL ends a paused container at once."""
    container.launch()
    container.stave("pause", container.id)
    container.kill("KILL")
    assert container.wait() == -9


def test_delete_of_a_paused_container(container: Container) -> None:
    """A paused container can be deleted by force."""
    container.launch()
    container.stave("pause", container.id)
    container.delete("--force")
    assert not alive(container.pid)


def test_paused_before_start(container: Container) -> None:
    """A created container can be paused; it is created again when resumed."""
    container.create()
    container.stave("pause", container.id)
    container.stave("resume", container.id)
    assert container.status == "created"


def test_list(make_container: MakeContainer) -> None:
    """`list` shows every container, with its state, root, owner and time of creation, in JSON too."""
    first, second = make_container(), make_container()
    first.launch()
    second.create()
    stave = first.stave
    assert stave("list", "--quiet").output.split() == ["c1", "c2"]
    records = json.loads(stave("list", "--format", "json").output)
    assert [(each["id"], each["status"], each["pid"]) for each in records] == [
        ("c1", "running", first.pid),
        ("c2", "created", second.pid),
    ]
    assert records[0]["rootfs"] == str(first.rootfs)
    assert records[0]["owner"] == "root"
    header, *lines = stave("list").output.splitlines()
    assert header.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert lines[1].split()[:4] == ["c2", str(second.pid), "created", str(second.bundle)]


def test_list_of_nothing(stave: Stave) -> None:
    """Without containers `list` prints nothing but the header, in JSON an empty list."""
    assert stave("list", "--quiet").output == ""
    assert json.loads(stave("list", "--format", "json").output) == []
    assert len(stave("list").output.splitlines()) == 1


def test_ps(container: Container) -> None:
    """`ps` lists the container's processes and no others, also in the host's ps's own columns."""
    container.script("sleep 1000 & wait")
    container.run("--detach")
    eventually(lambda: len(_pids(container)) == 2, "both run")
    pids = _pids(container)
    assert container.pid in pids and os.getpid() not in pids
    header, *lines = container.stave("ps", container.id).output.splitlines()
    assert "PID" in header.split() and len(lines) == 2
    shown = container.stave("ps", container.id, "-o", "pid,comm").output.split()
    assert {int(word) for word in shown if word.isdigit()} == set(pids)


def test_ps_of_exec(container: Container) -> None:
    """Processes that were executed later are the container's as well, and gone from it at their end."""
    container.launch()
    container.exec("--detach", f"--pid-file={container.bundle}/second", "sleep", "1000")
    second = int((container.bundle / "second").read_text())
    assert sorted(_pids(container)) == sorted([container.pid, second])
    os.kill(second, 9)
    exit_code(second)
    assert _pids(container) == [container.pid]


@pytest.mark.parametrize("command", ["pause", "resume", "ps", "list"])
def test_help(stave: Stave, command: str) -> None:
    """Each of these commands explains itself."""
    assert command in stave(command, "--help").output


def freezer(container: Container) -> Path:
    """The list of processes that are frozen with the container."""
    hierarchy = CGROUPS if V2 else CGROUPS / "freezer"
    return Path(f"{hierarchy}{container.linux['cgroupsPath']}/cgroup.procs")


def _pids(container: Container) -> list[int]:
    pids: list[int] = json.loads(container.stave("ps", "--format", "json", container.id).output)
    return pids
