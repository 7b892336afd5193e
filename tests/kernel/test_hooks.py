"""The six kinds of hooks: when they run, with what, and what their failure does. Spec: config.md#posix-platform-hooks"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from .driver import Container, namespace
from .host import children, eventually

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
ON_HOST = ("prestart", "createRuntime", "poststart", "poststop")
IN_CONTAINER = ("createContainer", "startContainer")
DURING_CREATE = ("prestart", "createRuntime", "createContainer")


def hook(container: Container, kind: str, script: str, **members: Any) -> None:
    """One more hook of this kind: a busybox shell with a script."""
    # createContainer hooks are found on the host, startContainer hooks in the container.
    shell = "/bin/busybox" if kind == "startContainer" else str(container.rootfs / "bin/busybox")
    entry = {"path": shell, "args": ["sh", "-ec", script], "env": ["PATH=/bin"], **members}
    container.config.setdefault("hooks", {}).setdefault(kind, []).append(entry)


@pytest.fixture
def log(container: Container) -> Path:
    """A file that hooks may write to, wherever they run: it lies in the root file system, and is bound to its own
    path in the container."""
    file = container.rootfs / "tmp/log"
    file.write_text("")
    return file


def in_container(log: Path, kind: str) -> str:
    """The path of the log for a hook of this kind."""
    return "/tmp/log" if kind == "startContainer" else str(log)


def test_order(container: Container, log: Path) -> None:
    """All kinds run once, in the order of the life cycle; hooks of a kind in the listed order."""
    for kind in KINDS:
        for number in (1, 2):
            hook(container, kind, f"echo {kind} {number} >> {in_container(log, kind)}")
    container.script("echo program >> /tmp/log; sleep 1000")
    steps = []
    container.create()
    steps.append(log.read_text().splitlines())
    container.start()
    eventually(lambda: "program" in log.read_text(), "the program runs")
    steps.append(log.read_text().splitlines()[len(steps[0]) :])
    container.kill("KILL")
    container.wait()
    container.delete()
    steps.append(log.read_text().splitlines()[len(steps[0]) + len(steps[1]) :])
    assert steps[0] == [f"{kind} {number}" for kind in DURING_CREATE for number in (1, 2)]
    # Whether a poststart hook or the program writes first is up to the scheduler.
    assert sorted(steps[1]) == sorted(
        ["program", *(f"{kind} {number}" for kind in ("startContainer", "poststart") for number in (1, 2))]
    )
    assert steps[1][:2] == ["startContainer 1", "startContainer 2"]
    assert [line for line in steps[1] if line.startswith("poststart")] == ["poststart 1", "poststart 2"]
    assert steps[2] == ["poststop 1", "poststop 2"]


def test_state_on_stdin(container: Container, log: Path) -> None:
    """Every hook reads the container's state, with the status of its moment, and the pid as its namespace has it.
    Spec: runtime.md#state"""
    container.config["annotations"] = {"org.example": 'a "quoted" value'}
    for kind in KINDS:
        hook(container, kind, f"cat >> {in_container(log, kind)}; echo >> {in_container(log, kind)}")
    container.runs("sleep", "1000")
    container.create()
    container.start()
    pid = container.pid
    container.kill("KILL")
    container.wait()
    container.delete()
    states = dict(zip(KINDS, map(json.loads, log.read_text().splitlines()), strict=True))
    expected = {
        "ociVersion": "1.3.0",
        "id": container.id,
        "bundle": str(container.bundle),
        "annotations": {"org.example": 'a "quoted" value'},
    }
    for kind, state in states.items():
        ended = kind == "poststop"
        status = "stopped" if ended else "running" if kind == "poststart" else "created"
        seen = 0 if ended else 1 if kind in IN_CONTAINER else pid
        assert state == {**expected, "status": status, "pid": seen}, kind


@pytest.mark.parametrize("kind", KINDS)
def test_environment(container: Container, log: Path, kind: str) -> None:
    """A hook has exactly the listed environment, and nothing of the program's. (CVE-2025-23266: the image's
    variables reached a hook.)"""
    container.process["env"] = ["PATH=/bin", "LD_PRELOAD=/evil.so"]
    variables = ["A=1", "B=two words", "A=2", ""]
    to = in_container(log, kind)
    hook(container, kind, "", args=["cp", "/proc/self/environ", to], env=variables)
    container.run()
    assert log.read_text().split("\0") == [*variables, ""]


