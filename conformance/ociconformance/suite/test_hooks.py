"""Hooks: which run when and where, what they are told, and what happens when one fails."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ociconformance.bundle import hook
from ociconformance.container import Container, eventually, fails
from ociconformance.testing import case, covers

ON_CREATE = ("prestart", "createRuntime", "createContainer")
KINDS = (*ON_CREATE, "startContainer", "poststart", "poststop")
NAMES = {
    "prestart": "prestart",
    "createRuntime": "create-runtime",
    "createContainer": "create-container",
    "startContainer": "start-container",
    "poststart": "poststart",
    "poststop": "poststop",
}
"""How the clauses call the kinds."""
NAMESPACES = ("mnt", "pid", "net", "ipc", "uts")


def note(container: Container, text: str, kind: str) -> dict[str, Any]:
    """A hook that adds a line to /tmp/notes of the container, from wherever it runs.

    It takes its time, so that a runtime which does not wait for it is found out.
    """
    wait = "usleep 100000; " if kind in ("startContainer", "poststart") else ""
    return hook(f"{wait}echo {text} >> {_inside(container, kind, 'notes')}")


def notes(container: Container) -> list[str]:
    """The lines that were added."""
    file = container.rootfs / "tmp" / "notes"
    return file.read_text().split() if file.exists() else []


def _inside(container: Container, kind: str, name: str) -> str:
    """A file of the container's /tmp as a hook of this kind sees it."""
    return f"/tmp/{name}" if kind == "startContainer" else str(container.rootfs / "tmp" / name)


def live(container: Container) -> None:
    """The container goes through all of its life."""
    container.script("echo program >> /tmp/notes; exec sleep 1000")
    container.create()
    live_on(container)


def live_on(container: Container) -> None:
    """The container, which is created, goes through the rest of its life."""
    container.start()
    eventually(lambda: "program" in notes(container), "the program runs")
    container.kill().wait()
    container.delete()


@pytest.mark.parametrize(
    "kind", [case(kind, covers=(f"runtime/lifecycle/{NAMES[kind]}", "config/hooks/kinds")) for kind in KINDS]
)
def test_every_kind(container: Container, kind: str) -> None:
    """Hooks of every kind run once in a container's life."""
    container.hooks(**{kind: [note(container, "hook", kind)]})
    live(container)
    eventually(lambda: sorted(notes(container)) == ["hook", "program"], "the hook has run")


@covers("config/hooks/order", "config/hooks/create-container/after")
def test_order(container: Container) -> None:
    """All kinds of hooks run, kind after kind, and within a kind in the listed order."""
    kinds = KINDS[1:]
    container.hooks(
        **{kind: [note(container, f"{kind}-{number}", kind) for number in range(3)] for kind in kinds}
    )
    live(container)
    ran = [line for line in notes(container) if line != "program"]
    assert ran == [f"{kind}-{number}" for kind in kinds for number in range(3)]


@covers("runtime/lifecycle/prestart")
def test_prestart(container: Container) -> None:
    """Prestart hooks run, before the program."""
    container.hooks(prestart=[note(container, "prestart", "prestart")])
    live(container)
    assert notes(container) == ["prestart", "program"]


@covers("config/hooks/prestart/before-create-runtime", "config/hooks/prestart/when")
def test_prestart_on_create(container: Container) -> None:
    """Prestart hooks run during create, before createRuntime hooks."""
    kinds = ("createRuntime", "prestart")
    container.hooks(**{kind: [note(container, kind, kind)] for kind in kinds})
    container.create()
    assert notes(container) == ["prestart", "createRuntime"]


@pytest.mark.parametrize(
    ("kind", "after_create", "after_start"),
    [
        case("createRuntime", 1, 1, covers="config/hooks/create-runtime/when"),
        case("createContainer", 1, 1, covers="config/hooks/create-container/when"),
        case("startContainer", 0, 1, covers="config/hooks/start-container/when"),
        case("poststart", 0, 1, covers="config/hooks/poststart/when"),
        case("poststop", 0, 0, covers="config/hooks/poststop/when"),
    ],
)
def test_operation(container: Container, kind: str, after_create: int, after_start: int) -> None:
    """A hook has run when its operation returns, and not earlier."""
    container.hooks(**{kind: [note(container, kind, kind)]})
    container.script("exec sleep 1000")
    container.create()
    assert len(notes(container)) == after_create
    container.start()
    assert len(notes(container)) == after_start
    container.kill().wait()
    assert len(notes(container)) == after_start
    container.delete()
    assert notes(container) == [kind]


@covers("config/hooks/start-container/when")
def test_start_container_is_before_the_program(container: Container) -> None:
    """The startContainer hooks have ended when the program begins."""
    container.hooks(startContainer=[hook("usleep 100000; echo hook >> /tmp/notes")])
    live(container)
    assert notes(container) == ["hook", "program"]


