"""create, start, kill, delete, and the states between them. Spec: runtime.md#lifecycle"""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .conftest import MakeContainer
from .driver import Container, Stave, killed_at_exit
from .host import alive, eventually

# The launcher answers for simple containers without Python; both must do.
pytestmark = pytest.mark.parametrize("stave", ["launcher", "python"], indirect=True)


def test_states(container: Container) -> None:
    """A container is created, running and stopped, in this order, and then it is gone."""
    container.runs("sleep", "1000")
    container.create()
    assert container.status == "created"
    container.start()
    assert container.status == "running"
    container.kill("KILL")
    eventually(lambda: container.status == "stopped", "the container stops")
    container.delete()
    assert "container does not exist" in container.stave.fails("state", container.id)


def test_state_fields(container: Container) -> None:
    """The state says version, id, status, pid, bundle and annotations; and as other runtimes do, root and time."""
    container.config["annotations"] = {"org.example.key": 'väl"ue'}
    container.launch()
    state = container.state()
    assert alive(state.pop("pid"))
    assert datetime.fromisoformat(state.pop("created")) <= datetime.now(UTC)
    assert state == {
        "ociVersion": "1.3.0",
        "rootfs": str(container.rootfs),
        "id": container.id,
        "status": "running",
        "bundle": str(container.bundle),
        "annotations": {"org.example.key": 'väl"ue'},
    }


def test_nothing_runs_before_start(container: Container) -> None:
    """The program runs when the container is started, and not before."""
    container.script("echo ran")
    container.create()
    assert container.output == ""
    container.start()
    assert container.wait() == 0
    assert container.output == "ran"


def test_a_stopped_container_stays_known(container: Container) -> None:
    """After its program's end a container is stopped until it is deleted."""
    container.runs("true")
    container.run("--detach")
    container.wait()
    assert container.status == "stopped"
    assert container.status == "stopped"


def test_pid_file(container: Container, directory: Path) -> None:
    """The pid file holds the decimal pid and nothing else."""
    container.create("--pid-file", directory / "pid")
    assert (directory / "pid").read_text() == str(container.state()["pid"])


def test_pid_file_is_replaced(container: Container, directory: Path) -> None:
    """A pid file that is there already gets the new pid."""
    (directory / "pid").write_text("1234567890 and more")
    container.create("--pid-file", directory / "pid")
    assert (directory / "pid").read_text() == str(container.state()["pid"])


def test_pid_file_that_cannot_be_written(container: Container, directory: Path) -> None:
    """Without its pid file a container is not created."""
    assert str(directory / "no/pid") in container.fails("--pid-file", directory / "no/pid")


def test_relative_bundle(container: Container) -> None:
    """The bundle is the working directory unless one is named, which may be relative; the state has it absolute."""
    container.write_config()
    stave = container.stave
    stave("create", container.id, cwd=container.bundle)
    assert container.state()["bundle"] == str(container.bundle)
    container.delete("--force")
    stave("create", "--bundle", f"../{container.bundle.name}", container.id, cwd=container.bundle)
    assert container.state()["bundle"] == str(container.bundle)


def test_later_changes_of_the_configuration(container: Container) -> None:
    """config.json may be changed or removed after `create`: start, state, exec, kill and delete do not mind."""
    container.script("echo created; sleep 1000")
    container.create()
    (container.bundle / "config.json").write_text(json.dumps({"ociVersion": "1.0.0"}))
    container.start()
    container.eventually_says("created")
    (container.bundle / "config.json").unlink()
    assert container.status == "running"
    assert container.exec_says("echo", "yes") == "yes"
    container.kill("KILL")
    container.wait()
    container.delete()


def test_taken_id(make_container: MakeContainer) -> None:
    """An id is given once; the container that has it does not notice."""
    first, second = make_container(), make_container()
    first.launch()
    second.id = first.id
    before = first.state()
    assert "container with given ID already exists" in second.fails()
    assert first.state() == before


def test_id_can_be_used_again(container: Container) -> None:
    """A deleted container's id is free."""
    for _ in range(2):
        container.create()
        container.delete("--force")


@pytest.mark.parametrize("name", ["a/b", "..", ".", "a b", "a\nb", "ä", "x" * 1025, "a:b", "/etc"])
def test_invalid_ids(stave: Stave, container: Container, name: str) -> None:
    """An id that does not serve as a file name is refused by every command."""
    container.write_config()
    assert "invalid container ID format" in stave.fails("create", "--bundle", container.bundle, name)
    for command in ("start", "state", "kill", "delete"):
        assert "invalid container ID format" in stave.fails(command, name)


@pytest.mark.parametrize("name", ["a", "A-1", "a_b.c+d", "1", "x" * 200, "-"])
def test_valid_ids(container: Container, name: str) -> None:
    """Letters, digits and _ + - . make an id."""
    container.id = name
    container.linux["cgroupsPath"] += "-id"
    container.create()
    assert container.state()["id"] == name
    container.delete("--force")


@pytest.mark.parametrize("command", ["start", "state", "kill", "delete", "exec", "pause", "resume", "ps"])
def test_unknown_container(stave: Stave, command: str) -> None:
    """Every command says that a container does not exist."""
    words = ["true"] if command == "exec" else []
    status = 255 if command == "exec" else 1
    assert "container does not exist" in stave.fails(command, "nosuch", *words, status=status)


