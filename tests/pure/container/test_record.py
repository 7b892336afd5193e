"""Which containers the launcher may answer for: those whose life needs nothing that it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ocispec.defaults import default_config
from stave.cgroups.plan import CgroupPlan
from stave.container.create import initial_state
from stave.container.record import RECORD, is_simple, write_record
from stave.container.state import Container

HOOK = {"path": "/bin/true"}


def state(config: dict[str, Any]) -> dict[str, Any]:
    """The state of a container that `create` has made."""
    plan = CgroupPlan({"": "/sys/fs/cgroup/web"}, [])
    made = initial_state("web", config, "/bundles/web", plan)  # type: ignore[arg-type]
    return {**made, "pid": 4711, "startTime": 99, "ready": True, "namespaces": 0, "startOperations": {}}


def test_ordinary_container() -> None:
    """What `stave spec` asks for is simple: whatever `create` adds to the state of every container, the
    launcher must know, or it is never used again."""
    config: dict[str, Any] = dict(default_config())
    assert is_simple(config, state(config))


@pytest.mark.parametrize("kind", ["startContainer", "poststart", "poststop"])
def test_hooks(kind: str) -> None:
    """A container with a hook that is still to run is not; an empty list is no hook."""
    config: dict[str, Any] = dict(default_config())
    assert not is_simple({**config, "hooks": {kind: [HOOK]}}, state(config))
    assert is_simple({**config, "hooks": {kind: []}}, state(config))


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_hooks_of_create(kind: str) -> None:
    """Hooks that have run when the record is written, as Docker's for the network, are nobody's concern any more."""
    config: dict[str, Any] = dict(default_config())
    assert is_simple({**config, "hooks": {kind: [HOOK]}}, state(config))


def test_bundle_to_be_escaped() -> None:
    """Nor is one whose bundle's path `list` would have to escape."""
    config: dict[str, Any] = dict(default_config())
    for path, simple in (("/bundles/wé b", True), ("/bundles/w\nb", False), ("/bundles/w\udcffb", False)):
        assert is_simple(config, {**state(config), "bundle": path}) is simple


def test_without_process() -> None:
    """Nor is one without anything to start."""
    config: dict[str, Any] = dict(default_config())
    del config["process"]
    assert not is_simple(config, state(config))


def test_unknown_state() -> None:
    """Nor is one whose state holds what the launcher has never heard of, unless it is empty."""
    config: dict[str, Any] = dict(default_config())
    assert not is_simple(config, {**state(config), "novelty": "something"})
    assert is_simple(config, {**state(config), "novelty": ""})


def test_too_many_groups() -> None:
    """Nor is one with more cgroups than fit."""
    config: dict[str, Any] = dict(default_config())
    assert not is_simple(config, {**state(config), "cgroupsMade": [f"/g/{number}" for number in range(70)]})


def test_too_much_to_print(tmp_path: Path) -> None:
    """A state that is too long for the launcher leaves no record."""
    config: dict[str, Any] = dict(default_config())
    container = Container(str(tmp_path), "web", {**state(config), "annotations": {"a": "b" * 70000}})
    Path(container.directory).mkdir()
    container.save()
    write_record(container, config)
    assert not Path(container.directory, RECORD).exists()
