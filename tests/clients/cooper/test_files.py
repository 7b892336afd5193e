"""Files: copies, differences, images of containers, volumes."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from ..host import eventually
from .program import Cooper


@pytest.fixture(params=["running", "stopped"])
def one(request: pytest.FixtureRequest, cooper: Cooper) -> str:
    """A container `one` with some files, which runs or does not."""
    script = "mkdir -p /srv/d && echo text > /srv/d/file && ln -s file /srv/d/link && ln -s /etc /srv/out && rm /bin/vi && sleep 1000"
    cooper.run("run", "-d", "--name", "one", "--network", "none", "busybox", "sh", "-c", script)
    eventually(lambda: "D /bin/vi" in cooper.out("diff", "one"), "the files are there")
    if request.param == "stopped":
        cooper.run("stop", "-t", "0", "one")
    return "one"


def test_out_of_a_container(cooper: Cooper, one: str, tmp_path: Path) -> None:
    """Files and directories come out as docker's rules have it, and belong to who asked."""
    cooper.run("cp", "one:/srv/d/file", tmp_path)
    assert (tmp_path / "file").read_text() == "text\n"
    cooper.run("cp", "one:/srv/d", tmp_path / "new")
    cooper.run("cp", "one:/srv/d", tmp_path)
    cooper.run("cp", "one:/srv/d/.", tmp_path / "d")
    for directory in (tmp_path / "new", tmp_path / "d"):
        assert sorted(os.listdir(directory)) == ["file", "link"]
        assert os.readlink(directory / "link") == "file"
    cooper.run("cp", "-L", "one:/srv/d/link", tmp_path / "followed")
    assert (tmp_path / "followed").read_text() == "text\n"
    assert "No such file" in cooper.error("cp", "one:/nonexistent", tmp_path, status=1)


