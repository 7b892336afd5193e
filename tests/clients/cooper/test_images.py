"""The commands on images, and images that go to other engines and back."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .program import Cooper

DockerRegistry = Callable[..., contextlib.AbstractContextManager[str]]


@pytest.fixture
def images(cooper: Cooper) -> Iterator[Cooper]:
    """Images that the test makes are gone in the end; `busybox` stays."""
    yield cooper
    cooper.run("rm", "--all", "--force")
    for row in listed(cooper):
        if row["Repository"] != "busybox":
            cooper.run(
                "rmi", "--force", row["ID"] if row["Tag"] == "<none>" else f"{row['Repository']}:{row['Tag']}"
            )


def listed(cooper: Cooper, *words: str) -> list[dict[str, Any]]:
    """The rows of `images`."""
    return [json.loads(line) for line in cooper.out("images", "--format", "json", *words).splitlines()]


def test_images_are_made_listed_and_removed(images: Cooper, tmp_path: Path) -> None:
    """Of a directory and of its tar from standard input; with names, history and what is known of them."""
    source = tmp_path / "source"
    (source / "etc").mkdir(parents=True)
    (source / "etc/file").write_text("content")
    tar = subprocess.run(["tar", "-C", source, "-czf", "-", "."], capture_output=True, check=True).stdout
    first = images.out("import", "-c", 'CMD ["/true"]', "-c", "LABEL a=b", "-m", "mine", source, "made/one:1")
    images.out("import", "-", "made/two", stdin=tar)
    assert images.out("images", "-q", "--no-trunc", "made/one") == first
    assert {f"{row['Repository']}:{row['Tag']}" for row in listed(images)} >= {
        "made/one:1",
        "made/two:latest",
    }
    assert [row["Repository"] for row in listed(images, "--filter", "label=a=b")] == ["made/one"]
    assert {row["Tag"] for row in listed(images, "made/*")} == {"latest", "1"}
    images.out("tag", "made/one:1", "other:2", "third")
    assert images.out("image", "inspect", "-f", "{{.Config.Cmd}} {{len .RepoTags}}", "third") == "[/true] 3"
    assert json.loads(images.out("image", "inspect", "third"))[0]["Id"] == first
    assert "mine" in images.out("history", "third")
    assert images.out("rmi", "third") == "Untagged: third:latest"
    assert "several names" in images.error("rmi", first[7:20], status=1)
    assert f"Deleted: {first}" in images.out("rmi", "-f", first)
    assert "no such image" in images.error("rmi", "third", status=1)
    assert images.out("rmi", "--force", "third") == ""
    assert "reclaimed" in images.out("image", "prune", "--force")


def test_an_image_in_use_stays(images: Cooper) -> None:
    """Until its container is removed, unless by force, and then the container goes on."""
    data = subprocess.run(
        ["tar", "-C", "/", "-cf", "-", "bin/busybox"], capture_output=True, check=True
    ).stdout
    images.out("import", "-", "own", stdin=data)
    images.out("create", "--name", "c1", "--network", "none", "own", "/bin/busybox", "echo", "alive")
    assert "container" in images.error("rmi", "own", status=1)
    images.out("image", "prune", "--force")
    assert images.out("images", "-q", "own")
    images.out("rmi", "--force", "own")
    assert images.out("start", "--attach", "c1") == "alive"


def test_archives_go_through_pipes(images: Cooper, tmp_path: Path) -> None:
    """`save | load` in both forms; a file that is there whole or not at all."""
    image = images.out("images", "-q", "--no-trunc", "busybox")
    for form in ("docker-archive", "oci-archive"):
        data = images.run("save", "--format", form, "busybox").stdout
        other = Cooper(tmp_path / form, images.runtime)
        assert other.run("load", "--quiet", stdin=data).stdout.decode() == "Loaded image: busybox:latest\n"
        assert other.out("images", "-q", "--no-trunc") == image
        assert "Deleted" in other.out("rmi", "busybox")
    images.error("save", "-o", tmp_path / "x" / "y.tar", "busybox", status=1)
    images.error("save", "-o", tmp_path / "z.tar", "busybox", "nothing", status=1)
    assert not list(tmp_path.glob("z.tar*"))
    os.mknod(tmp_path / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    images.run("save", "-o", tmp_path / "null", "busybox")
    assert (tmp_path / "null").is_char_device(), "a device was replaced by a file"
    assert "neither manifest.json nor index.json" in images.error("load", "-i", rootfs(tmp_path), status=1)


def rootfs(place: Path) -> Path:
    """A tar that is no archive of images."""
    path = place / "rootfs.tar"
    subprocess.run(["tar", "-C", "/", "-cf", path, "bin/busybox"], check=True)
    return path


def test_login_is_dockers(images: Cooper, tmp_path: Path, docker_registry: DockerRegistry) -> None:
    """What a registry takes is kept, what it refuses is not; logout forgets it."""
    passwords = tmp_path / "htpasswd"
    # me and secret, by bcrypt.
    passwords.write_text("me:$2y$05$eR64qnrK3s5fVd1J0/aOYO9TwEhjHe/wleK8Mg.R9ZAE7DfCUFfoK\n")
    env = {"DOCKER_CONFIG": str(tmp_path / "docker")}
    with docker_registry(tmp_path, passwords) as address:
        login = ["login", "-u", "me", "--password-stdin", address]
        assert images.run(*login, stdin=b"wrong\n", env=env, status=1).stderr.startswith(b"cooper: ")
        assert not (tmp_path / "docker").exists()
        images.run("tag", "busybox", f"{address}/b:1")
        assert b"log in" in images.run("push", f"{address}/b:1", env=env, status=1).stderr
        images.run(*login, stdin=b"secret\n", env=env)
        images.run("push", "--quiet", f"{address}/b:1", env=env)
        assert images.run("logout", address, env=env).stdout == f"Removed login for {address}\n".encode()
        images.run("push", f"{address}/b:1", env=env, status=1)
