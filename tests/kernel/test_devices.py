"""Devices: the default ones, configured ones, and what is there already. Spec: config-linux.md#devices"""

from __future__ import annotations

import os
import stat

import pytest

from .driver import Container
from .test_user_namespaces import with_user_namespace

DEFAULT = {
    "null": "666 1:3", "zero": "666 1:5", "full": "666 1:7", "random": "666 1:8", "urandom": "666 1:9",
    "tty": "666 5:0",
}  # fmt: skip


@pytest.mark.parametrize("mapped", [False, True])
def test_default_devices(container: Container, mapped: bool) -> None:
    """The default devices and links are there, and work; in a user namespace they are the host's."""
    if mapped:
        with_user_namespace(container)
    said = container.says(
        "cd /dev; for at in null zero full random urandom tty; do stat -c '%n %F %a %t:%T' $at; done;"
        " for at in fd stdin stdout stderr ptmx; do echo $at $(readlink $at); done;"
        " echo x > null; head -c 3 zero | wc -c; head -c 9 urandom | wc -c"
    )
    lines = said.splitlines()
    assert lines[:6] == [f"{name} character special file {text}" for name, text in DEFAULT.items()]
    assert lines[6:] == [
        "fd /proc/self/fd", "stdin /proc/self/fd/0", "stdout /proc/self/fd/1", "stderr /proc/self/fd/2",
        "ptmx pts/ptmx", "3", "9",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 5, "gid": 6}, "character special file 640 5 6 a:e5"),
        ({"type": "u", "major": 1, "minor": 3}, "character special file 666 0 0 1:3"),
        ({"type": "b", "major": 8, "minor": 300_000, "fileMode": 0o600}, "block special file 600 0 0 8:493e0"),
        ({"type": "p"}, "fifo 666 0 0 0:0"),
        ({"type": "p", "fileMode": 0o701, "uid": 7, "gid": 8}, "fifo 701 7 8 0:0"),
    ],
)  # fmt: skip
def test_configured(container: Container, entry: dict[str, object], expected: str) -> None:
    """A device has its type, numbers, mode and owner, whatever the umask; missing directories are made."""
    container.linux["devices"] = [{"path": "/dev/deep/er", **entry}]
    os.umask(0o077)
    try:
        said = container.says("stat -c '%F %a %u %g %t:%T' /dev/deep/er")
    finally:
        os.umask(0o022)
    assert said == expected


def test_outside_dev(container: Container) -> None:
    """A device may lie anywhere in the root file system."""
    container.linux["devices"] = [{"path": "/opt/null", "type": "c", "major": 1, "minor": 3}]
    assert container.says("stat -c %t:%T /opt/null") == "1:3"
    node = (container.rootfs / "opt/null").stat()
    assert stat.S_ISCHR(node.st_mode) and node.st_rdev == os.makedev(1, 3)


def test_default_device_configured(container: Container) -> None:
    """A configured device takes the place of the default one."""
    container.linux["devices"] = [
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600}
    ]
    assert container.says("stat -c %a /dev/null") == "600"


def test_right_node_is_kept(container: Container) -> None:
    """A node that is there and is the right one is left as it is."""
    os.mknod(container.rootfs / "tmp/null", 0o640 | stat.S_IFCHR, os.makedev(1, 3))
    container.linux["devices"] = [{"path": "/tmp/null", "type": "c", "major": 1, "minor": 3}]
    assert container.says("stat -c %t:%T /tmp/null") == "1:3"


@pytest.mark.parametrize("kind", ["number", "type", "file", "link"])
def test_wrong_node(container: Container, kind: str) -> None:
    """Something else of that name is an error, and stays as it is. Spec: config-linux.md#devices"""
    path = container.rootfs / "tmp/null"
    if kind == "file":
        path.write_text("precious")
    elif kind == "link":
        path.symlink_to("/dev/null")
    else:
        number = os.makedev(1, 5 if kind == "number" else 3)
        os.mknod(path, 0o640 | (stat.S_IFCHR if kind == "number" else stat.S_IFBLK), number)
    before = path.lstat()
    container.linux["devices"] = [{"path": "/tmp/null", "type": "c", "major": 1, "minor": 3}]
    line = container.fails()
    assert line.startswith("linux.devices[0]") and line.endswith("/tmp/null: File exists")
    assert path.lstat() == before


def test_no_device_on_this_host(container: Container) -> None:
    """In a user namespace a device is the host's node of the same path, which has to be there."""
    with_user_namespace(container)
    container.linux["devices"] = [{"path": "/dev/nosuch", "type": "c", "major": 1, "minor": 3}]
    line = container.fails()
    assert line.startswith("linux.devices[0]") and line.endswith("/dev/nosuch: No such file or directory")


def test_fifo_in_a_user_namespace(container: Container) -> None:
    """A FIFO is no device: anybody can make one."""
    with_user_namespace(container)
    container.linux["devices"] = [{"path": "/dev/pipe", "type": "p", "uid": 3, "gid": 4}]
    assert container.says("stat -c '%F %u %g' /dev/pipe") == "fifo 3 4"


def test_bound_dev_is_left_alone(container: Container) -> None:
    """Where /dev is a bind nothing is made in it."""
    place = container.bundle / "dev"
    (place / "pts").mkdir(parents=True)
    container.config["mounts"] = [
        each for each in container.config["mounts"] if each["destination"] != "/dev"
    ]
    container.config["mounts"].insert(
        1, {"destination": "/dev", "type": "bind", "source": str(place), "options": ["bind"]}
    )
    container.runs("true")
    container.run()
    assert os.listdir(place) == ["pts"]