def test_links_do_not_lead_out(cooper: Cooper, one: str, tmp_path: Path) -> None:
    """A link to an absolute path is one within the container, on the way in and on the way out."""
    cooper.run("cp", "one:/srv/out/passwd", tmp_path)
    assert "worker" in (tmp_path / "passwd").read_text()
    (tmp_path / "in").write_text("in\n")
    cooper.run("cp", tmp_path / "in", "one:/srv/out/marker-of-the-test")
    assert not Path("/etc/marker-of-the-test").exists()
    cooper.run("cp", "one:/etc/marker-of-the-test", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "in\n"


def test_into_a_container(cooper: Cooper, one: str, tmp_path: Path) -> None:
    """What is copied in belongs to the container's root, or with -a to the same numbers."""
    source = tmp_path / "tree"
    (source / "sub").mkdir(parents=True)
    (source / "sub/file").write_text("x")
    os.chown(source / "sub/file", 1000, 1000)
    (source / "sub/file").chmod(0o640)
    cooper.run("cp", source, "one:/srv/new")
    cooper.run("cp", "-a", source, "one:/srv/kept")
    with tarfile.open(fileobj=io.BytesIO(cooper.run("cp", "one:/srv", "-").stdout)) as tar:
        members = {member.name: member for member in tar}
    assert (members["srv/new/sub/file"].uid, members["srv/new/sub/file"].mode) == (0, 0o640)
    assert members["srv/kept/sub/file"].uid == 1000


def test_a_tar_comes_in(cooper: Cooper, one: str) -> None:
    """`cp -` unpacks its standard input below a directory; names that lead out of it stay in it or are refused."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("made/here")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"abc"))
    cooper.run("cp", "-", "one:/srv", stdin=buffer.getvalue())
    done = cooper.run("cp", "one:/srv/made/here", "-")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        file = tar.extractfile("here")
        assert file is not None and file.read() == b"abc"


def test_differences(cooper: Cooper, one: str) -> None:
    """Added, changed and deleted files, and nothing that cooper itself put there."""
    lines = cooper.out("diff", "one").splitlines()
    assert {"A /srv", "A /srv/d/file", "D /bin/vi", "C /bin"} <= set(lines)
    assert not [line for line in lines if "/etc" in line]


def test_export(cooper: Cooper, one: str, tmp_path: Path) -> None:
    """All files are in the tar, in a form that makes an image."""
    cooper.run("export", "-o", tmp_path / "one.tar", "one")
    with tarfile.open(tmp_path / "one.tar") as tar:
        names = {name.removeprefix("./") for name in tar.getnames()}
    assert {"srv/d/file", "bin/busybox"} <= names and "bin/vi" not in names


def test_commit(cooper: Cooper, one: str) -> None:
    """The image has what the container changed, runs what it ran, and keeps author and message."""
    identity = cooper.out(
        "commit", "-a", "somebody", "-m", "words", "-c", 'CMD ["cat", "/srv/d/file"]', "one", "one:v2"
    )
    assert identity.startswith("sha256:")
    assert cooper.out("run", "--rm", "--network", "none", "one:v2") == "text"
    cooper.run("run", "--rm", "--network", "none", "one:v2", "ls", "/bin/vi", status=1)
    assert cooper.inspect("one", "{{.State.Paused}}") == "false"
    image = cooper.out("inspect", "--type", "image", "-f", "{{.Author}} {{.Comment}}", "one:v2")
    assert image == "somebody words"


def test_commit_warns_of_volumes(cooper: Cooper) -> None:
    """What lies on a volume is not in the image: people are told which paths those are."""
    cooper.run("create", "--name", "one", "-v", "/data", "busybox")
    done = cooper.run("commit", "one")
    assert b"/data" in done.stderr


def test_volumes(cooper: Cooper) -> None:
    """A named volume outlives containers, starts with what the image has there, and is removed only when unused."""
    cooper.run("run", "--rm", "-v", "data:/etc", "busybox", "sh", "-c", "echo more > /etc/more")
    assert cooper.out("run", "--rm", "-v", "data:/x:ro", "busybox", "ls", "/x").split() == ["group", "hostname", "hosts", "more", "passwd", "plain", "resolv.conf"]  # fmt: skip
    cooper.run("run", "--rm", "-v", "data:/x:ro", "busybox", "touch", "/x/y", status=1)
    cooper.run("create", "--name", "one", "-v", "data:/x", "busybox")
    assert "used by one" in cooper.error("volume", "rm", "data", status=1)
    assert cooper.out("volume", "ls", "-q", "--filter", "dangling=true") == ""
    cooper.run("rm", "one")
    assert cooper.out("volume", "rm", "data") == "data"
    assert cooper.out("volume", "ls", "-q") == ""


def test_a_deep_volume(cooper: Cooper) -> None:
    """What a container makes deeper than a path can be long is measured and removed."""
    cooper.run("volume", "create", "deep")
    descriptor = os.open(cooper.root / "volumes/deep/_data", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("directory", dir_fd=descriptor)
        inner = os.open("directory", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    assert "Volumes" in cooper.out("system", "df")
    assert cooper.out("volume", "rm", "deep") == "deep"
    assert not (cooper.root / "volumes/deep").exists()


@pytest.mark.parametrize("part", ["volumes/half", "volumes/half/_data"])
def test_half_a_volume(cooper: Cooper, part: str) -> None:
    """What a killed command has made or left of a volume is no hindrance: it is used, measured and removed."""
    for words in (("run", "--rm", "-v", "half:/x", "busybox", "ls", "/x"), ("volume", "prune", "-af")):
        cooper.run("volume", "create", "half")
        shutil.rmtree(cooper.root / part)
        assert "Volumes" in cooper.out("system", "df")
        cooper.run(*words)
    assert cooper.out("volume", "ls", "-q") == ""


def test_options_of_volumes_are_refused(cooper: Cooper) -> None:
    """None is known: a volume that is not what was asked for would be worse than none."""
    assert "no options" in cooper.error("volume", "create", "-o", "type=nfs", "x")
    assert cooper.out("volume", "ls", "-q") == ""


def test_unnamed_volumes(cooper: Cooper) -> None:
    """They go with their container when asked, and `--volumes-from` shares them."""
    cooper.run("run", "--name", "one", "-v", "/data", "busybox", "sh", "-c", "echo shared > /data/file")
    assert cooper.out("run", "--rm", "--volumes-from", "one:ro", "busybox", "cat", "/data/file") == "shared"
    cooper.run("run", "--rm", "--volumes-from", "one:ro", "busybox", "touch", "/data/x", status=1)
    assert cooper.out("volume", "ls", "-q").count("\n") == 0
    cooper.run("rm", "-v", "one")
    assert cooper.out("volume", "ls", "-q") == ""


def test_binds(cooper: Cooper, tmp_path: Path) -> None:
    """Directories and files, relative too, read-only, made if missing by -v and refused by --mount."""
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("one\n")
    process = cooper.start("run", "--rm", "-v", "./there:/t", "-v", "./file:/f:ro", "-v", "./new:/n", "busybox",
                           "sh", "-c", "cat /f; echo x > /t/x; ! touch /f", cwd=tmp_path)  # fmt: skip
    assert process.communicate(timeout=60)[0] == b"one\n"
    assert process.returncode == 0
    assert (tmp_path / "there/x").exists() and (tmp_path / "new").is_dir()
    error = cooper.error(
        "run", "--rm", "--mount", f"type=bind,src={tmp_path}/absent,dst=/x", "busybox", "true"
    )
    assert "absent" in error


def test_file_systems_in_memory(cooper: Cooper) -> None:
    """--tmpfs with its options, the size of /dev/shm, and a read-only root."""
    flags = ("--tmpfs", "/t:size=1m,mode=700", "--shm-size", "2m", "--read-only")
    script = "stat -c %a /t; df -k /t /dev/shm | awk '{print $2}' | tail -2; ! touch /x"
    assert cooper.out("run", "--rm", *flags, "busybox", "sh", "-c", script).split() == ["700", "1024", "2048"]
