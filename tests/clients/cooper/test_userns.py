"""User namespaces: who is who, and that nothing on disk changes its owner for them."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from .program import Cooper

MAP = ("cat", "/proc/self/uid_map")


def numbers(text: str) -> list[list[int]]:
    """The lines of a map."""
    return [[int(word) for word in line.split()] for line in text.splitlines()]


def test_no_two_containers_share_ids(cooper: Cooper) -> None:
    """--userns auto gives each a range of its own, which is free again when the container is removed."""
    for name in ("one", "two"):
        cooper.run("run", "-d", "--name", name, "--userns", "auto", "busybox", "sleep", "1000")
    pids = [cooper.inspect(name, "{{.State.Pid}}") for name in ("one", "two")]
    maps = [numbers(Path(f"/proc/{pid}/uid_map").read_text()) for pid in pids]
    assert [(each[0][0], each[0][2]) for each in maps] == [(0, 65536), (0, 65536)]
    first, second = sorted(each[0][1] for each in maps)
    assert first >= 65536 and second >= first + 65536
    cooper.run("rm", "-f", "one", "two")
    assert numbers(cooper.out("run", "--rm", "--userns", "auto", "busybox", *MAP))[0][1] == first


def test_root_inside_is_nobody_outside(cooper: Cooper, rootfs: Path, tmp_path: Path) -> None:
    """Files of the image, of volumes and of binds belong inside to whom they belong outside; the process does not."""
    (tmp_path / "file").write_text("x")
    os.chown(tmp_path / "file", 1000, 1000)
    flags = ("--userns", "auto", "-v", "data:/data", "-v", f"{tmp_path}:/bound")
    script = "stat -c %u:%g /bin/busybox /bound/file; touch /data/new /bound/new; cat /proc/self/uid_map"
    lines = cooper.out("run", "--rm", *flags, "busybox", "sh", "-c", script).splitlines()
    assert lines[:2] == ["0:0", "1000:1000"]
    assert numbers(lines[2])[0][1] > 65536
    assert (tmp_path / "new").stat().st_uid == 0
    assert (cooper.root / "volumes/data/_data/new").stat().st_uid == 0


def test_a_new_volume_gets_the_image_s_owners(cooper: Cooper) -> None:
    """What is copied from the image into a volume has the same owners for containers with other maps."""
    cooper.run("run", "--rm", "--userns", "auto", "-v", "data:/etc", "busybox", "true")
    assert cooper.out("run", "--rm", "-v", "data:/x", "busybox", "stat", "-c", "%u:%g", "/x/passwd") == "0:0"


def test_keep_id(cooper: Cooper, tmp_path: Path) -> None:
    """One id is the same inside and outside, the others are not: files of that user stay theirs."""
    os.chown(tmp_path, 1234, 1234)
    flags = ("--userns", "keep-id:uid=1234,gid=1234", "-u", "1234:1234", "-v", f"{tmp_path}:/mine")
    done = cooper.run("run", "--rm", *flags, "busybox", "sh", "-c", "touch /mine/new; cat /proc/self/uid_map",
                      env={"SUDO_UID": "1234", "SUDO_GID": "1234"})  # fmt: skip
    assert [1234, 1234, 1] in numbers(done.stdout.decode())
    assert (tmp_path / "new").stat().st_uid == 1234


def test_copies_speak_the_container_s_numbers(cooper: Cooper, tmp_path: Path) -> None:
    """`cp` into such a container makes files of its root, and out of it gives the numbers seen inside."""
    cooper.run("create", "--name", "one", "--userns", "auto", "busybox", "stat", "-c", "%u", "/file")
    (tmp_path / "file").write_text("x")
    cooper.run("cp", tmp_path / "file", "one:/")
    assert cooper.out("start", "-a", "one") == "0"
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        member = tarfile.TarInfo("d/file")
        member.uid, member.gid = 5, 6
        tar.addfile(member)
    cooper.run(
        "create", "--name", "two", "--userns", "auto", "busybox", "stat", "-c", "%u:%g", "/d", "/d/file"
    )
    cooper.run("cp", "-", "two:/", stdin=data.getvalue())
    assert cooper.out("start", "-a", "two").split() == ["0:0", "5:6"]
    cooper.run("cp", "-a", "one:/bin/busybox", tmp_path / "back")
    assert (tmp_path / "back").stat().st_uid == 0


def test_the_network_is_usable(cooper: Cooper) -> None:
    """Ports below 1024 are open to everybody in a network of one's own, in a user namespace too."""
    script = "timeout 1 nc -l -p 80; test $? = 143 -o $? = 124"
    for flags in (("--userns", "auto"), ()):
        cooper.run("run", "--rm", "-u", "worker", *flags, "busybox", "sh", "-c", script)


@pytest.mark.parametrize("mode", ["nonsense", "auto:size=many", "keep-id:gid"])
def test_a_mode_that_is_not_there(cooper: Cooper, mode: str) -> None:
    """Is refused before anything is made."""
    assert "--userns" in cooper.error("create", "--userns", mode, "busybox")


def test_a_directory_as_root(cooper: Cooper, rootfs: Path) -> None:
    """--rootfs works with mapped ids: nothing in the directory changes its owner."""
    flags = ("--userns", "auto", "--network", "none", "--rootfs", str(rootfs))
    assert cooper.out("run", "--rm", *flags, "sh", "-c", "stat -c %u /bin/busybox; touch /made") == "0"
    assert (rootfs / "made").stat().st_uid == 0
    assert (rootfs / "bin/busybox").stat().st_uid == 0