@pytest.mark.parametrize("kind", ON_HOST)
def test_directory(container: Container, log: Path, kind: str) -> None:
    """A hook on the host stands in the bundle, as with runc."""
    hook(container, kind, f"pwd > {log}")
    container.run()
    assert log.read_text() == f"{container.bundle}\n"


@pytest.mark.parametrize("kind", KINDS)
def test_without_environment(container: Container, log: Path, kind: str) -> None:
    """A hook without `env` and `args` has an empty environment, and its path as its only argument."""
    program = container.rootfs / "bin/hook"
    program.write_text(
        f"#!{'' if kind == 'startContainer' else container.rootfs}/bin/sh\n"
        f"echo $# $0 >> {in_container(log, kind)}\n"
    )
    program.chmod(0o755)
    path = "/bin/hook" if kind == "startContainer" else str(program)
    container.config["hooks"] = {kind: [{"path": path}]}
    container.runs("true")
    container.run()
    assert log.read_text() == f"0 {path}\n"


@pytest.mark.parametrize("kind", KINDS)
def test_namespaces(container: Container, log: Path, kind: str) -> None:
    """Hooks run in the runtime's namespaces, or in the container's, as their kind says."""
    to = in_container(log, kind)
    hook(container, kind, f"for name in uts net; do readlink /proc/self/ns/$name; done > {to}")
    container.runs("sleep", "1000")
    container.create()
    container.start()
    mine = [namespace("self", name) for name in ("uts", "net")]
    containers = [namespace(container.pid, name) for name in ("uts", "net")]
    container.delete("--force")
    assert log.read_text().splitlines() == (containers if kind in IN_CONTAINER else mine)


def test_create_container_sees_the_host(container: Container, directory: Path) -> None:
    """A createContainer hook runs before the root changes: its path and its files are the host's, the container's
    mounts are there, and what it mounts into the container stays."""
    (directory / "note").write_text("from the host\n")
    (container.rootfs / "mnt").mkdir()
    inside = container.rootfs / "mnt"
    hook(
        container,
        "createContainer",
        f"mount --bind {directory} {inside}; ls {container.rootfs}/proc/self/status",
    )
    assert container.says("cat /mnt/note") == "from the host"


def test_start_container_runs_as_the_user(container: Container, log: Path) -> None:
    """A startContainer hook is found in the container and has the program's user."""
    log.chmod(0o666)
    container.process["user"] = {"uid": 1000, "gid": 1000}
    hook(container, "startContainer", "echo $(id -u) $(pwd) $(ls /) > /tmp/log")
    container.run()
    assert log.read_text().split()[:2] == ["1000", "/"]
    assert "rootfs" not in log.read_text()


@pytest.mark.parametrize("kind", DURING_CREATE)
def test_failure_during_create(container: Container, log: Path, kind: str) -> None:
    """A failing hook of `create` fails it, its output is in the error, later hooks do not run, and the poststop
    hooks do."""
    hook(container, kind, "echo first; echo out of luck >&2; exit 3")
    hook(container, kind, f"echo second >> {log}")
    hook(container, "poststop", f"echo poststop >> {log}")
    line = container.fails()
    assert line == (
        f'hooks.{kind}[0]: hook {container.rootfs}/bin/busybox: output: "first / out of luck": exit status 3'
    )
    assert log.read_text() == "poststop\n"
    assert "does not exist" in container.stave.fails("state", container.id)


def test_failure_of_start_container(container: Container, log: Path) -> None:
    """A failing startContainer hook fails `start`: the program does not run, the container is destroyed."""
    hook(container, "startContainer", "echo no; exit 4")
    hook(container, "poststop", f"echo poststop >> {log}")
    container.script("echo program >> /tmp/log")
    container.create()
    line = container.stave.fails("start", container.id)
    assert line.endswith('hooks.startContainer[0]: hook /bin/busybox: output: "no": exit status 4')
    container.wait()
    assert log.read_text() == "poststop\n"
    assert "does not exist" in container.stave.fails("state", container.id)


