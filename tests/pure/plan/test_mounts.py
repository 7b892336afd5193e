"""The configured mounts."""

from __future__ import annotations

from typing import Any

import pytest

from stave.errors import ConfigError
from stave.host.facts import Facts
from stave.plan import constants as c
from stave.plan.mounts import ON_PROC
from stave.plan.operations import (
    MOUNT_COPY_UP,
    MOUNT_KEEP_MODE,
    MOUNT_ON_PROC,
    MOUNT_OPENED,
    MOUNT_REAL_TARGET,
    MOUNT_RECURSIVE,
)
from stave.plan.result import Plan

from .planning import MAPPINGS, ROOT, V2, by_name, create, found, in_order, make_config, one


def plan_mounts(*mounts: dict[str, Any], namespaces: str = "mount", **linux: Any) -> Plan:
    """The plan of a container with these mounts."""
    return create(make_config(namespaces, linux, mounts=list(mounts)))


def mount(kind: str, destination: str, *options: str, source: str = "") -> dict[str, Any]:
    """The named arguments of the operation that carries out one such mount."""
    entry: dict[str, Any] = {"destination": destination, "options": list(options)}
    entry |= {"type": kind} if kind else {}
    entry |= {"source": source} if source else {}
    plan = plan_mounts(entry)
    (operation,) = [each for each in plan.program if each.pointer == "/mounts/0"]
    return {"name": operation.name, **by_name(operation.name, operation.arguments)}


def test_a_file_system() -> None:
    """Attributes are the mount's, all other words the file system's."""
    assert mount("tmpfs", "/tmp", "nosuid", "strictatime", "mode=755", "size=64k", source="tmpfs") == {
        "name": "mount",
        "type": "tmpfs",
        "source": "tmpfs",
        "target": "/tmp",
        "attributes": c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_STRICTATIME,
        "propagation": 0,
        "parameters": ["mode=755", "size=64k"],
        "options": 0,
    }


@pytest.mark.parametrize("kind", ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "overlay", "cgroup2", "ext4"])
def test_types(kind: str) -> None:
    """The type is the kernel's word, whatever it is."""
    arguments = mount(kind, "/x", source="dev")
    assert (arguments["name"], arguments["type"], arguments["source"]) == ("mount", kind, "dev")


def test_no_source() -> None:
    """A file system without a source has the name that mount(8) gives it."""
    assert mount("tmpfs", "/tmp")["source"] == "none"


def test_order() -> None:
    """Mounts happen in the order in which they are listed, before devices and after the root is opened."""
    plan = plan_mounts(
        {"destination": "/a", "type": "tmpfs"},
        {"destination": "/a/b", "type": "bind", "source": "/srv"},
        {"destination": "/a/b/c", "type": "ramfs"},
    )
    pointers = [each.pointer for each in plan.program if each.pointer.startswith("/mounts/")]
    assert pointers == ["/mounts/0", "/mounts/1", "/mounts/2"]
    assert in_order(plan, "open_root", "mount", "bind", "mount", "make_node", "pivot_root")


def test_sources_with_a_user_namespace() -> None:
    """The runtime opens the sources of binds, in their order and before any mount is made."""
    mounts = [
        {"destination": "/a", "type": "bind", "source": "/srv", "options": ["rbind"]},
        {"destination": "/t", "type": "tmpfs"},
        {"destination": "/b", "type": "bind", "source": "file"},
    ]
    plan = create(make_config("mount user", mounts=mounts, linux=MAPPINGS))
    opened = [(each.pointer, each.arguments) for each in plan.program if each.name == "open_source"]
    assert opened == [("/mounts/0", ("/srv", "/a", 1, None)), ("/mounts/2", ("/bundle/file", "/b", 0, None))]
    assert in_order(
        plan, "open_root", "wait_for_runtime", "open_source", "open_source", "bind", "mount", "bind"
    )
    binds = [by_name("bind", each.arguments) for each in plan.program if each.name == "bind"]
    assert all(each["options"] & MOUNT_OPENED for each in binds[:2])


