"""The state: what it holds, at every point of a container's life."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ociconformance.bundle import hook
from ociconformance.container import Container, eventually, fails
from ociconformance.plugin import NewContainer
from ociconformance.runtime import Runtime
from ociconformance.testing import covers
from ocispec.reference import problems


def at_each_stage(container: Container) -> dict[str, dict[str, Any]]:
    """The states of a container that is created, running, and stopped."""
    container.script("exec sleep 1000")
    states = {"created": container.create().state()}
    states["running"] = container.start().state()
    container.kill()
    container.wait()
    states["stopped"] = container.state()
    return states


@covers(
    "runtime/state/status",
    "runtime/state/status-values",
    "runtime/query-state/answers",
    "runtime/scope/creator",
)
def test_status(container: Container) -> None:
    """The status is created, running and stopped in turn."""
    assert {key: state["status"] for key, state in at_each_stage(container).items()} == {
        "created": "created",
        "running": "running",
        "stopped": "stopped",
    }


@covers("runtime/state/id", "runtime/state/bundle", "runtime/state/oci-version")
def test_identity(container: Container) -> None:
    """The state names the container, its bundle by an absolute path, and a version 1 of the specification."""
    for state in at_each_stage(container).values():
        assert state["id"] == container.id
        assert os.path.isabs(state["bundle"]) and Path(state["bundle"]).samefile(container.bundle)
        assert state["ociVersion"].startswith("1.")


@covers("runtime/state/bundle")
def test_bundle_of_a_relative_path(container: Container, runtime: Runtime) -> None:
    """The bundle's path is absolute although `create` was given a relative one."""
    container.write()
    outcome = runtime("create", "--bundle", ".", container.id, cwd=container.bundle)
    assert outcome.status == 0, str(outcome)
    assert container.state()["bundle"] == str(container.bundle)


@covers("runtime/state/pid", "runtime/state/pid-runtime")
def test_pid(container: Container) -> None:
    """The PID of a created and of a running container is that of the process which runs the program."""
    container.script("readlink /proc/self/ns/pid; exec sleep 1000")
    created = container.create().state()["pid"]
    assert Path(f"/proc/{created}").exists()
    running = container.start().state()["pid"]
    assert created == running == container.pid
    eventually(lambda: container.output, "the program runs")
    assert os.readlink(f"/proc/{running}/ns/pid") == container.output


@covers("runtime/state/annotations")
def test_annotations(container: Container) -> None:
    """The state holds the annotations, whatever their keys and values."""
    annotations = {"com.example.key": "value", "com.example.empty": "", "org.example.ünï": 'väl\n"ue'}
    container.config["annotations"] = annotations
    for state in at_each_stage(container).values():
        assert annotations.items() <= state["annotations"].items()


@covers("runtime/state/annotations-absent", "config/annotations/absent", "config/annotations/value-empty")
@pytest.mark.parametrize("annotations", [None, {}, {"com.example.empty": ""}])
def test_no_annotations(container: Container, annotations: dict[str, str] | None) -> None:
    """Without annotations, or with none in the map, or with an empty value, the container runs all the same."""
    if annotations is not None:
        container.config["annotations"] = annotations
    states = at_each_stage(container)
    assert all(
        (annotations or {}).items() <= (state.get("annotations") or {}).items() for state in states.values()
    )


@covers("runtime/state/schema")
def test_schema(container: Container) -> None:
    """The state fits the specification's schema."""
    for name, state in at_each_stage(container).items():
        assert [str(problem) for problem in problems(state, "state")] == [], name


@covers("runtime/state/more-status-values-new")
def test_status_of_what_hooks_see(container: Container) -> None:
    """While a container is being created hooks see `creating` or `created`; afterwards `running` and `stopped`."""
    file = container.bundle / "states"
    kinds = ("createRuntime", "createContainer", "poststart", "poststop")
    container.hooks(
        **{kind: [hook(f'echo "$state" | tr -d "\\n" >> {file}; echo >> {file}')] for kind in kinds}
    )
    container.script("exec sleep 1000")
    container.create().start().kill().wait()
    container.delete()
    seen = [json.loads(line)["status"] for line in file.read_text().splitlines() if line.strip()]
    assert len(seen) == len(kinds)
    assert set(seen[:2]) <= {"creating", "created"} and seen[2:] == ["running", "stopped"], seen


@covers("runtime/query-state/no-id")
def test_no_id(runtime: Runtime) -> None:
    """`state` without an ID fails."""
    fails(runtime("state"))


@covers("runtime/query-state/unknown")
def test_unknown(container: Container) -> None:
    """`state` of a container that there is not, or is no more, fails."""
    fails(container.try_state())
    container.run()
    container.delete()
    fails(container.try_state())


@covers("runtime/state/id-unique")
def test_two_containers(new_container: NewContainer) -> None:
    """Two containers at a time have states of their own."""
    first, second = new_container().sleeps(), new_container().sleeps()
    assert first.state()["id"] != second.state()["id"]
    assert first.state()["pid"] != second.state()["pid"]
    first.kill().wait()
    assert (first.state()["status"], second.state()["status"]) == ("stopped", "running")