@pytest.mark.parametrize("version", ["1.3.0", "1.3.1", "1.4.0-rc.1"])
def test_failure_of_poststart(container: Container, log: Path, version: str) -> None:
    """Since 1.3 a failing poststart hook fails `start` and ends the container; later ones do not run."""
    container.config["ociVersion"] = version
    hook(container, "poststart", "echo late; exit 1")
    hook(container, "poststart", f"echo second >> {log}")
    hook(container, "poststop", f"echo poststop >> {log}")
    container.runs("sleep", "1000")
    container.create()
    line = container.stave.fails("start", container.id)
    assert "hooks.poststart[0]" in line and '"late": exit status 1' in line
    container.wait()
    assert log.read_text() == "poststop\n"
    assert "does not exist" in container.stave.fails("state", container.id)


@pytest.mark.parametrize("version", ["1.0.0", "1.0.2", "1.2.1"])
def test_failure_of_poststart_before_1_3(container: Container, log: Path, version: str) -> None:
    """Configurations of older versions get a warning, and the remaining hooks."""
    container.config["ociVersion"] = version
    hook(container, "poststart", "echo late; exit 1")
    hook(container, "poststart", f"echo second >> {log}")
    container.runs("sleep", "1000")
    container.create()
    outcome = container.start()
    assert outcome.errors.startswith(f"stave: start {container.id}: warning: hooks.poststart[0]")
    assert log.read_text() == "second\n"
    assert container.status == "running"


@pytest.mark.parametrize("end", ["delete", "failed create"])
def test_poststop_comes_last(container: Container, log: Path, end: str) -> None:
    """When the poststop hooks run nothing of the container is left, not even its state directory."""
    state = container.stave.root / container.id
    hook(container, "poststop", f"test -e {state} || echo gone > {log}")
    container.runs("true")
    if end == "delete":
        container.create()
        container.delete("--force")
    else:
        hook(container, "createRuntime", "exit 1")
        container.fails()
    assert log.read_text() == "gone\n"


def test_failure_of_poststop(container: Container, log: Path) -> None:
    """A failing poststop hook is a warning; the next ones run, and the container is gone."""
    hook(container, "poststop", "echo oops; exit 1")
    hook(container, "poststop", f"echo second >> {log}")
    container.runs("true")
    container.run("--detach")
    container.wait()
    outcome = container.delete()
    assert f"stave: delete {container.id}: warning: hooks.poststop[0]" in outcome.errors
    assert log.read_text() == "second\n"
    assert "does not exist" in container.stave.fails("state", container.id)


@pytest.mark.parametrize("script", ["exec sleep 1000", "exec yes"])
@pytest.mark.parametrize("kind", ["createRuntime", "startContainer"])
def test_timeout(container: Container, kind: str, script: str) -> None:
    """A hook that takes longer than its timeout is killed, and has failed, also if it always has something to say."""
    before = children()
    hook(container, kind, script, timeout=1)
    if kind == "startContainer":
        container.create()
        line = container.stave.fails("start", container.id)
    else:
        line = container.fails()
        assert children() == before
    assert f"hooks.{kind}[0]" in line and line.endswith("took longer than its timeout")


@pytest.mark.parametrize("left", ["sleep 1000", "yes"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_hook_leaves_behind(container: Container, kind: str, left: str) -> None:
    """A hook's background process that keeps its output open, or even writes all the time, delays nobody."""
    before = children()
    hook(container, kind, f"{left} & exit 0", timeout=20)
    container.runs("true")
    container.run()
    # In the container's PID namespace it ends with that.
    for pid in set(children()) - set(before):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kind", KINDS)
def test_missing_program(container: Container, kind: str) -> None:
    """A hook that is not there is named."""
    container.config["hooks"] = {kind: [{"path": "/no/such/hook"}]}
    container.runs("true")
    container.write_config()
    expected = f"hooks.{kind}[0]: hook /no/such/hook: No such file or directory"
    if kind == "poststop":
        assert expected in container.run().errors
    else:
        assert container.stave.fails("run", "--bundle", container.bundle, container.id).endswith(expected)


def test_no_descriptors(container: Container, log: Path) -> None:
    """A hook has its three standard streams and nothing else open."""
    for kind in KINDS:
        hook(
            container,
            kind,
            f"ls /proc/self/fd | tr '\\n' ' ' >> {in_container(log, kind)}; echo >> {in_container(log, kind)}",
        )
    container.run()
    # 3 is ls's own, on the directory.
    assert set(log.read_text().splitlines()) == {"0 1 2 3 "}