@pytest.mark.parametrize(
    ("namespaces", "facts"), [("mount", ROOT), ("user", ROOT), ("mount user", Facts(V2, rootless=True))]
)
def test_sources_opened_in_the_container(namespaces: str, facts: Facts) -> None:
    """Where the runtime has no more rights than the container, the container opens them itself."""
    mounts = [{"destination": "/a", "type": "bind", "source": "/srv"}]
    plan = create(make_config(namespaces, mounts=mounts, linux=MAPPINGS), facts=facts)
    assert not found(plan, "open_source")


@pytest.mark.parametrize(
    ("destination", "target"),
    [
        ("/data", "/data"),
        ("data", "/data"),
        ("/data/", "/data"),
        ("//data//x", "/data/x"),
        ("/a/../data", "/data"),
        ("../../data", "/data"),
        ("/../..", "/"),
        ("./data/.", "/data"),
    ],
)
def test_destination(destination: str, target: str) -> None:
    """It counts from the container's root, relative or not, and never climbs out of it."""
    assert mount("tmpfs", destination)["target"] == target


@pytest.mark.parametrize(
    ("source", "resolved"),
    [
        ("/srv", "/srv"),
        ("data", "/bundle/data"),
        ("./data", "/bundle/data"),
        ("../data", "/data"),
        ("/srv/../x", "/srv/../x"),
    ],
)
def test_bind_source(source: str, resolved: str) -> None:
    """A relative source counts from the bundle; an absolute one is left to the kernel."""
    assert mount("bind", "/data", source=source)["source"] == resolved


@pytest.mark.parametrize(
    ("kind", "words", "flags"),
    [
        ("bind", [], 0),
        ("", ["bind"], 0),
        ("none", ["bind"], 0),
        ("tmpfs", ["bind"], 0),
        ("", ["rbind"], MOUNT_RECURSIVE),
        ("bind", ["rbind"], MOUNT_RECURSIVE),
        ("bind", ["rprivate"], 0),
    ],
)
def test_binds(kind: str, words: list[str], flags: int) -> None:
    """A mount is a bind if its type or one of its options says so; only rbind is recursive."""
    arguments = mount(kind, "/data", *words, source="/srv")
    assert (arguments["name"], arguments["options"]) == ("bind", flags)


def test_bind_attributes() -> None:
    """What the options do not mention stays as it is at the source."""
    arguments = mount("bind", "/data", "rbind", "ro", "suid", "rnodev", "rexec", source="/srv")
    assert arguments["set"] == c.MOUNT_ATTR_RDONLY
    assert arguments["clear"] == c.MOUNT_ATTR_NOSUID
    assert arguments["recursive_set"] == c.MOUNT_ATTR_NODEV
    assert arguments["recursive_clear"] == c.MOUNT_ATTR_NOEXEC


def test_bind_with_words_of_a_file_system() -> None:
    """They mean nothing to a bind and are ignored."""
    arguments = mount("", "/data", "bind", "mode=755", "size=1k", source="/srv")
    assert (arguments["name"], arguments["set"], arguments["clear"]) == ("bind", 0, 0)


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
@pytest.mark.parametrize(("word", "flag"), c.PROPAGATION.items())
def test_propagation(kind: str, word: str, flag: int) -> None:
    """Every propagation word goes with every kind of mount."""
    assert mount(kind, "/data", word, source="/srv")["propagation"] == flag


def test_bind_without_source() -> None:
    """It is refused by name."""
    with pytest.raises(ConfigError, match=r"^mounts\[0\]\.source: missing"):
        plan_mounts({"destination": "/data", "options": ["rbind"]})


def test_neither_type_nor_bind() -> None:
    """There is nothing to mount, and the message says what was looked for."""
    with pytest.raises(ConfigError, match=r"^mounts\[0\]\.type: missing, and neither bind nor rbind"):
        plan_mounts({"destination": "/data", "source": "/srv"})


def test_recursive_attributes_of_a_new_mount() -> None:
    """Nothing lies below it yet, so they are its own."""
    assert mount("proc", "/x", "rro", "rnosuid")["attributes"] == c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NOSUID


