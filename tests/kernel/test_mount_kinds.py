"""Mounts with mapped owners, links that are mounted or made anew, attributes of a whole tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .driver import Container
from .host import mounted
from .test_user_namespaces import HOST_ID, with_user_namespace

OWNED = 3000


@pytest.fixture
def source(directory: Path) -> Path:
    """A directory with a file of user 3000, and below it a mounted one with another."""
    tree = directory / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "file").write_text("seen")
    os.chown(tree / "file", OWNED, OWNED)
    return tree


def mapping(inside: int, outside: int, size: int = 10) -> list[dict[str, int]]:
    """One line of mappings."""
    return [{"containerID": inside, "hostID": outside, "size": size}]


def map_ids(container: Container, source: Path, *options: str, uids: int, gids: int) -> None:
    """The source is at /data, user 3000's files there are `uids` on and `gids` on."""
    container.mount("/data", *options, source=source)
    container.config["mounts"][-1] |= {
        "uidMappings": mapping(OWNED, uids),
        "gidMappings": mapping(OWNED, gids),
    }


OWNER = "stat -c %u:%g /data/file"


def test_idmap(container: Container, source: Path) -> None:
    """Files show the owners that the mount's mappings give them; on the host they keep theirs."""
    map_ids(container, source, "bind", "idmap", uids=5000, gids=6000)
    assert container.says(OWNER) == "5000:6000"
    assert (source / "file").stat().st_uid == OWNED


def test_files_that_are_made(container: Container, source: Path) -> None:
    """What the container's user makes belongs on disk to whom the mapping says."""
    os.chown(source, OWNED, OWNED)
    map_ids(container, source, "bind", "idmap", uids=0, gids=0)
    container.says("touch /data/new")
    status = (source / "new").stat()
    assert (status.st_uid, status.st_gid) == (OWNED, OWNED)


def test_idmap_with_the_containers_mappings(container: Container, source: Path) -> None:
    """Without mappings of its own the mount has those of the container: files look as they do on the host."""
    with_user_namespace(container)
    container.mount("/data", "bind", "idmap", source=source)
    container.mount("/plain", "bind", source=source)
    assert container.says(f"{OWNER}; stat -c %u:%g /plain/file") == "3000:3000\n65534:65534"


def test_joined_user_namespace(container: Container, source: Path) -> None:
    """The same with a user namespace that the container joins."""
    user = {"type": "user", "path": "/proc/self/ns/user"}
    with_user_namespace(container)
    container.launch()
    user["path"] = f"/proc/{container.pid}/ns/user"
    other = Container(container.stave, "other", container.bundle, container.config)
    other.linux["namespaces"] = [
        user if entry["type"] == "user" else entry for entry in other.linux["namespaces"]
    ]
    del other.linux["uidMappings"], other.linux["gidMappings"]
    other.linux["cgroupsPath"] += "-other"
    other.mount("/data", "bind", "idmap", source=source)
    assert other.says(OWNER) == "3000:3000"


@pytest.mark.parametrize(("option", "below"), [("idmap", "3000:3000"), ("ridmap", "5000:6000")])
def test_ridmap(container: Container, source: Path, option: str, below: str) -> None:
    """ridmap maps what is mounted below as well."""
    with mounted(source / "below", "-t", "tmpfs", "none"):
        (source / "below/file").touch()
        os.chown(source / "below/file", OWNED, OWNED)
        map_ids(container, source, "rbind", option, uids=5000, gids=6000)
        assert container.says(f"{OWNER}; stat -c %u:%g /data/below/file") == f"5000:6000\n{below}"


def test_mapping_in_the_option(container: Container, source: Path) -> None:
    """crun's form of writing it."""
    container.mount("/data", "bind", "idmap=uids=3000-5000-1;gids=3000-6000-1", source=source)
    assert container.says(OWNER) == "5000:6000"


def test_file_system_that_cannot(container: Container) -> None:
    """A file system whose owners cannot be mapped is named."""
    map_ids(container, Path("/proc/sys"), "bind", "idmap", uids=5000, gids=6000)
    assert container.fails() == (
        'mounts[4] "/data": bind: map the ids of /proc/sys (its file system, or one below it, cannot be idmapped):'
        " Invalid argument"
    )


def test_new_file_system(container: Container) -> None:
    """A tmpfs and what is copied into it belong to its mapping's user; root may make files there as that user."""
    owner = (f"uid={OWNED}", f"gid={OWNED}")
    container.mount("/data", "idmap", "tmpcopyup", *owner, type="tmpfs", source="tmpfs")
    container.config["mounts"][-1] |= {"uidMappings": mapping(OWNED, 0), "gidMappings": mapping(OWNED, 0)}
    copied = container.rootfs / "data/copied"
    copied.parent.mkdir()
    copied.touch()
    os.chown(copied, OWNED, OWNED)
    outcome = container.run(status=None)
    if "cannot be idmapped" in outcome.errors:
        pytest.skip("this kernel does not map the owners of a tmpfs")
    said = container.says("touch /data/new; stat -c %u:%g /data /data/copied /data/new").split()
    assert said == ["0:0"] * 3


