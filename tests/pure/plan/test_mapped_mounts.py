"""Mounts whose files show other owners: idmap and ridmap."""

from __future__ import annotations

from typing import Any

import pytest

from stave.errors import ConfigError
from stave.host.facts import Facts
from stave.plan.operations import (
    MOUNT_COPY_LINK,
    MOUNT_KEEP_MODE,
    MOUNT_LINK_SOURCE,
    MOUNT_LINK_TARGET,
    MOUNT_MAPPED,
    MOUNT_OPENED,
    SOURCE_LINK,
    SOURCE_MAP_ALL,
    SOURCE_RECURSIVE,
)
from stave.plan.result import Plan

from .planning import MAPPINGS, V2, by_name, create, found, in_order, make_config, one


def mapping(*lines: tuple[int, int, int]) -> list[dict[str, int]]:
    """Mappings as config.json writes them."""
    return [{"containerID": inside, "hostID": outside, "size": size} for inside, outside, size in lines]


def bind(*options: str, destination: str = "/data", **members: Any) -> dict[str, Any]:
    """A bind mount of /srv."""
    return {"destination": destination, "source": "/srv", "options": list(options), **members}


def planned(*mounts: dict[str, Any], namespaces: str = "mount", linux: Any = None, **arguments: Any) -> Plan:
    """The plan of a container with these mounts."""
    return create(make_config(namespaces, linux or {}, mounts=list(mounts)), **arguments)


OWN: dict[str, Any] = {
    "uidMappings": mapping((0, 1000, 10)),
    "gidMappings": mapping((0, 2000, 10), (10, 5, 1)),
}


def test_mapping_of_the_mount() -> None:
    """A user namespace is made for it, the runtime opens and maps the source, the container attaches it."""
    plan = planned(bind("bind", "idmap", **OWN))
    assert one(plan, "make_user_namespace") == ("ids/0", "0 1000 10\n", "0 2000 10\n10 5 1\n")
    assert one(plan, "open_source") == ("/srv", "/data", 0, "ids/0")
    assert by_name("bind", one(plan, "bind"))["options"] == MOUNT_OPENED
    assert in_order(
        plan, "clone", "open_root", "wait_for_runtime", "make_user_namespace", "open_source", "bind"
    )


@pytest.mark.parametrize(
    ("options", "bits"),
    [
        (("bind", "idmap"), 0),
        (("rbind", "idmap"), SOURCE_RECURSIVE),
        (("rbind", "ridmap"), SOURCE_RECURSIVE | SOURCE_MAP_ALL),
        (("rbind",), SOURCE_RECURSIVE),
    ],
)
def test_depth(options: tuple[str, ...], bits: int) -> None:
    """ridmap maps the tree, idmap its top; mappings without a word are like idmap."""
    assert one(planned(bind(*options, **OWN)), "open_source")[2] == bits


def test_equal_mappings() -> None:
    """Mounts with the same mapping share a user namespace."""
    other: dict[str, Any] = {"uidMappings": mapping((0, 7, 1)), "gidMappings": mapping((0, 7, 1))}
    plan = planned(
        bind("bind", "idmap", destination="/a", **OWN),
        bind("bind", "idmap", destination="/b", **other),
        bind("bind", "idmap", destination="/c", **OWN),
    )
    assert [arguments[0] for arguments in found(plan, "make_user_namespace")] == ["ids/0", "ids/1"]
    assert [arguments[3] for arguments in found(plan, "open_source")] == ["ids/0", "ids/1", "ids/0"]


def test_mapping_of_the_container() -> None:
    """Without one of its own a mount has that of the container's user namespace."""
    plan = planned(
        bind("bind", "idmap"), bind("bind", destination="/e"), namespaces="mount user", linux=MAPPINGS
    )
    assert one(plan, "make_user_namespace")[1:] == ("0 1000 1\n1 5000 9\n", "0 2000 1\n1 6000 9\n")
    assert [arguments[3] for arguments in found(plan, "open_source")] == ["ids/0", None]


def test_joined_user_namespace() -> None:
    """One that is joined is taken itself: its mappings are known to the kernel alone."""
    plan = planned(bind("bind", "idmap"), namespaces="mount user=/ns/user")
    assert found(plan, "make_user_namespace") == []
    assert one(plan, "open_source")[3] == "ns/user"