@pytest.mark.parametrize(
    "kind",
    [
        case("prestart", covers="config/hooks/prestart/when"),
        case("createRuntime", covers="config/hooks/create-runtime/when"),
    ],
)
def test_the_root_has_not_changed_yet(container: Container, kind: str) -> None:
    """The process that the state names has its namespaces, and still sees the host's files."""
    file = container.rootfs / "tmp" / "seen"
    script = f"""
        pid=$(echo "$state" | tr -d '\\n ' | sed 's/.*"pid":\\([0-9]*\\).*/\\1/')
        readlink /proc/$pid/ns/mnt > {file}
        ls -d /proc/$pid/root{container.bundle} >> {file}
    """
    container.hooks(**{kind: [hook(script)]})
    container.create()
    namespace, path = file.read_text().split()
    assert namespace == os.readlink(f"/proc/{container.pid}/ns/mnt")
    assert path.endswith(str(container.bundle))


@covers("config/hooks/create-container/when")
def test_create_container_is_after_mounting(container: Container) -> None:
    """A createContainer hook sees the container's mounts, at their places on the host."""
    file = container.rootfs / "tmp" / "seen"
    container.hooks(createContainer=[hook(f"cat /proc/self/mountinfo > {file}")])
    container.create()
    points = [line.split()[4] for line in file.read_text().splitlines()]
    assert f"{container.rootfs}/dev/shm" in points


@pytest.mark.parametrize(
    "kind", [case(kind, covers=f"config/hooks/{NAMES[kind]}/namespace") for kind in KINDS]
)
def test_namespaces(container: Container, kind: str) -> None:
    """A hook runs in the namespaces of the runtime, or in those of the container."""
    file = _inside(container, kind, "namespaces")
    container.hooks(
        **{
            kind: [
                hook(f"for name in {' '.join(NAMESPACES)}; do readlink /proc/self/ns/$name; done > {file}")
            ]
        }
    )
    container.script("echo program >> /tmp/notes; exec sleep 1000")
    container.create()
    processes = {"runtime": "self", "container": str(container.pid)}
    seen_from = {
        name: [os.readlink(f"/proc/{process}/ns/{each}") for each in NAMESPACES]
        for name, process in processes.items()
    }
    live_on(container)
    seen = (container.rootfs / "tmp" / "namespaces").read_text().split()
    assert seen == seen_from["container" if kind in ("createContainer", "startContainer") else "runtime"]


@pytest.mark.parametrize("kind", [case(kind, covers=f"config/hooks/{NAMES[kind]}/path") for kind in KINDS])
def test_path(container: Container, place: Path, busybox: Path, kind: str) -> None:
    """A hook's path is that of a file of the host, but for startContainer, where it is the container's."""
    tool = container.rootfs / "tmp" / "hook-tool" if kind == "startContainer" else place / "hook-tool"
    os.link(busybox, tool)
    path = "/tmp/hook-tool" if kind == "startContainer" else str(tool)
    entry = note(container, kind, kind)
    container.hooks(**{kind: [{**entry, "path": path}]})
    live(container)
    assert kind in notes(container)


@covers("config/hooks/args", "config/hooks/env")
def test_args_and_env(container: Container) -> None:
    """A hook gets its args, from the first on, and its env alone."""
    file = container.bundle / "seen"
    entry = hook(
        f"tr '\\0' '\\n' < /proc/$$/cmdline > {file}; tr '\\0' '\\n' < /proc/$$/environ >> {file}; :",
        "a b",
        "",
    )
    entry["env"] = ["PATH=/bin", "KEY=some value", "EMPTY="]
    container.hooks(createRuntime=[entry])
    outcome = container.try_create(env={**os.environ, "FROM_THE_CALLER": "1"})
    assert outcome.status == 0, str(outcome)
    assert file.read_text() == "\n".join([*entry["args"], *entry["env"], ""])


@covers("config/hooks/args", "config/hooks/env")
def test_without_args_and_env(container: Container, busybox: Path) -> None:
    """A hook without args and env is run with its path alone."""
    script, file = container.bundle / "hook", container.bundle / "seen"
    script.write_text(
        f"#!{busybox} sh\n{busybox} tr '\\0' '\\n' < /proc/$$/environ > {file}\necho $# >> {file}\n"
    )
    script.chmod(0o755)
    container.hooks(createRuntime=[{"path": str(script)}])
    container.create()
    lines = file.read_text().splitlines()
    assert lines[-1] == "0"


@covers("config/hooks/state")
@pytest.mark.parametrize("kind", KINDS)
def test_state(container: Container, kind: str) -> None:
    """A hook reads the container's state from its standard input."""
    container.config["annotations"] = {"com.example.key": "value"}
    container.hooks(**{kind: [hook(f'echo "$state" > {_inside(container, kind, "state")}')]})
    live(container)
    state = json.loads((container.rootfs / "tmp" / "state").read_text())
    assert state["id"] == container.id
    assert state["bundle"] == str(container.bundle)
    assert state["annotations"]["com.example.key"] == "value"
    assert state["ociVersion"].startswith("1.")
    if kind in (*ON_CREATE[:2], "poststart"):
        assert state["pid"] == container.pid


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        case("prestart", {"creating", "created"}, covers="runtime/state/status-values"),
        case("createRuntime", {"creating", "created"}, covers="runtime/state/status-values"),
        case("createContainer", {"creating", "created"}, covers="runtime/state/status-values"),
        case("startContainer", {"created"}, covers="runtime/state/status-values"),
        case("poststart", {"running"}, covers="runtime/state/status-values"),
        case("poststop", {"stopped"}, covers="runtime/state/status-values"),
    ],
    ids=KINDS,
)
def test_status(container: Container, kind: str, statuses: set[str]) -> None:
    """The state that a hook reads has the status that the container has at that time."""
    container.hooks(**{kind: [hook(f'echo "$state" > {_inside(container, kind, "state")}')]})
    live(container)
    assert json.loads((container.rootfs / "tmp" / "state").read_text())["status"] in statuses


