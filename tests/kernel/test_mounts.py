"""Mounts: types, options, order, targets. Spec: config.md#mounts"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .driver import Container
from .host import mounted


def mount_of(container: Container, target: str) -> tuple[str, set[str], set[str], set[str]]:
    """(type, options of the mount, options of the file system, propagation) as the container's mountinfo has them."""
    lines = [line.split() for line in container.says("cat /proc/self/mountinfo").splitlines()]
    fields = [line for line in lines if line[4] == target][-1]
    dash = fields.index("-")
    optional = {field.split(":")[0] for field in fields[6:dash]}
    return fields[dash + 1], set(fields[5].split(",")), set(fields[dash + 3].split(",")), optional


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("tmpfs", ["size=1m", "mode=0701", "nr_inodes=10"], {"size=1024k", "mode=701", "nr_inodes=10"}),
        ("tmpfs", ["uid=5,gid=6"], {"uid=5", "gid=6"}),
        ("ramfs", [], {"rw"}),
        ("proc", ["hidepid=2"], {"hidepid=invisible"}),
        ("sysfs", [], {"rw"}),
        ("mqueue", [], {"rw"}),
        ("devpts", ["newinstance", "ptmxmode=0620", "gid=5"], {"ptmxmode=620", "gid=5"}),
    ],
)
def test_types(container: Container, kind: str, options: list[str], expected: set[str]) -> None:
    """A file system of each type is mounted, with its own options."""
    container.mount("/mnt", *options, type=kind)
    found, _, parameters, _ = mount_of(container, "/mnt")
    assert found == kind
    assert expected <= parameters


def test_overlay(container: Container, directory: Path) -> None:
    """An overlay shows its layers; what is written goes to the upper one."""
    with mounted(directory, "-t", "tmpfs", "none"):
        for name in ("lower", "upper", "work"):
            (directory / name).mkdir()
        (directory / "lower/file").write_text("below")
        options = [f"{name}dir={directory}/{name}" for name in ("lower", "upper", "work")]
        container.mount("/data", *options, type="overlay", source="overlay")
        assert container.says("cat /data/file; echo up > /data/new") == "below"
        assert (directory / "upper/new").read_text() == "up\n"


def test_cgroup(container: Container) -> None:
    """The container's own cgroups are visible, and no others."""
    container.mount("/sys/fs/cgroup", "ro", type="cgroup")
    said = container.says(
        "cat /proc/self/cgroup; ls /sys/fs/cgroup; find /sys/fs/cgroup -name 'stave-tests-*'"
    )
    assert "stave-tests" not in said


