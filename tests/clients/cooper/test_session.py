"""One session from an empty root, as a person types it, on three runtimes and with images of two origins."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..host import UNIFIED, cgroup, eventually
from ..image import rootfs_tar
from ..terminal import Terminal
from .debian import Debian, debian
from .program import Cooper, place

DockerRegistry = Callable[..., contextlib.AbstractContextManager[str]]
NO_CRUN = "crun is not installed, or its hugetlb controller cannot be mounted"


@pytest.fixture
def coopers(runtime: Path, crun: str | None) -> Iterator[list[Cooper]]:
    """cooper with an empty root, once for each runtime. In memory: disks may be slow, and that is not what is tested."""
    programs = {os.path.realpath(each): each for each in (runtime, shutil.which("runc"), crun) if each}
    with contextlib.ExitStack() as stack:
        made = [
            Cooper(stack.enter_context(place(in_memory=True)) / "root", each) for each in programs.values()
        ]
        yield made
        for cooper in made:
            cooper.remove_all()
            assert not cooper.leftovers()


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[Debian]:
    """Debian's root file system, which is made while other tests run."""
    with debian() as made:
        yield made


def session(cooper: Cooper, rootfs: Path, registry: str, directory: Path) -> Iterator[None]:
    """The session, with a pause while `stop` waits for a program that does not listen."""
    data = directory / "data"
    cooper.run("import", rootfs, "busybox")

    flags = (
        "-it", "--name=testcontainer", "-m", "100m", "--cpuset", "0", "--cpushare", "512", "-e", "A=b", "-v", f"{data}:/data",
    )  # fmt: skip
    with Terminal(cooper.command("run", *flags, "busybox", "sh"), os.environ) as terminal:
        terminal.expect("# ")
        pid = int(cooper.inspect("testcontainer", "{{.State.Pid}}"))
        assert (cgroup(pid, "cpuset") / "cpuset.cpus").read_text().strip() == "0"
        limit = cgroup(pid, "memory") / ("memory.max" if UNIFIED else "memory.limit_in_bytes")
        assert limit.read_text().strip() == str(100 << 20)
        weight = cgroup(pid, "cpu") / ("cpu.weight" if UNIFIED else "cpu.shares")
        assert 1 < int(weight.read_text()) < 100 if UNIFIED else int(weight.read_text()) == 512
        terminal.type("echo $A$A; echo kept > /data/file; exit 7\n")
        terminal.expect("bb")
        assert terminal.exit_code() == 7
    assert (data / "file").read_text() == "kept\n"
    assert "bb" in cooper.out("logs", "testcontainer")

    cooper.run("run", "-d", "--name=web", "busybox", "httpd", "-f")
    assert cooper.out("ps", "--format", "{{.Names}} {{.Image}} {{.State}}") == "web busybox running"
    assert cooper.out("logs", "web") == ""
    with Terminal(cooper.command("exec", "-it", "web", "sh"), os.environ) as terminal:
        terminal.expect("# ")
        terminal.type("echo made > /index.html; tty; exit\n")
        terminal.expect("/dev/pts/")
        assert terminal.exit_code() == 0
    serves(cooper)

    cooper.run("commit", "web", "web:1")
    cooper.run("push", f"{registry}/web:1")
    stop = cooper.start("stop", "web")
    yield
    out, err = stop.communicate(timeout=120)
    assert (out, stop.returncode) == (b"web\n", 0)
    assert b"web did not end within 10 s and was killed" in err
    cooper.run("restart", "web")
    assert cooper.inspect("web", "{{.State.Status}}") == "running"
    serves(cooper)
    assert cooper.out("rm", "-f", "web") == "web"
    assert cooper.out("ps", "-a", "--format", "{{.Names}} {{.State}}") == "testcontainer exited"

    cooper.run("rm", "testcontainer")
    cooper.run("rmi", "web:1")
    assert cooper.out("run", "--rm", "--entrypoint", "", f"{registry}/web:1", "cat", "/index.html") == "made"


def serves(cooper: Cooper) -> None:
    """Another container gets the page from `web`, by its name."""
    fetch = ("run", "--rm", "busybox", "busybox", "wget", "-qO-", "http://web/")
    eventually(lambda: cooper.run(*fetch, status=None).stdout == b"made\n", "the page is there")


def run_sessions(
    coopers: list[Cooper], rootfs: Path, docker_registry: DockerRegistry, directory: Path
) -> None:
    """One session for each cooper, each with a registry and a directory of its own; they wait at the same time."""
    sessions = []
    with contextlib.ExitStack() as stack:
        for number, cooper in enumerate(coopers):
            own = directory / str(number)
            own.mkdir()
            registry = stack.enter_context(docker_registry(own)).replace("127.0.0.1", "localhost")
            sessions.append(session(cooper, rootfs, registry, own))
            next(sessions[-1])
        for each in sessions:
            assert next(each, "the end") == "the end"


def test_a_session(
    coopers: list[Cooper],
    crun: str | None,
    bootstrap: Debian,
    docker_registry: DockerRegistry,
    tmp_path: Path,
) -> None:
    """import, run on a terminal with limits, a server, ps, logs, exec, commit, push, stop, restart, rm."""
    rootfs = tmp_path / "rootfs.tar"
    rootfs.write_bytes(rootfs_tar(Path(shutil.which("busybox") or "")))
    run_sessions(coopers, rootfs, docker_registry, tmp_path)
    if crun is None:
        pytest.skip(f"seen with the others, but not with crun: {NO_CRUN}")


def test_a_session_on_debian(
    coopers: list[Cooper], bootstrap: Debian, docker_registry: DockerRegistry, tmp_path: Path
) -> None:
    """The same with a distribution's root file system."""
    run_sessions(coopers, bootstrap.tar(), docker_registry, tmp_path)