@covers("runtime/state/pid-container")
@pytest.mark.parametrize("kind", ["createContainer", "startContainer"])
def test_pid_in_the_container(container: Container, kind: str) -> None:
    """A hook in the container's namespaces is told the PID that the process has there."""
    container.hooks(**{kind: [hook(f'echo "$state" > {_inside(container, kind, "state")}')]})
    container.create().start().wait()
    assert json.loads((container.rootfs / "tmp" / "state").read_text())["pid"] == 1


@pytest.mark.parametrize(
    "kind", [case(kind, covers=f"runtime/lifecycle/{NAMES[kind]}-fails") for kind in ON_CREATE]
)
def test_failure_on_create(container: Container, kind: str) -> None:
    """A hook that fails makes `create` fail; the hooks after it don't run, and nothing is left."""
    container.hooks(
        **{kind: [note(container, "first", kind), hook("exit 3"), note(container, "third", kind)]}
    )
    outcome = container.try_create()
    if kind == "prestart" and outcome.status == 0:
        # Until 1.1 they were to run by `start`.
        outcome = container.try_start()
    fails(outcome)
    assert not container.exists()
    assert not container.alive()
    assert notes(container) == ["first"]


@covers("runtime/lifecycle/start-container-fails")
def test_failure_on_start(container: Container) -> None:
    """A startContainer hook that fails makes `start` fail, and the program never runs."""
    container.hooks(startContainer=[hook("exit 3")])
    container.script("echo program >> /tmp/notes")
    container.create()
    fails(container.try_start())
    assert notes(container) == []
    eventually(lambda: not container.alive(), "the container is stopped")


@covers("runtime/lifecycle/start-container-fails")
def test_failure_on_start_destroys(container: Container) -> None:
    """After a startContainer hook has failed the container is gone."""
    container.hooks(startContainer=[hook("exit 3")])
    container.create()
    fails(container.try_start())
    eventually(lambda: not container.exists(), "the container is gone")


@covers("runtime/lifecycle/poststart-fails")
def test_failure_after_start(container: Container) -> None:
    """A poststart hook that fails makes `start` fail, and the container is stopped."""
    container.hooks(poststart=[hook("exit 3")])
    container.script("exec sleep 1000")
    container.create()
    fails(container.try_start())
    eventually(lambda: not container.alive(), "the container is stopped")


@covers("runtime/lifecycle/poststop-fails")
def test_failure_after_stop(container: Container) -> None:
    """A poststop hook that fails stops neither the hooks after it nor the deletion."""
    container.hooks(poststop=[hook("exit 3"), note(container, "second", "poststop")])
    container.run()
    container.delete()
    assert notes(container) == ["second"]
    assert not container.exists()


@covers("runtime/lifecycle/poststop", "runtime/lifecycle/create-runtime-fails")
def test_poststop_after_a_failed_create(container: Container) -> None:
    """After a failed createRuntime hook the life goes on with destruction, and so with the poststop hooks."""
    container.hooks(createRuntime=[hook("exit 3")], poststop=[note(container, "poststop", "poststop")])
    fails(container.try_create())
    assert notes(container) == ["poststop"]


@covers("config/hooks/timeout")
def test_timeout(container: Container) -> None:
    """A hook that takes longer than its timeout is ended, and has failed."""
    container.hooks(createRuntime=[hook("exec sleep 15", timeout=1)])
    begin = time.monotonic()
    container.refused()
    assert time.monotonic() - begin > 0.9


@covers("config/hooks/timeout")
def test_within_the_timeout(container: Container) -> None:
    """A hook that takes less does not matter."""
    container.hooks(createRuntime=[hook("usleep 50000", timeout=10)])
    container.create()


@pytest.mark.parametrize(
    "entry",
    [
        case(hook("true", timeout=0), covers="config/hooks/timeout/positive", id="timeout 0"),
        case(hook("true", timeout=-1), covers="config/hooks/timeout/positive", id="timeout -1"),
        case(hook("true", path="busybox"), covers="config/hooks/path/absolute", id="relative path"),
        case({"args": ["true"]}, covers="config/hooks/path/present", id="no path"),
        case(
            hook("true", path="/no/such/program"), covers="config/hooks/create-runtime/path", id="no program"
        ),
    ],
)
def test_invalid(container: Container, entry: dict[str, Any]) -> None:
    """A hook that cannot be run is an error."""
    container.hooks(createRuntime=[entry])
    container.refused()