@pytest.mark.parametrize(
    ("option", "flag"),
    [
        ("ro", "ro"), ("nosuid", "nosuid"), ("nodev", "nodev"), ("noexec", "noexec"), ("noatime", "noatime"),
        ("nodiratime", "nodiratime"), ("relatime", "relatime"), ("nosymfollow", "nosymfollow"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_flags(container: Container, directory: Path, kind: str, option: str, flag: str) -> None:
    """Each attribute of a mount is in force, for a new file system and for a bind."""
    container.mount("/mnt", *(["bind"] if kind == "bind" else []), option, type=kind, source=directory)
    assert flag in mount_of(container, "/mnt")[1]


@pytest.mark.parametrize(
    "option", ["rw", "suid", "dev", "exec", "atime", "diratime", "symfollow", "strictatime"]
)
def test_cleared_flags(container: Container, directory: Path, option: str) -> None:
    """A bind drops what its source's mount has, where that is asked for, and keeps the rest."""
    flags = "ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow"
    absent = {"rw": "ro", "strictatime": "noatime"}.get(option, f"no{option}")
    with mounted(directory, "-t", "tmpfs", "-o", flags, "none"):
        container.mount("/mnt", "bind", option, source=directory)
        found = mount_of(container, "/mnt")[1]
    assert set(flags.split(",")) - found == {absent}


def test_later_words_win(container: Container, directory: Path) -> None:
    """Of contradicting options the last one counts."""
    container.mount("/mnt", "bind", "ro", "noexec", "rw", "exec", "nodev", source=directory)
    assert {"rw", "nodev"} <= mount_of(container, "/mnt")[1]


@pytest.mark.parametrize(
    ("word", "flag"),
    [("rro", "ro"), ("rnosuid", "nosuid"), ("rnodev", "nodev"), ("rnoexec", "noexec"), ("rnoatime", "noatime"),
     ("rnodiratime", "nodiratime"), ("rnosymfollow", "nosymfollow")],
)  # fmt: skip
def test_recursive_flags(container: Container, directory: Path, word: str, flag: str) -> None:
    """Recursive attributes reach what is mounted below the source; the plain ones only the source."""
    (directory / "sub").mkdir()
    with mounted(directory / "sub", "-t", "tmpfs", "none"):
        container.mount("/all", "rbind", word, source=directory)
        container.mount("/one", "rbind", flag, source=directory)
        text = container.says("cat /proc/self/mountinfo")
    flags = {line.split()[4]: line.split()[5].split(",") for line in text.splitlines()}
    assert [flag in flags[at] for at in ("/all", "/all/sub", "/one", "/one/sub")] == [True, True, True, False]


def test_recursively_cleared(container: Container, directory: Path) -> None:
    """The negative recursive words take attributes away from all of a tree."""
    (directory / "sub").mkdir()
    with mounted(directory / "sub", "-t", "tmpfs", "-o", "ro,noexec", "none"):
        container.mount("/all", "rbind", "rrw", "rexec", source=directory)
        assert "rw" in (found := mount_of(container, "/all/sub")[1])
    assert not found & {"ro", "noexec"}


@pytest.mark.parametrize("recursive", [False, True])
def test_bind_of_a_tree(container: Container, directory: Path, recursive: bool) -> None:
    """bind shows one mount, rbind all below it too."""
    (directory / "sub").mkdir()
    with mounted(directory / "sub", "-t", "tmpfs", "none"):
        (directory / "sub/file").touch()
        container.mount("/mnt", "rbind" if recursive else "bind", source=directory)
        assert container.says("ls /mnt/sub") == ("file" if recursive else "")


@pytest.mark.parametrize(
    ("word", "fields"),
    [("private", set()), ("rprivate", set()), ("slave", {"master"}), ("rslave", {"master"}),
     ("shared", {"shared"}), ("rshared", {"shared"}), ("unbindable", {"unbindable"}),
     ("runbindable", {"unbindable"}), ("", {"master"})],
)  # fmt: skip
def test_propagation(container: Container, directory: Path, word: str, fields: set[str]) -> None:
    """A bind has the propagation asked for."""
    container.mount("/mnt", *["rbind", word][: 1 + bool(word)], source=directory)
    assert mount_of(container, "/mnt")[3] - ({"master"} if "shared" in fields else set()) == fields


@pytest.mark.parametrize("word", ["sync", "dirsync", "lazytime"])
def test_options_of_the_file_system(container: Container, word: str) -> None:
    """Options that belong to the file system are in force there."""
    container.mount("/mnt", word, type="tmpfs")
    assert word in mount_of(container, "/mnt")[2]


@pytest.mark.parametrize(
    "word", ["defaults", "async", "nolazytime", "silent", "loud", "iversion", "noiversion", "mand", "nomand",
             "norelatime", "nostrictatime"],
)  # fmt: skip
def test_words_without_effect(container: Container, word: str) -> None:
    """What the kernel does not know any more, or does anyway, is accepted."""
    container.mount("/mnt", word, type="tmpfs")
    assert mount_of(container, "/mnt")[0] == "tmpfs"


def test_unknown_option(container: Container) -> None:
    """A word that nobody knows is an option of the file system, whose refusal is told."""
    container.mount("/mnt", "bogus=1", type="tmpfs")
    line = container.fails()
    assert line.startswith('mounts[4] "/mnt": mount: option bogus=1') and "Unknown parameter" in line


def test_unknown_type(container: Container) -> None:
    """A file system that the kernel lacks is named."""
    container.mount("/mnt", type="nosuchfs")
    assert container.fails() == (
        'mounts[4] "/mnt": mount: fsopen nosuchfs (the kernel does not know this type of file system): '
        "No such device"
    )


def test_order(container: Container) -> None:
    """Mounts are made in their order: a later one covers an earlier one, or lies in it."""
    container.mount("/a", type="tmpfs")
    container.mount("/a/b/c", type="tmpfs")
    container.mount("/x/y", type="tmpfs")
    container.mount("/x", type="tmpfs")
    said = container.says(
        "grep -c ' /a/b/c ' /proc/mounts; ls /x; df / >/dev/null; [ ! -e /x/y ] && echo covered"
    )
    assert said == "1\ncovered"


def test_targets_are_made(container: Container, directory: Path) -> None:
    """A missing target is made: a directory for a directory, a file for a file."""
    (directory / "file").write_text("content")
    container.mount("/new/dir", "bind", source=directory)
    container.mount("/other/file", "bind", source=directory / "file")
    assert container.says("ls /new/dir; cat /other/file") == "file\ncontent"


def test_sources(container: Container, directory: Path) -> None:
    """A relative source counts from the bundle; a link is followed on the host."""
    (container.bundle / "data").mkdir()
    (container.bundle / "data/file").touch()
    (directory / "link").symlink_to(container.bundle / "data")
    container.mount("/one", "bind", source="data")
    container.mount("/two", "bind", source=directory / "link")
    container.mount("/three", "bind", source="./data/../data")
    assert container.says("ls /one /two /three").split() == [
        "/one:",
        "file",
        "/three:",
        "file",
        "/two:",
        "file",
    ]


def test_missing_source(container: Container) -> None:
    """A source that is not there is named."""
    container.mount("/data", "bind", source="/no/such")
    assert container.fails() == 'mounts[4] "/data": bind: open source /no/such: No such file or directory'


def test_relative_destination(container: Container) -> None:
    """A relative destination counts from the root. Spec: config.md#mounts (deprecated)"""
    container.mount("data/here", type="tmpfs")
    assert mount_of(container, "/data/here")[0] == "tmpfs"


def test_targets_stay_inside(container: Container, directory: Path) -> None:
    """Links and .. in a target lead nowhere but to places in the root."""
    (container.rootfs / "link").symlink_to("/inside")
    (container.rootfs / "up").symlink_to("../../../inside")
    container.mount("/link/one", type="tmpfs")
    container.mount("/up/two", type="tmpfs")
    container.mount("/../../three", type="tmpfs")
    said = container.says("grep tmpfs /proc/mounts | cut -d' ' -f2")
    assert said.split()[-3:] == ["/inside/one", "/inside/two", "/three"]


def test_remount(container: Container, directory: Path) -> None:
    """remount changes a mount that is there."""
    container.mount("/mnt", type="tmpfs")
    container.mount("/mnt", "remount", "ro", "nosuid", "size=2m", type="tmpfs")
    container.mount("/bound", "bind", source=directory)
    container.mount("/bound", "bind", "remount", "noexec", "ro", source=directory)
    text = container.says("cat /proc/mounts")
    flags = {line.split()[1]: set(line.split()[3].split(",")) for line in text.splitlines()}
    assert {"ro", "nosuid", "size=2048k"} <= flags["/mnt"]
    assert {"ro", "noexec"} <= flags["/bound"]


def test_copy_up(container: Container) -> None:
    """tmpcopyup fills a tmpfs with what it is mounted over, with owners, modes and links."""
    place = container.rootfs / "etc/app"
    (place / "deep").mkdir(parents=True)
    (place / "deep/file").write_text("x" * 100_000)
    (place / "link").symlink_to("deep/file")
    os.chown(place / "deep/file", 12, 34)
    (place / "deep/file").chmod(0o4711)
    place.chmod(0o750)
    container.mount("/etc/app", "tmpcopyup", type="tmpfs")
    said = container.says(
        "stat -c %a /etc/app; stat -c '%a %u %g %s' /etc/app/deep/file; readlink /etc/app/link; echo new > /etc/app/new"
    )
    assert said == "750\n4711 12 34 100000\ndeep/file"
    assert not (place / "new").exists()


def test_tmpfs_has_the_mode_of_what_it_covers(container: Container) -> None:
    """A tmpfs without a mode keeps that of the directory below."""
    container.mount("/tmp", type="tmpfs")
    assert container.says("stat -c %a /tmp") == "1777"


def test_file_bind_over_a_file(container: Container, directory: Path) -> None:
    """A file may cover another; the covered one stays as it was."""
    (directory / "hosts").write_text("new")
    (container.rootfs / "etc/hosts").write_text("old")
    container.mount("/etc/hosts", "bind", "ro", source=directory / "hosts")
    assert container.says("cat /etc/hosts") == "new"
    assert (container.rootfs / "etc/hosts").read_text() == "old"


@pytest.mark.parametrize("source_is_file", [True, False])
def test_wrong_kind_of_target(container: Container, directory: Path, source_is_file: bool) -> None:
    """A directory cannot cover a file, nor the other way round, and that is what the error says."""
    (directory / "file").touch()
    (container.rootfs / "file").touch()
    target, source = ("/tmp", directory / "file") if source_is_file else ("/file", directory)
    container.mount(target, "bind", source=source)
    words = ("file", "directory", "Is a") if source_is_file else ("directory", "file", "Not a")
    why = f"a {words[0]} cannot be mounted onto a {words[1]}"
    assert container.fails() == f'mounts[4] "{target}": bind: attach to ({why}): {words[2]} directory'