@pytest.mark.parametrize("command", ["create", "start", "state", "kill", "delete", "exec", "run"])
def test_missing_id(stave: Stave, command: str) -> None:
    """A command without an id fails, and shows how it is used."""
    outcome = stave(command, status=None)
    assert outcome.status != 0
    assert "usage" in outcome.errors.lower()


def test_start_of_a_running_container(container: Container) -> None:
    """A container is started once."""
    container.launch()
    before = container.state()
    assert "cannot start an already running container" in container.start(status=1).errors
    assert container.state() == before


def test_start_of_a_stopped_container(container: Container) -> None:
    """A program that has run does not run again."""
    container.script("echo ran")
    container.create()
    container.start()
    container.wait()
    assert "cannot start a container that has stopped" in container.start(status=1).errors
    assert container.output == "ran"


@pytest.mark.parametrize("started", [False, True])
def test_delete_of_a_living_container(container: Container, started: bool) -> None:
    """Without --force a container that has not stopped is not deleted."""
    container.runs("sleep", "1000")
    container.create()
    if started:
        container.start()
    pid = container.pid
    line = container.stave.fails("delete", container.id)
    assert f"cannot delete container {container.id} that is not stopped" in line
    assert container.status == ("running" if started else "created")
    container.delete("--force")
    assert not alive(pid)


def test_forced_delete_of_nothing(stave: Stave) -> None:
    """To delete by force what does not exist is no error."""
    assert stave("delete", "--force", "nosuch").errors == ""


def test_forced_delete_takes_everything(container: Container, host_unchanged: object) -> None:
    """All processes of the container are gone when `delete --force` returns."""
    container.script("sleep 1000 & sleep 1000 & wait")
    container.run("--detach")
    eventually(
        lambda: len(json.loads(container.stave("ps", "-f", "json", container.id).output)) == 3, "all run"
    )
    pids = json.loads(container.stave("ps", "-f", "json", container.id).output)
    container.delete("--force")
    # With the first process all others of its PID namespace have ended; it waits for them.
    assert not any(alive(pid) for pid in pids)
    assert callable(host_unchanged)
    host_unchanged()


def test_without_process(container: Container) -> None:
    """A container without a process can be created, looked at and deleted, but not started."""
    del container.config["process"]
    container.create()
    assert container.status == "created"
    assert "process: is not set" in container.start(status=1).errors
    assert container.status == "created"
    container.kill("KILL")
    container.wait()
    container.delete()


def test_state_directory_is_private(container: Container) -> None:
    """Nobody but the owner may look at the state of containers."""
    container.create()
    for path in (container.stave.root, container.stave.root / container.id):
        assert path.stat().st_mode & 0o7777 == 0o700
    for path in (container.stave.root / container.id).iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_unknown_properties_and_annotations(container: Container) -> None:
    """What the specification does not know of is passed over."""
    container.config["org.example"] = {"x": [1, None]}
    container.config["annotations"] = {"unknown": ""}
    assert container.says("echo ok") == "ok"


def test_seldom_fields_may_be_null_free(container: Container) -> None:
    """A small configuration will do: version, root, a process with args and cwd."""
    container.config.clear()
    container.config.update(
        ociVersion="1.0.0", root={"path": "rootfs"}, process={"cwd": "/", "args": ["/bin/echo", "small"]}
    )
    container.config["linux"] = {"cgroupsPath": container.linux["cgroupsPath"]}
    assert container.run().output == "small"


def test_without_a_control_group(container: Container) -> None:
    """The caller may want none: the container stays in the caller's, and limits are refused."""
    container.linux.pop("cgroupsPath")
    container.runs("cat", "/proc/self/cgroup")
    container.linux["namespaces"] = [
        each for each in container.linux["namespaces"] if each["type"] != "cgroup"
    ]
    container.write_config()
    words = ["--cgroup-manager", "disabled", "run", "--bundle", str(container.bundle), container.id]
    assert container.stave(*words).output == Path("/proc/self/cgroup").read_text().rstrip("\n")
    container.linux["resources"] = {"pids": {"limit": 5}}
    container.write_config()
    assert "linux.resources.pids: needs a control group" in container.stave.fails(*words)


@pytest.mark.parametrize("command", ["create", "run"])
def test_configuration_in_another_file(container: Container, directory: Path, command: str) -> None:
    """With --config the bundle need not have a config.json; paths still count from the bundle, errors name the file."""
    container.config["root"]["path"] = "rootfs"
    other = directory / "other.json"
    other.write_text(json.dumps(container.config))
    words: list[str | Path] = [command, "--bundle", container.bundle, "--config", other]
    container.stave(*words, *(["--detach"] if command == "run" else []), container.id)
    assert container.state()["bundle"] == str(container.bundle)
    container.delete("--force")
    other.write_text("{")
    assert f"{other}: " in container.stave.fails(*words, container.id)


def test_process_dies_before_it_is_started(container: Container) -> None:
    """A `start` that the container's process does not live to hear of has failed."""
    container.runs("true")
    container.create()
    os.kill(container.pid, signal.SIGSTOP)
    process, outcome = container.stave.begin("start", container.id)
    with killed_at_exit(process):
        wait = Path(f"/proc/{process.pid}/wchan")
        eventually(lambda: wait.read_text() == "__skb_wait_for_more_packets", "it waits for an answer")
        os.kill(container.pid, signal.SIGKILL)
        assert process.wait(60) == 1
    assert outcome.errors.startswith(f"stave: start {container.id}: cannot start")
