"""The container's root: opened, entered, closed up."""

from __future__ import annotations

import pytest

from stave.errors import ConfigError
from stave.plan import constants as c

from .planning import create, found, in_order, make_config, names, one


@pytest.mark.parametrize(
    ("path", "resolved"),
    [("rootfs", "/bundle/rootfs"), ("/srv/root", "/srv/root"), (".", "/bundle"), ("../r", "/r")],
)
def test_path(path: str, resolved: str) -> None:
    """A relative root counts from the bundle."""
    assert one(create(make_config(root={"path": path})), "open_root")[:2] == (resolved, 1)


@pytest.mark.parametrize(
    ("namespaces", "bind", "enter"),
    [("mount", 1, "pivot_root"), ("mount=/proc/7/ns/mnt", 1, "pivot_root"), ("pid", 0, "change_root")],
)
def test_entering(namespaces: str, bind: int, enter: str) -> None:
    """With mounts of its own the root is pivoted to; without, the host's mounts stay and it is chroot."""
    plan = create(make_config(namespaces))
    assert one(plan, "open_root")[1] == bind
    assert {"pivot_root", "move_root", "change_root"} & set(names(plan)) == {enter}


def test_no_pivot() -> None:
    """On request the root is moved instead."""
    assert {"pivot_root", "move_root"} & set(names(create(make_config(), no_pivot=True))) == {"move_root"}


def test_no_pivot_without_a_mount_namespace() -> None:
    """There is nothing to move then."""
    assert "change_root" in names(create(make_config("pid"), no_pivot=True))


PROPAGATION = {
    "": c.MS_SLAVE,
    "slave": c.MS_SLAVE,
    "rslave": c.MS_SLAVE,
    "private": c.MS_PRIVATE,
    "rprivate": c.MS_PRIVATE,
    "unbindable": c.MS_PRIVATE,
    "runbindable": c.MS_PRIVATE,
    "shared": c.MS_SHARED,
    "rshared": c.MS_SHARED,
}


@pytest.mark.parametrize(("word", "flag"), PROPAGATION.items())
def test_propagation_of_the_hosts_mounts(word: str, flag: int) -> None:
    """The copy of the host's mounts hears from the host but does not answer, unless asked otherwise; it is
    never unbindable, as it could not become a root then."""
    plan = create(make_config(linux={"rootfsPropagation": word} if word else {}))
    assert one(plan, "set_propagation") == (flag | c.MS_REC,)
    assert one(plan, "open_root")[2] == (flag == c.MS_SHARED)
    assert in_order(plan, "set_propagation", "open_root")


@pytest.mark.parametrize(("word", "flag"), c.PROPAGATION.items())
def test_propagation_of_the_root(word: str, flag: int) -> None:
    """The root itself gets the configured one once it is the root."""
    plan = create(make_config(linux={"rootfsPropagation": word}))
    assert one(plan, "set_root") == (0, flag)
    assert in_order(plan, "pivot_root", "set_root")


def test_a_joined_mount_namespace_keeps_its_propagation() -> None:
    """It belongs to others; but the mount that holds the root may be shared, and then no root can be made of it."""
    plan = create(make_config("mount=/proc/7/ns/mnt"))
    assert not {"set_propagation", "set_root"} & set(names(plan))
    assert one(plan, "open_root")[2] == 1


def test_read_only() -> None:
    """The root turns read-only last, when all that needs a place to mount on is done."""
    linux = {"maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"]}
    plan = create(make_config(linux=linux, root={"path": "rootfs", "readonly": True}))
    assert one(plan, "set_root") == (c.MOUNT_ATTR_RDONLY, c.MS_PRIVATE)
    assert in_order(plan, "pivot_root", "mask_path", "make_readonly", "set_root", "new_session")


def test_read_only_with_propagation() -> None:
    """One operation does both."""
    config = make_config(linux={"rootfsPropagation": "rshared"}, root={"path": "rootfs", "readonly": True})
    assert one(create(config), "set_root") == (c.MOUNT_ATTR_RDONLY, c.MS_SHARED | c.MS_REC)


def test_root_without_propagation() -> None:
    """The root itself does not hear from the host, unless that is asked for."""
    assert one(create(make_config()), "set_root") == (0, c.MS_PRIVATE)


@pytest.mark.parametrize(
    ("members", "linux", "pointer"),
    [
        ({"root": {"path": "r", "readonly": True}}, {}, r"root\.readonly"),
        ({}, {"rootfsPropagation": "private"}, r"linux\.rootfsPropagation"),
    ],
)
def test_the_hosts_root(members: dict[str, object], linux: dict[str, object], pointer: str) -> None:
    """Without a mount namespace the mount of the root is the host's, and is not changed."""
    with pytest.raises(ConfigError, match=rf"^{pointer}: needs a mount namespace$"):
        create(make_config("pid", linux, **members))


def test_masked_and_read_only_paths() -> None:
    """They are cleaned, in their order, and each names its entry."""
    linux = {"maskedPaths": ["/proc/kcore", "/proc//keys/"], "readonlyPaths": ["/proc/sys", "/a/../proc/bus"]}
    plan = create(make_config(linux=linux))
    assert found(plan, "mask_path") == [("/proc/kcore", None), ("/proc/keys", None)]
    assert found(plan, "make_readonly") == [("/proc/sys",), ("/proc/bus",)]
    pointers = [each.pointer for each in plan.program if each.name in ("mask_path", "make_readonly")]
    assert pointers == [
        "/linux/maskedPaths/0", "/linux/maskedPaths/1", "/linux/readonlyPaths/0", "/linux/readonlyPaths/1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("member", "operation"), [("hostname", "set_hostname"), ("domainname", "set_domainname")]
)
def test_names(member: str, operation: str) -> None:
    """Host and domain name are set; an empty one leaves the namespace's."""
    config = make_config("uts mount")
    assert one(create({**config, member: "box"}), operation) == ("box",)
    assert operation not in names(create({**config, member: ""}))


def test_sysctl() -> None:
    """Kernel parameters are written as paths below /proc/sys, before /proc/sys may turn read-only."""
    sysctls = {"net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.7/forwarding": "0", "kernel.shmmax": "7"}
    plan = create(make_config("network ipc mount", {"sysctl": sysctls, "readonlyPaths": ["/proc/sys"]}))
    assert found(plan, "write_sysctl") == [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/eth0.7/forwarding", "0"),
        ("kernel/shmmax", "7"),
    ]
    assert in_order(plan, "pivot_root", "write_sysctl", "make_readonly")
    pointers = [each.pointer for each in plan.program if each.name == "write_sysctl"]
    assert pointers[:2] == [
        "/linux/sysctl/net.ipv4.ip_forward",
        "/linux/sysctl/net~1ipv4~1conf~1eth0.7~1forwarding",
    ]


@pytest.mark.parametrize(("cwd", "made"), [("/a/b", "/a/b"), ("/a//b/../c/", "/a/c"), ("/a", "/a")])
def test_working_directory(cwd: str, made: str) -> None:
    """It is made where it is missing, while the root is still writable, and entered as it is written."""
    config = make_config(root={"path": "rootfs", "readonly": True})
    config["process"]["cwd"] = cwd
    plan = create(config)
    assert one(plan, "make_directory") == (made, 0o755)
    assert one(plan, "change_directory")[0] == cwd
    assert in_order(plan, "pivot_root", "make_directory", "set_root", "set_user", "change_directory")


def test_the_root_as_working_directory() -> None:
    """It is there already."""
    assert "make_directory" not in names(create(make_config()))
