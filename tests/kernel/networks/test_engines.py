"""Docker and podman on the same host: their rules and ours leave each other alone."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .. import host
from .cooper import SERVER, Cooper
from .world import BEYOND, HOST, Place, World, batch

GROUP = f"network-tests-{os.getpid()}"
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
[network]
network_backend = "netavark"
network_config_dir = "{directory}/networks"
"""

Engine = Callable[..., str]


def engine(*command: str | Path, **env: str) -> Engine:
    """A function that runs the engine's commands, which must succeed, and returns what they print."""

    def run(*words: str | Path, stdin: bytes | None = None) -> str:
        done = subprocess.run(
            [*command, *words], input=stdin, capture_output=True, timeout=120, env={**os.environ, **env}
        )
        assert done.returncode == 0, f"{words}: {done.stderr.decode()}"
        return done.stdout.decode().strip()

    return run


@pytest.fixture
def directory(world: World) -> Iterator[Path]:
    """For the engines' files; their control groups and what they leave in the network of the host are removed."""
    for program in ("dockerd", "docker", "containerd", "podman", "conmon"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    # The name is to be short for podman.
    with (
        host.mounted(Path("/run"), "-t", "tmpfs", "tmpfs"),
        tempfile.TemporaryDirectory(prefix="networks-") as directory,
    ):
        yield Path(directory)
    for hierarchy in host.hierarchies():
        for path, _, _ in os.walk(hierarchy / GROUP, topdown=False):
            host.eventually(lambda path=path: removed(path), f"{path} is removed")  # type: ignore[misc]
    world.clear()
    world.host.run("nft", "flush", "ruleset")
    batch("link del docker0")


def removed(path: str) -> bool:
    """Whether the directory is gone now."""
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


@contextlib.contextmanager
def docker(directory: Path) -> Iterator[Engine]:
    """Docker's daemon, with its bridge and its rules."""
    socket = f"--host=unix://{directory}/docker.sock"
    words = [
        "dockerd", socket, f"--data-root={directory}/data", f"--exec-root={directory}/exec",
        f"--pidfile={directory}/docker.pid", "--storage-driver=vfs", "--exec-opt=native.cgroupdriver=cgroupfs",
        f"--cgroup-parent=/{GROUP}", "--shutdown-timeout=5",
    ]  # fmt: skip
    log = directory / "docker.log"
    with log.open("wb") as output:
        daemon = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def answers() -> bool:
        assert daemon.poll() is None, log.read_text()[-2000:]
        return subprocess.run(["docker", socket, "version"], capture_output=True).returncode == 0

    run = engine("docker", socket, DOCKER_CONFIG=str(directory))
    try:
        host.eventually(answers, "dockerd answers", 120)
        yield run
        for container in run("ps", "--all", "--quiet").split():
            run("rm", "--force", container)
    finally:
        daemon.terminate()
        daemon.wait(60)


@contextlib.contextmanager
def podman(directory: Path) -> Iterator[Engine]:
    """podman, with netavark."""
    conf = directory / "containers.conf"
    conf.write_text(CONTAINERS_CONF.format(directory=directory))
    places = [f"--root={directory}/storage", f"--runroot={directory}/run", f"--tmpdir={directory}/tmp"]
    run = engine("podman", *places, "--storage-driver=vfs", CONTAINERS_CONF=str(conf))
    try:
        yield run
    finally:
        run("rm", "--all", "--force", "--time=0")


def test_beside_docker_and_podman(world: World, cooper: Cooper, directory: Path) -> None:
    """All reach the outside and are reached, and none's rules change when another's containers come and go."""

    def theirs() -> list[str]:
        """The engines' rules."""
        saved = world.host.run("iptables-save") + world.host.run("ip6tables-save")
        return [re.sub(r"\[\d+:\d+\]", "", line) for line in saved.splitlines() if not line.startswith("#")]

    def work(*engines: tuple[Engine, int, Place]) -> None:
        """Their containers reach the outside, and are reached at these ports from these places."""
        for run, port, place in engines:
            assert cooper.get(HOST, port, place).endswith(b"hello"), port
            assert "1 packets received" in run("exec", "web", "busybox", "ping", "-c1", "-W5", BEYOND)

    def ours() -> None:
        """A container of cooper's is published."""
        cooper("network", "create", "front")
        cooper.run("-d", "--name", "web", "--network", "front", "-p", "8080:80", command=SERVER)

    world.host.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    flags = ("-d", "--name=web", f"--cgroup-parent=/{GROUP}")
    with docker(directory) as docker_, podman(directory) as podman_:
        tar = subprocess.run(["tar", "-C", cooper.rootfs, "-c", "."], capture_output=True, check=True).stdout
        docker_("import", "-", "busybox", stdin=tar)
        docker_("run", *flags, "-p", "8081:80", "busybox", "busybox", *SERVER)
        podman_("run", *flags, "-p", "8082:80", "--rootfs", cooper.rootfs, "busybox", *SERVER)
        # Docker's policy keeps the outside from podman's ports (netavark 1.4), with or without us.
        all_ = ((cooper, 8080, world.outside), (docker_, 8081, world.outside), (podman_, 8082, world.host))
        before = theirs()
        assert ":FORWARD DROP " in before
        ours()
        work(*all_)
        changed = theirs()
        cooper("network", "create", "back")
        assert "1 packets" in cooper.run("--rm", "--network", "back", command=("ping", "-c1", "-W5", BEYOND))
        cooper("network", "rm", "back")
        assert theirs() == changed
        cooper.clear()
        assert theirs() == before
        assert "cooper" not in world.host.run("nft", "list", "ruleset").lower()
        work(*all_[1:])
        ours()
    work(*all_[:1])