@pytest.mark.parametrize(("kind", "parameters"), [("ext4", ["ro", "noload"]), ("sysfs", ["noload"])])
def test_read_only_file_systems(kind: str, parameters: list[str]) -> None:
    """One on a device must not be written to by the kernel either; the kernel's own need no such word."""
    arguments = mount(kind, "/x", "ro", "noload", source="/dev/vdb")
    assert arguments["attributes"] == c.MOUNT_ATTR_RDONLY
    assert arguments["parameters"] == parameters


@pytest.mark.parametrize(("kind", "target"), [("tmpfs", "/run"), ("tmpfs", "/dev"), ("devtmpfs", "/dev")])
@pytest.mark.parametrize("word", ["ro", "rro"])
def test_read_only_once_filled(kind: str, target: str, word: str) -> None:
    """A tmpfs, and /dev, is writable until mounts, devices and the working directory are in place."""
    plan = plan_mounts({"destination": target, "type": kind, "options": [word, "nosuid"]})
    assert by_name("mount", one(plan, "mount"))["attributes"] == c.MOUNT_ATTR_NOSUID
    assert by_name("remount", one(plan, "remount")) == {
        "target": target,
        "set": c.MOUNT_ATTR_RDONLY,
        "clear": 0,
        "propagation": 0,
        "parameters": [],
        "options": 0,
    }
    assert in_order(plan, "mount", "make_node", "pivot_root", "remount", "new_session")


@pytest.mark.parametrize("cover", ["/a/run", "/a"])
def test_read_only_before_it_is_covered(cover: str) -> None:
    """What a later mount hides is made read-only before that: its path leads to the later one from then on."""
    plan = plan_mounts(
        {"destination": "/a/run", "type": "tmpfs", "options": ["ro"]},
        {"destination": "/a/run/below", "type": "tmpfs"},
        {"destination": cover, "type": "tmpfs"},
    )
    names = [operation.name for operation in plan.program.operations]
    last = max(index for index, name in enumerate(names) if name == "mount")
    assert names.count("remount") == 1 and names.index("remount") == last - 1


def test_remount() -> None:
    """It changes what the options mention, of the mount and of its file system."""
    assert mount("tmpfs", "/tmp", "remount", "ro", "exec", "size=1m", "private") == {
        "name": "remount",
        "target": "/tmp",
        "set": c.MOUNT_ATTR_RDONLY,
        "clear": c.MOUNT_ATTR_NOEXEC,
        "propagation": c.MS_PRIVATE,
        "parameters": ["size=1m"],
        "options": 0,
    }


def test_remount_of_a_bind() -> None:
    """It changes the mount alone."""
    arguments = mount("", "/tmp", "bind", "remount", "ro", "size=1m", source="/tmp")
    assert (arguments["name"], arguments["parameters"]) == ("remount", [])


def test_recursive_remount() -> None:
    """There is none: it is refused rather than done by half."""
    with pytest.raises(ConfigError, match=r"^mounts\[0\]\.options: a remount changes one mount"):
        plan_mounts({"destination": "/tmp", "type": "tmpfs", "options": ["remount", "rro"]})


@pytest.mark.parametrize("kind", ["proc", "sysfs"])
def test_no_links_to_proc_and_sys(kind: str) -> None:
    """A link in their place would let the image choose what is masked later."""
    assert mount(kind, "/somewhere")["options"] & MOUNT_REAL_TARGET


def test_proc() -> None:
    """A procfs may be mounted on /proc, even over another."""
    assert mount("proc", "/proc", source="proc")["options"] == MOUNT_REAL_TARGET | MOUNT_ON_PROC


@pytest.mark.parametrize("source", ["/proc", "/proc/", "//proc/."])
def test_the_hosts_proc(source: str) -> None:
    """It may be bound on /proc: so containers in the host's pid namespace see its processes."""
    assert mount("bind", "/proc", "rbind", source=source)["options"] & MOUNT_REAL_TARGET


