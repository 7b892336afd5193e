"""Devices and links in /dev."""

from __future__ import annotations

from typing import Any

import pytest

from stave.host.facts import Facts

from .planning import MAPPINGS, V2, create, found, in_order, make_config, names

DEFAULTS = {
    "/dev/null": (1, 3),
    "/dev/zero": (1, 5),
    "/dev/full": (1, 7),
    "/dev/random": (1, 8),
    "/dev/urandom": (1, 9),
    "/dev/tty": (5, 0),
}
LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
    "/dev/ptmx": "pts/ptmx",
}
NODE = {"path": "/dev/x", "type": "c", "major": 10, "minor": 229}


def nodes(
    *devices: dict[str, Any], namespaces: str = "mount", facts: Facts | None = None
) -> list[tuple[Any, ...]]:
    """The nodes that are made for linux.devices, without the default ones."""
    linux = {"devices": list(devices), **(MAPPINGS if "user" in namespaces.split() else {})}
    plan = create(make_config(namespaces, linux), facts or Facts(V2))
    return [each.arguments for each in plan.program if each.pointer.startswith("/linux/devices/")]


@pytest.mark.parametrize(("path", "numbers"), DEFAULTS.items())
def test_default_devices(path: str, numbers: tuple[int, int]) -> None:
    """They are character devices that anybody may use, owned by root."""
    assert (path, 0o020666, *numbers, 0, 0) in found(create(make_config()), "make_node")


def test_no_other_defaults() -> None:
    """Nothing is made that the specification does not list."""
    plan = create(make_config())
    assert [arguments[0] for arguments in found(plan, "make_node")] == list(DEFAULTS)
    assert {link: contents for contents, link in found(plan, "make_symlink")} == LINKS


@pytest.mark.parametrize(("kind", "mode"), [("c", 0o020666), ("u", 0o020666), ("b", 0o060666)])
def test_types(kind: str, mode: int) -> None:
    """Character (unbuffered or not) and block devices have their numbers; anybody may use them."""
    assert nodes({**NODE, "type": kind}) == [("/dev/x", mode, 10, 229, 0, 0)]


def test_fifo() -> None:
    """A FIFO has no numbers."""
    assert nodes({"path": "/dev/pipe", "type": "p"}) == [("/dev/pipe", 0o010666, 0, 0, 0, 0)]


def test_mode_and_owner() -> None:
    """They are as configured; type bits in fileMode, which some callers copy from stat, count for nothing."""
    device = {**NODE, "fileMode": 0o060640, "uid": 1000, "gid": 6}
    assert nodes(device) == [("/dev/x", 0o020640, 10, 229, 1000, 6)]


def test_mode_of_nothing() -> None:
    """A mode of 0 is a mode."""
    assert nodes({**NODE, "fileMode": 0})[0][1] == 0o020000


@pytest.mark.parametrize("path", ["/dev/null", "/dev/./null", "dev/null", "/dev//null"])
def test_configured_default(path: str) -> None:
    """A default device that is configured is made once, as configured."""
    plan = create(make_config(linux={"devices": [{"path": path, "type": "c", "major": 7, "minor": 8}]}))
    made = [arguments for arguments in found(plan, "make_node") if arguments[0] == "/dev/null"]
    assert made == [("/dev/null", 0o020666, 7, 8, 0, 0)]


@pytest.mark.parametrize("link", LINKS)
def test_configured_link(link: str) -> None:
    """A device takes the place of the link of that name."""
    plan = create(make_config(linux={"devices": [{**NODE, "path": link}]}))
    assert link not in [name for _, name in found(plan, "make_symlink")]
    assert link in [arguments[0] for arguments in found(plan, "make_node")]


@pytest.mark.parametrize(
    ("namespaces", "facts"),
    [
        ("user mount", Facts(V2)),
        ("user=/proc/7/ns/user mount", Facts(V2)),
        ("mount", Facts(V2, rootless=True)),
    ],
)
def test_without_the_right_to_make_devices(namespaces: str, facts: Facts) -> None:
    """In a user namespace the host's devices are bound; a FIFO can be made anywhere."""
    assert nodes(NODE, {"path": "/dev/p", "type": "p"}, namespaces=namespaces, facts=facts) == [
        ("/dev/x", "/dev/x"),
        ("/dev/p", 0o010666, 0, 0, 0, 0),
    ]
    linux = MAPPINGS if "user" in namespaces.split() else {}
    plan = create(make_config(namespaces, linux), facts)
    assert found(plan, "bind_node") == [(path, path) for path in DEFAULTS]
    assert found(plan, "make_node") == []


@pytest.mark.parametrize(
    "entry",
    [
        {"destination": "/dev", "type": "bind", "source": "/dev"},
        {"destination": "/dev/", "source": "/dev", "options": ["rbind"]},
        {"destination": "dev", "source": "/dev", "options": ["ro,bind"]},
    ],
)
def test_the_hosts_dev(entry: dict[str, Any]) -> None:
    """Where /dev is bound from the host nothing is made in it: it would be made on the host."""
    plan = create(make_config(linux={"devices": [NODE]}, mounts=[entry]))
    assert not {"make_node", "make_symlink", "bind_node"} & set(names(plan))


def test_a_dev_of_its_own() -> None:
    """Any other mount on /dev is filled, after it was made."""
    plan = create(make_config(mounts=[{"destination": "/dev", "type": "tmpfs"}]))
    assert in_order(plan, "mount", "make_node", "make_symlink", "pivot_root")
