"""Images that go to other engines and come back, through a registry."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..containerd import Containerd
from ..engines import GROUP, Engine
from .program import Cooper

DockerRegistry = Callable[..., contextlib.AbstractContextManager[str]]


@pytest.fixture
def registry(docker_registry: DockerRegistry, tmp_path: Path) -> Iterator[str]:
    """The address of Debian's docker-registry, which is running."""
    with docker_registry(tmp_path) as address:
        yield address


@pytest.fixture
def ours(cooper: Cooper, registry: str) -> Iterator[str]:
    """The name of an image pulled, changed, committed and pushed by cooper, which shows the file /ours."""
    cooper.run("push", "--quiet", "busybox", f"{registry}/base")
    cooper.run("pull", "--quiet", f"{registry}/base")
    script = "echo ours > /ours; rm /bin/vi"
    cooper.run("run", "--name", "one", "--network", "none", f"{registry}/base", "sh", "-c", script)
    name = f"{registry}/ours:1"
    cooper.run("commit", "-c", 'CMD ["cat", "/ours"]', "one", name)
    cooper.run("push", name)
    yield name
    cooper.run("rm", "-af")
    cooper.run("rmi", "-f", f"{registry}/base", name)


def test_with_podman_and_docker(cooper: Cooper, engine: Engine, registry: str, ours: str) -> None:
    """What cooper has committed they pull and run, without what was removed; and the other way round."""
    insecure = ["--tls-verify=false"] if engine.name == "podman" else []
    run = ["run", f"--cgroup-parent=/{GROUP}"]
    engine.ok("pull", *insecure, ours)
    assert engine.ok(*run, "--rm", ours) == "ours"
    assert engine(*run, "--rm", ours, "ls", "/bin/vi").returncode != 0

    theirs = f"{registry}/theirs:1"
    engine.ok(*run, "--name=theirs", ours, "sh", "-c", "echo theirs > /theirs; rm /ours")
    engine.ok("commit", "--change=CMD cat /theirs", "theirs", theirs)
    engine.ok("push", *insecure, theirs)
    engine.ok("rm", "theirs")
    engine.ok("rmi", "-f", ours, theirs)
    assert cooper.out("run", "--rm", "--network", "none", theirs) == "theirs"
    cooper.run("run", "--rm", "--network", "none", theirs, "ls", "/ours", status=1)
    assert cooper.out("image", "inspect", "-f", "{{index .RepoDigests 0}}", theirs).startswith(
        f"{registry}/theirs@sha256:"
    )
    cooper.run("rmi", theirs)


def test_with_containerd(cooper: Cooper, ctr: Containerd, registry: str, ours: str) -> None:
    """What cooper has committed containerd pulls and runs; what it pushes, also with plain layers, cooper does."""
    ctr.ok("image", "pull", "--plain-http", f"--snapshotter={ctr.snapshotter}", ours)
    done = ctr.run(image=ours)
    assert (done.returncode, done.stdout) == (0, "ours\n")
    assert ctr.run("ls", "/bin/vi", image=ours).returncode != 0

    theirs = f"{registry}/theirs:1"
    ctr.ok("image", "convert", "--uncompress", "--oci", ours, theirs)
    ctr.ok("image", "push", "--plain-http", theirs)
    ctr.ok("image", "rm", ours, theirs)
    assert cooper.out("run", "--rm", "--network", "none", theirs) == "ours"
    cooper.run("run", "--rm", "--network", "none", theirs, "ls", "/bin/vi", status=1)
    cooper.run("rmi", theirs)


def test_archives(cooper: Cooper, engine: Engine, tmp_path: Path) -> None:
    """What cooper saves they load and run; what they export and save cooper imports and loads."""
    run = ["run", f"--cgroup-parent=/{GROUP}", "--name=theirs", "localhost/saved:1"]
    files = {name: tmp_path / f"{name}.tar" for name in ("ours", "export", "save")}
    cooper.run("tag", "busybox", "localhost/saved:1")
    cooper.run("save", "-o", files["ours"], "localhost/saved:1")
    engine.ok("load", f"--input={files['ours']}")
    assert engine.ok(*run, "sh", "-c", "echo theirs > /theirs; rm /bin/vi; echo done") == "done"
    engine.ok("export", f"--output={files['export']}", "theirs")
    engine.ok("commit", "theirs", "localhost/saved:2")
    engine.ok("save", f"--output={files['save']}", "localhost/saved:2")
    engine.ok("rm", "theirs")
    engine.ok("rmi", "-f", "localhost/saved:1", "localhost/saved:2")

    cooper.run("import", files["export"], "localhost/exported")
    assert cooper.run("load", "-qi", files["save"]).stdout == b"Loaded image: localhost/saved:2\n"
    for image in ("localhost/exported", "localhost/saved:2"):
        run = ["run", "--rm", "--network", "none", image]
        assert cooper.out(*run, "cat", "/theirs") == "theirs"
        cooper.run(*run, "ls", "/bin/vi", status=1)
    cooper.run("rmi", "localhost/exported", "localhost/saved:1", "localhost/saved:2")