@pytest.mark.parametrize(
    ("option", "maps"),
    [
        ("idmap=uids=0-1-10;gids=5-6-7", ("0 1 10\n", "5 6 7\n")),
        ("idmap=uids=0-1-10#10-11-10;gids=0-100-10", ("0 1 10\n10 11 10\n", "0 100 10\n")),
        ("idmap=uids=@1-3-5;gids=@0-0-1", ("1 5002 5\n", "0 2000 1\n")),
    ],
)
def test_mapping_in_the_option(option: str, maps: tuple[str, str]) -> None:
    """crun's form: ranges after the word, relative to the container's mappings after "@"."""
    plan = planned(bind("bind", option), namespaces="mount user", linux=MAPPINGS)
    assert one(plan, "make_user_namespace")[1:] == maps


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("idmap=uids=0-1-10", "idmap needs uidMappings and gidMappings"),
        ("idmap=pids=0-1-10;gids=0-1-1", "idmap takes uids= and gids="),
        ("idmap=uids=0-1;gids=0-1-1", "idmap takes ranges such as"),
        ("idmap=uids=0--1-1;gids=0-1-1", "idmap takes ranges such as"),
        ("idmap=uids=@0-3-10;gids=0-1-1", "no single mapping of the container's user namespace holds"),
    ],
)
def test_wrong_mapping_in_the_option(option: str, reason: str) -> None:
    """What is no mapping is refused where it stands."""
    with pytest.raises(ConfigError, match=rf"^mounts\[0\]\.options: .*{reason}"):
        planned(bind("bind", option), namespaces="mount user", linux=MAPPINGS)


def test_no_mapping() -> None:
    """There has to be one."""
    with pytest.raises(ConfigError, match=r"^mounts\[0\]\.options: idmap needs"):
        planned(bind("bind", "idmap"))


def test_without_roots_power() -> None:
    """The kernel lets only the owner of a file system map its ids."""
    with pytest.raises(ConfigError, match=r"^mounts\[0\]\.options: .* root's power on the host$"):
        planned(bind("bind", "idmap", **OWN), facts=Facts(V2, rootless=True))


@pytest.mark.parametrize("option", ["copy-symlink", "src-nofollow", "dest-nofollow"])
def test_links_of_binds_only(option: str) -> None:
    """A new file system has no source that could be a link."""
    with pytest.raises(ConfigError, match=r"^mounts\[0\]\.options: .* bind mounts only$"):
        planned({"destination": "/t", "type": "tmpfs", "options": [option]})


@pytest.mark.parametrize("options", [("idmap",), ("ridmap",), ()])
def test_new_file_system(options: tuple[str, ...]) -> None:
    """The runtime sends the mapping, with or without the word in the options; the container maps and attaches."""
    plan = planned({"destination": "/t", "type": "tmpfs", "options": list(options), **OWN})
    assert one(plan, "send_user_namespace") == ("ids/0", "/t")
    assert by_name("mount", one(plan, "mount"))["options"] == MOUNT_KEEP_MODE | MOUNT_MAPPED
    assert in_order(plan, "wait_for_runtime", "make_user_namespace", "send_user_namespace", "mount")


@pytest.mark.parametrize(
    ("kind", "namespaces"), [("cgroup", "mount"), ("tmpfs", "mount user"), ("sysfs", "mount user")]
)
def test_new_file_system_that_is_not_for_the_host(kind: str, namespaces: str) -> None:
    """Cgroups, and what the root of another user namespace mounts, cannot be mapped."""
    mount = {"destination": "/t", "type": kind, "options": ["idmap"], **OWN}
    linux = MAPPINGS if "user" in namespaces else {}
    with pytest.raises(ConfigError, match=r"^mounts\[0\]\.options: idmap of a new file system"):
        planned(mount, namespaces=namespaces, linux=linux)


@pytest.mark.parametrize(
    ("option", "bit", "opened"),
    [
        ("copy-symlink", MOUNT_COPY_LINK, SOURCE_LINK),
        ("src-nofollow", MOUNT_LINK_SOURCE, SOURCE_LINK),
        ("dest-nofollow", MOUNT_LINK_TARGET, 0),
    ],
)
def test_links(option: str, bit: int, opened: int) -> None:
    """What is to be done about links is said to whoever opens them."""
    assert by_name("bind", one(planned(bind("bind", option)), "bind"))["options"] == bit
    plan = planned(bind("bind", option), namespaces="mount user", linux=MAPPINGS)
    assert by_name("bind", one(plan, "bind"))["options"] == bit | MOUNT_OPENED
    assert one(plan, "open_source")[2] == opened