@pytest.mark.parametrize("destination", ["/proc", "proc", "/proc/", "/x/../proc", "/proc/."])
@pytest.mark.parametrize(
    ("kind", "source"), [("tmpfs", "tmpfs"), ("bind", "/srv"), ("bind", "/proc/1"), ("sysfs", "")]
)
def test_nothing_else_on_proc(destination: str, kind: str, source: str) -> None:
    """Whoever replaces /proc decides what the runtime writes to (CVE-2019-16884, CVE-2019-19921)."""
    with pytest.raises(ConfigError, match=r"^mounts\[0\]\.destination: only a procfs"):
        mount(kind, destination, source=source)


@pytest.mark.parametrize("path", sorted(ON_PROC))
def test_allowed_below_proc(path: str) -> None:
    """Files that tell of the machine may be replaced, as lxcfs does."""
    assert mount("bind", path, source="/var/lib/lxcfs/file")["options"] == MOUNT_ON_PROC


@pytest.mark.parametrize(
    "path",
    ["/proc/self", "/proc/sys", "/proc/sys/kernel/core_pattern", "/proc/1/attr", "/proc/net", "/proc/x"],
)
@pytest.mark.parametrize("kind", ["bind", "tmpfs", "proc"])
def test_refused_below_proc(kind: str, path: str) -> None:
    """Everything else below /proc is refused, with the path that was meant."""
    with pytest.raises(ConfigError, match=rf"^mounts\[0\]\.destination: {path} is part of /proc"):
        mount(kind, path, source="/proc")


@pytest.mark.parametrize(
    "path", ["/process", "/procfs", "/a/proc", "/a/proc/self", "/sys/fs/bpf", "/sys/kernel"]
)
def test_like_proc_but_not(path: str) -> None:
    """Paths that only look like /proc, and those below /sys, are ordinary."""
    assert mount("ramfs", path)["options"] == 0


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ([], MOUNT_KEEP_MODE),
        (["mode=755"], 0),
        (["size=1m", "mode=0700"], 0),
        (["tmpcopyup"], MOUNT_KEEP_MODE | MOUNT_COPY_UP),
        (["mode=755,tmpcopyup"], MOUNT_COPY_UP),
    ],
)
def test_tmpfs_over_a_directory(options: list[str], flags: int) -> None:
    """A tmpfs without a mode of its own takes that of its target, and with tmpcopyup its contents too."""
    assert mount("tmpfs", "/data", *options)["options"] == flags


def test_copy_up_of_another_file_system() -> None:
    """Only a tmpfs can begin as a copy."""
    with pytest.raises(ConfigError, match=r"^mounts\[0\]\.options: tmpcopyup"):
        mount("ramfs", "/data", "tmpcopyup")


@pytest.mark.parametrize("namespaces", ["user mount", "user mount network=/run/netns/a"])
def test_sysfs_with_the_hosts_network(namespaces: str) -> None:
    """A new user namespace may not mount a sysfs that shows a network it does not own: it gets the host's,
    read-only all the way down."""
    entry = {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "rslave"]}
    plan = plan_mounts(entry, namespaces=namespaces, **MAPPINGS)
    assert by_name("bind", next(each.arguments for each in plan.program if each.name == "bind")) == {
        "source": "/sys",
        "target": "/sys",
        "set": 0,
        "clear": 0,
        "recursive_set": c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NOSUID,
        "recursive_clear": 0,
        "propagation": c.MS_SLAVE | c.MS_REC,
        "options": MOUNT_RECURSIVE | MOUNT_REAL_TARGET,
    }


@pytest.mark.parametrize("namespaces", ["user mount network", "mount", "user=/proc/7/ns/user mount"])
def test_sysfs_otherwise(namespaces: str) -> None:
    """Whoever owns the network namespace mounts sysfs."""
    entry = {"destination": "/sys", "type": "sysfs", "source": "sysfs"}
    maps = MAPPINGS if namespaces.startswith("user ") else {}
    assert one(plan_mounts(entry, namespaces=namespaces, **maps), "mount")[0] == "sysfs"
