"""Mounts of type "cgroup"."""

from __future__ import annotations

from typing import Any

import pytest

from stave.errors import ConfigError
from stave.host.facts import CgroupLayout, Facts
from stave.plan import constants as c

from .planning import HYBRID, MAPPINGS, V1, V2, by_name, create, make_config

FIXED = c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NODEV | c.MOUNT_ATTR_NOEXEC
PATHS = {name: f"{mount_point}/web" for name, mount_point in V1.v1.items()}
Step = tuple[str, dict[str, Any]]


def steps(layout: CgroupLayout, paths: dict[str, str], namespaces: str, *options: str) -> list[Step]:
    """The operations that one cgroup mount becomes, with named arguments."""
    entry = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": list(options)}
    linux = MAPPINGS if "user" in namespaces.split() else {}
    plan = create(make_config(namespaces, linux, mounts=[entry]), Facts(layout), cgroup_paths=paths)
    own = [each for each in plan.program if each.pointer == "/mounts/0"]
    return [(each.name, by_name(each.name, each.arguments)) for each in own]


@pytest.mark.parametrize("namespaces", ["mount cgroup", "mount cgroup=/proc/7/ns/cgroup"])
def test_v2_with_a_namespace(namespaces: str) -> None:
    """The hierarchy itself is mounted: the namespace hides the rest."""
    ((name, arguments),) = steps(V2, {"": "/sys/fs/cgroup/web"}, namespaces, "ro", "nosuid", "rprivate")
    assert (name, arguments["type"], arguments["source"]) == ("mount", "cgroup2", "cgroup")
    assert arguments["attributes"] == c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NOSUID
    assert arguments["propagation"] == c.MS_PRIVATE | c.MS_REC
    assert arguments["parameters"] == []


def test_v2_without_a_namespace() -> None:
    """The container's own directory is bound, and nothing above it."""
    ((name, arguments),) = steps(V2, {"": "/sys/fs/cgroup/web"}, "mount", "nosuid")
    assert (name, arguments["source"]) == ("bind", "/sys/fs/cgroup/web")
    assert arguments["set"] == c.MOUNT_ATTR_NOSUID


def test_v2_without_a_group() -> None:
    """Without a group of its own the container sees the host's, but cannot write."""
    ((name, arguments),) = steps(V2, {}, "mount")
    assert (name, arguments["source"], arguments["set"]) == ("bind", "/sys/fs/cgroup", c.MOUNT_ATTR_RDONLY)


@pytest.mark.parametrize("layout", [V2, V1, HYBRID])
@pytest.mark.parametrize(("namespaces", "forced"), [("mount user", True), ("mount user cgroup", False)])
def test_user_namespace(layout: CgroupLayout, namespaces: str, forced: bool) -> None:
    """Root in a user namespace cannot write to cgroups of the host's namespace (CVE-2023-25809)."""
    paths = PATHS if layout.v1 else {"": "/sys/fs/cgroup/web"}
    mounts = [each for each in steps(layout, paths, namespaces) if each[0] in ("bind", "mount")]
    mounts = [each for each in mounts if each[1].get("type") != "tmpfs"]
    for name, arguments in mounts:
        bits = arguments["set" if name == "bind" else "attributes"]
        assert bool(bits & c.MOUNT_ATTR_RDONLY) == forced
    assert mounts


def test_v1_without_a_namespace() -> None:
    """A tmpfs holds a bind per hierarchy, named as on the host, and links to the ones that share."""
    made = steps(V1, PATHS, "mount", "nosuid", "ro")
    assert made[0] == (
        "mount",
        {
            "type": "tmpfs",
            "source": "tmpfs",
            "target": "/sys/fs/cgroup",
            "attributes": FIXED,
            "propagation": 0,
            "parameters": ["mode=755"],
            "options": 0,
        },
    )
    binds = [(each["source"], each["target"], each["set"]) for name, each in made if name == "bind"]
    attributes = c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_RDONLY
    assert binds == [
        ("/sys/fs/cgroup/cpu,cpuacct/web", "/sys/fs/cgroup/cpu,cpuacct", attributes),
        ("/sys/fs/cgroup/memory/web", "/sys/fs/cgroup/memory", attributes),
        ("/sys/fs/cgroup/systemd/web", "/sys/fs/cgroup/systemd", attributes),
    ]
    assert [each for name, each in made if name == "make_symlink"] == [
        {"contents": "cpu,cpuacct", "link": "/sys/fs/cgroup/cpu"},
        {"contents": "cpu,cpuacct", "link": "/sys/fs/cgroup/cpuacct"},
    ]
    assert made[-1][0] == "remount"
    assert made[-1][1]["set"] == c.MOUNT_ATTR_RDONLY


def test_v1_writable() -> None:
    """Without "ro" the tmpfs stays writable."""
    assert "remount" not in [name for name, _ in steps(V1, PATHS, "mount")]


def test_v1_with_a_namespace() -> None:
    """Each hierarchy is mounted with its controllers; one without controllers by its name."""
    made = steps(V1, PATHS, "mount cgroup")
    mounts = [(each["target"], each["parameters"]) for _, each in made if each.get("type") == "cgroup"]
    assert mounts == [
        ("/sys/fs/cgroup/cpu,cpuacct", ["cpu", "cpuacct"]),
        ("/sys/fs/cgroup/memory", ["memory"]),
        ("/sys/fs/cgroup/systemd", ["none", "name=systemd"]),
    ]


def test_v1_hierarchies_without_a_group() -> None:
    """They are left out: the directory would be the host's."""
    made = steps(V1, {"memory": "/sys/fs/cgroup/memory/web"}, "mount")
    assert [each["target"] for name, each in made if name == "bind"] == ["/sys/fs/cgroup/memory"]
    assert "make_symlink" not in [name for name, _ in made]


@pytest.mark.parametrize(("namespaces", "operation"), [("mount", "bind"), ("mount cgroup", "mount")])
def test_hybrid(namespaces: str, operation: str) -> None:
    """The unified hierarchy stands beside the others if the container has a group in it."""
    made = steps(HYBRID, {**PATHS, "": "/sys/fs/cgroup/unified/web"}, namespaces)
    assert (made[-1][0], made[-1][1]["target"]) == (operation, "/sys/fs/cgroup/unified")
    targets = [each.get("target") for _, each in steps(HYBRID, PATHS, namespaces)]
    assert "/sys/fs/cgroup/unified" not in targets


def test_no_cgroups() -> None:
    """A machine without cgroup file systems is named as the reason."""
    with pytest.raises(ConfigError, match=r"^mounts\[0\]: no cgroup file system"):
        steps(CgroupLayout(None, {}), {}, "mount")


def test_cgroup2_by_name() -> None:
    """Type "cgroup2" is an ordinary file system."""
    entry = {"destination": "/sys/fs/cgroup", "type": "cgroup2", "source": "cgroup2", "options": ["ro"]}
    plan = create(make_config(mounts=[entry]), Facts(V1), cgroup_paths=PATHS)
    (arguments,) = [each.arguments for each in plan.program if each.name == "mount"]
    assert arguments[:3] == ("cgroup2", "cgroup2", "/sys/fs/cgroup")
