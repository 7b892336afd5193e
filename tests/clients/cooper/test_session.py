"""One session from an empty root, as a person types it, on each of two runtimes; and images that podman shares."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..engines import Engine
from ..host import UNIFIED, cgroup, eventually
from ..image import rootfs_tar
from ..terminal import Terminal
from .program import Cooper, place

DockerRegistry = Callable[..., contextlib.AbstractContextManager[str]]


@pytest.fixture
def registry(docker_registry: DockerRegistry, tmp_path: Path) -> Iterator[str]:
    """The address of Debian's docker-registry, which is running."""
    with docker_registry(tmp_path) as address:
        yield address


@pytest.fixture(scope="module")
def crun() -> Iterator[str]:
    """crun, which wants all v1 controllers that the kernel has."""
    program = shutil.which("crun")
    if program is None:
        pytest.skip("crun is not installed")
    group = Path("/sys/fs/cgroup/hugetlb")
    missing = not UNIFIED and "hugetlb" in Path("/proc/cgroups").read_text() and not group.is_dir()
    if missing:
        group.mkdir()
        if subprocess.run(
            ["mount", "-t", "cgroup", "-o", "hugetlb", "cgroup", group], capture_output=True
        ).returncode:
            group.rmdir()
            pytest.skip("crun needs the hugetlb controller, which cannot be mounted now")
    yield program
    if missing:
        subprocess.run(["umount", group], check=True)
        group.rmdir()


@pytest.fixture(params=["tested", "crun"])
def own(request: pytest.FixtureRequest, runtime: Path) -> Iterator[Cooper]:
    """cooper with an empty root, on the runtime under test or on crun."""
    program = request.getfixturevalue("crun") if request.param == "crun" else runtime
    with place() as directory:
        cooper = Cooper(directory / "root", program)
        yield cooper
        cooper.remove_all()
        assert not cooper.leftovers()


def test_a_session(own: Cooper, registry: str, tmp_path: Path) -> None:
    """import, run on a terminal with limits, a server, ps, logs, exec, commit, push, stop, restart, rm."""
    (tmp_path / "rootfs.tar").write_bytes(rootfs_tar(Path(shutil.which("busybox") or "")))
    own.run("import", tmp_path / "rootfs.tar", "busybox")
    flags = ("-it", "--name=testcontainer", "-m", "100m", "--cpuset", "0", "--cpushare", "512", "-e", "A=b",
             "-v", f"{tmp_path}/data:/data")  # fmt: skip
    with Terminal(own.command("run", *flags, "busybox", "sh"), os.environ) as terminal:
        terminal.expect("# ")
        pid = int(own.inspect("testcontainer", "{{.State.Pid}}"))
        assert (cgroup(pid, "cpuset") / "cpuset.cpus").read_text().strip() == "0"
        limit = cgroup(pid, "memory") / ("memory.max" if UNIFIED else "memory.limit_in_bytes")
        assert limit.read_text().strip() == str(100 << 20)
        terminal.type("echo $A$A; echo kept > /data/file; exit 7\n")
        terminal.expect("bb")
        assert terminal.exit_code() == 7
    assert (tmp_path / "data/file").read_text() == "kept\n"

    own.run(
        "run",
        "-d",
        "--name=web",
        "busybox",
        "sh",
        "-c",
        "mkdir /www; echo hello > /www/index.html; exec httpd -fvv -h /www",
    )
    assert own.out("ps", "--format", "{{.Names}} {{.Image}} {{.State}}") == "web busybox running"
    fetch = ("run", "--rm", "busybox", "wget", "-qO-", "http://web/")
    eventually(
        lambda: own.run(*fetch, status=None).stdout == b"hello\n", "the other container finds it by name"
    )
    eventually(
        lambda: "url:/" in own.out("logs", "web") + own.run("logs", "web").stderr.decode(),
        "the log has the request",
    )
    with Terminal(own.command("exec", "-it", "web", "sh"), os.environ) as terminal:
        terminal.expect("# ")
        terminal.type("echo made > /made; tty; exit\n")
        terminal.expect("/dev/pts/")
        assert terminal.exit_code() == 0

    own.run("commit", "web", f"{registry}/web:1")
    own.run("push", f"{registry}/web:1")
    own.run("stop", "-t", "1", "web")
    own.run("restart", "web")
    assert own.inspect("web", "{{.State.Status}}") == "running"
    assert own.out("rm", "-f", "web") == "web"
    own.run("rm", "testcontainer")
    own.run("rmi", f"{registry}/web:1")
    assert own.out("run", "--rm", "--entrypoint", "", f"{registry}/web:1", "cat", "/made") == "made"


def test_images_shared_with_podman(cooper: Cooper, podman_engine: Engine, registry: str) -> None:
    """What cooper commits and pushes podman pulls and runs, and the other way round."""
    podman = podman_engine
    cooper.run(
        "run", "--name", "one", "--network", "none", "busybox", "sh", "-c", "echo ours > /ours; rm /bin/vi"
    )
    cooper.run("commit", "-c", 'CMD ["cat", "/ours"]', "one", f"{registry}/ours")
    cooper.run("push", f"{registry}/ours")
    podman.ok("pull", "--tls-verify=false", f"{registry}/ours")
    assert podman.ok("run", "--rm", *podman._run_flags, f"{registry}/ours") == "ours"
    assert podman("run", "--rm", *podman._run_flags, f"{registry}/ours", "ls", "/bin/vi").returncode != 0

    podman.ok(
        "run",
        "--name=theirs",
        *podman._run_flags,
        f"{registry}/ours",
        "sh",
        "-c",
        "echo theirs > /theirs; rm /ours",
    )
    podman.ok("commit", "--change=CMD cat /theirs", "theirs", f"{registry}/theirs")
    podman.ok("push", "--tls-verify=false", f"{registry}/theirs")
    podman.ok("rm", "theirs")
    assert cooper.out("run", "--rm", "--network", "none", f"{registry}/theirs") == "theirs"
    cooper.run("run", "--rm", "--network", "none", f"{registry}/theirs", "ls", "/ours", status=1)
    for name in ("ours", "theirs"):
        podman.ok("rmi", "-f", f"{registry}/{name}")
        cooper.run("rmi", f"{registry}/{name}", status=None)