def test_new_file_system_that_cannot(container: Container) -> None:
    """procfs has no owners to map, and the error says so."""
    container.mount("/data", "idmap", type="proc", source="proc")
    container.config["mounts"][-1] |= {"uidMappings": mapping(OWNED, 0), "gidMappings": mapping(OWNED, 0)}
    line = container.fails()
    assert line.startswith("mounts[")
    assert line.endswith(
        "map the owners of proc (this file system cannot be idmapped on this kernel): Invalid argument"
    )


def test_copied_link(container: Container, directory: Path) -> None:
    """copy-symlink makes the link anew; what is no link is bound as ever."""
    (directory / "link").symlink_to("/etc/target")
    (directory / "file").write_text("plain")
    container.mount("/deep/link", "bind", "copy-symlink", source=directory / "link")
    container.mount("/file", "bind", "copy-symlink", source=directory / "file")
    script = "readlink /deep/link; cat /file"
    assert container.says(script) == "/etc/target\nplain"
    assert container.says(script) == "/etc/target\nplain"  # the same link may be there already


def test_copied_link_in_the_way(container: Container, directory: Path) -> None:
    """Another link at the target is an error."""
    (directory / "link").symlink_to("/etc/target")
    (container.rootfs / "link").symlink_to("/elsewhere")
    container.mount("/link", "bind", "copy-symlink", source=directory / "link")
    assert container.fails() == 'mounts[4] "/link": bind: make symbolic link: File exists'


@pytest.mark.parametrize("mapped", [False, True])
def test_links_as_they_are(container: Container, directory: Path, mapped: bool) -> None:
    """src-nofollow mounts a link itself, dest-nofollow mounts on one."""
    if mapped:
        with_user_namespace(container)
    (directory / "link").symlink_to("/etc/target")
    (directory / "file").write_text("on a link")
    (container.rootfs / "there").symlink_to("/nowhere")
    container.mount("/source", "bind", "src-nofollow", source=directory / "link")
    container.mount("/there", "bind", "dest-nofollow", source=directory / "file")
    assert container.says("readlink /source; cat /there") == "/etc/target\non a link"


@pytest.mark.parametrize(("option", "below"), [("ro", "writable"), ("rro", "refused")])
def test_recursively_read_only(container: Container, source: Path, option: str, below: str) -> None:
    """ro is for the mount alone, rro for all below it."""
    with mounted(source / "below", "-t", "tmpfs", "none"):
        container.mount("/data", "rbind", option, source=source)
        script = "touch /data/x 2>/dev/null || echo refused; touch /data/below/x 2>/dev/null && echo writable || echo refused"
        assert container.says(script) == f"refused\n{below}"


ATTRIBUTES = ["nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow", "relatime", "strictatime"]


@pytest.mark.parametrize("word", ATTRIBUTES)
def test_recursive_attributes(container: Container, source: Path, word: str) -> None:
    """Every attribute has a recursive form, which mounts below have, too."""
    shown = "" if word == "strictatime" else word
    with mounted(source / "below", "-t", "tmpfs", "none"):
        container.mount("/data", "rbind", f"r{word}", source=source)
        lines = container.says("grep ' /data' /proc/self/mountinfo").splitlines()
    assert len(lines) == 2
    for line in lines:
        options = line.split()[5].split(",")
        assert shown in options if shown else not {"relatime", "noatime"} & set(options)


def test_every_word_of_a_tmpfs(container: Container) -> None:
    """What the specification lists for file systems the kernel takes."""
    words = "sync async dirsync lazytime nolazytime nomand loud silent iversion noiversion defaults".split()
    for word in words:
        container.mount(f"/{word}", word, type="tmpfs", source="tmpfs")
    output = container.says("cut -d' ' -f5 /proc/self/mountinfo").splitlines()
    assert {f"/{word}" for word in words} <= set(output)


def test_relative_destination(container: Container, source: Path) -> None:
    """It counts from the root."""
    container.mount("data", "bind", source=source)
    assert container.says("cat /data/file") == "seen"


def test_proc_of_another_user_namespace(container: Container) -> None:
    """A procfs that the kernel does not let the container's root mount is explained."""
    with_user_namespace(container)
    container.linux["namespaces"] = [each for each in container.linux["namespaces"] if each["type"] != "pid"]
    line = container.fails()
    assert line == (
        'mounts[0] "/proc": mount: create the file system proc (a user namespace may only mount one with a'
        " namespace of its own for it, and where nothing of the outer one is hidden): Operation not permitted"
    )


def test_host_sysfs(container: Container) -> None:
    """With a user namespace and the host's network, sysfs is the host's, read-only."""
    with_user_namespace(container, HOST_ID)
    container.linux["namespaces"] = [
        each for each in container.linux["namespaces"] if each["type"] != "network"
    ]
    assert container.says("test -d /sys/kernel && ! mkdir /sys/x 2>/dev/null && echo there") == "there"
