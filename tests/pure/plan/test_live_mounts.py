"""Mounts of a container that lives: the Programs of `mounts add` and `mounts remove`."""

from __future__ import annotations

from typing import Any

import pytest

from stave.errors import ConfigError
from stave.plan.constants import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER
from stave.plan.live_mounts import plan_add, plan_remove
from stave.plan.operations import MOUNT_OPENED, SOURCE_RECURSIVE, SOURCE_SLAVE
from stave.plan.program import Program, encode

from .planning import DESCRIPTORS, MAPPINGS, ROOT, by_name, make_config

BIND = {"destination": "/data", "source": "srv", "options": ["rbind", "ro"]}
TMPFS = {"destination": "/t", "type": "tmpfs", "options": ["ro"]}


def names(program: Program) -> list[str]:
    """The names of the operations of a Program that can be encoded."""
    encode(program, DESCRIPTORS)
    return [operation.name for operation in program]


def add(*mounts: Any, namespaces: int = CLONE_NEWNS | CLONE_NEWNET, config: Any = None) -> Program:
    """The Program that adds mounts."""
    config = config or make_config("mount network")
    return plan_add(list(mounts), config=config, directory="/here", facts=ROOT, namespaces=namespaces)


def test_add() -> None:
    """Sources are seen before the container's mounts are joined, targets after."""
    program = add(BIND, TMPFS)
    assert names(program) == [
        "clone", "wait_for_runtime", "open_source", "set_dumpable", "setns", "bind", "mount", "remount",
        "wait_for_runtime",
    ]  # fmt: skip
    arguments = {operation.name: operation.arguments for operation in program}
    assert arguments["open_source"] == ("/here/srv", "/data", SOURCE_RECURSIVE | SOURCE_SLAVE, None)
    assert arguments["setns"] == ("container", CLONE_NEWNS)
    assert by_name("bind", arguments["bind"])["options"] & MOUNT_OPENED


def test_add_with_a_user_namespace() -> None:
    """It is joined, too: the container's mounts are its root's. Its mappings serve for idmap."""
    mount = {"destination": "/data", "source": "/srv", "options": ["bind", "idmap"]}
    config = make_config("mount user", MAPPINGS)
    program = add(mount, namespaces=CLONE_NEWNS | CLONE_NEWUSER, config=config)
    assert names(program) == [
        "clone", "wait_for_runtime", "make_user_namespace", "open_source", "set_dumpable", "setns", "become_root",
        "bind", "wait_for_runtime",
    ]  # fmt: skip


def test_add_to_proc() -> None:
    """The rules of create hold."""
    with pytest.raises(ConfigError, match=r"^mounts\[1\]\.destination: /proc/sys is part of /proc"):
        add(BIND, {"destination": "/proc/sys", "source": "/srv", "options": ["bind"]})


def test_remove() -> None:
    """Only the destinations matter."""
    program = plan_remove([BIND, TMPFS], facts=ROOT, namespaces=CLONE_NEWNS)  # type: ignore[list-item]
    assert names(program) == ["clone", "set_dumpable", "setns", "unmount", "unmount", "wait_for_runtime"]
    assert [each.arguments for each in program if each.name == "unmount"] == [("/data",), ("/t",)]


@pytest.mark.parametrize("destination", ["/", "/proc", "/proc/kcore", "/x/../proc/sys"])
def test_what_stays(destination: str) -> None:
    """The root, /proc and what hides parts of it are not for removal."""
    with pytest.raises(ConfigError, match=r"^mounts\[0\]\.destination: .* has to stay as it is$"):
        plan_remove([{"destination": destination}], facts=ROOT, namespaces=CLONE_NEWNS)


def test_shared_mounts() -> None:
    """A container that has the host's mounts has none of its own to change."""
    with pytest.raises(ConfigError, match="has no mount namespace of its own"):
        add(BIND, namespaces=CLONE_NEWNET, config=make_config("network"))
    with pytest.raises(ConfigError, match="has no mount namespace of its own"):
        plan_remove([], facts=ROOT, namespaces=CLONE_NEWNET)
