"""Which mounts criu is told of."""

from __future__ import annotations

import pytest

pytest.importorskip("stave.native._native", reason="the compiled module is not built")

from stave.container.external_mounts import External, decide, mount_points
from stave.plan.program import Operation

# The container's file system: path without links, and whether it is a directory.
PLACES = {
    "/data": ("/data", True),
    "/var/run/x": ("/run/x", True),
    "/data/own": ("/data/own", True),
    "/proc/kcore": ("/proc/kcore", False),
    "/sys/firmware": ("/sys/firmware", True),
    "/dev/null": ("/dev/null", False),
    "/proc": ("/proc", True),
}


def bind(source: str, target: str) -> Operation:
    """A bind as the planner makes it."""
    return Operation("bind", "", (source, target, 0, 0, 0, 0, 0, 0))


def decided(*operations: Operation, targets: tuple[str, ...] = ()) -> list[External]:
    """What criu is told of these operations."""
    return decide(operations, targets, PLACES.get)


def test_binds() -> None:
    """A bind goes by its target without links; one that is not there any more is left out."""
    assert decided(bind("/srv", "/var/run/x"), bind("/srv", "/gone")) == [
        External("/run/x", "/run/x", "/srv")
    ]


def test_what_a_recursive_bind_brings_along() -> None:
    """Mounts below the source are external too, but not what the configuration mounts there."""
    own = Operation("mount", "", ("tmpfs", "tmpfs", "/data/own", 0, 0, [], 0))
    found = decided(
        bind("/srv", "/data"), own, targets=("/", "/data", "/data/sub/x", "/data/own", "/database")
    )
    assert found == [External("/data", "/data", "/srv"), External("/data/sub/x", "/data/sub/x", "/srv/sub/x")]


def test_masks_and_nodes() -> None:
    """A masked file shows the host's /dev/null, a masked directory nothing of the host's; nodes show themselves."""
    masks = [Operation("mask_path", "", (path, None)) for path in ("/proc/kcore", "/sys/firmware", "/none")]
    node = Operation("bind_node", "", ("/dev/null", "/dev/null"))
    assert decided(*masks, node) == [
        External("/proc/kcore", "/dev/null", "/dev/null"),
        External("/dev/null", "/dev/null", "/dev/null"),
    ]


def test_nothing_else() -> None:
    """File systems of the container's own are criu's business, and no operation without a target is one."""
    mount = Operation("mount", "", ("proc", "proc", "/proc", 0, 0, [], 0))
    assert decided(mount, Operation("pivot_root", "", ())) == []


def test_mount_points() -> None:
    """Mount points with spaces and backslashes come out as they are."""
    line = "36 35 98:0 /mnt1 {} rw,noatime master:1 - ext3 /dev/root rw\n"
    text = line.format("/a\\040b") + line.format("/c\\134d") + line.format("/")
    assert mount_points(text) == ["/a b", "/c\\d", "/"]
