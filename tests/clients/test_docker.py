"""What Docker asks of a runtime beyond single containers' lives: figures, health, restarts, and a swarm."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from .engines import Engine
from .host import eventually
from .image import IMAGE


@pytest.fixture
def docker(docker_engine: Engine) -> Iterator[Engine]:
    """Docker, without containers before and after."""
    yield docker_engine
    docker_engine.remove_all()


def test_stats(docker: Engine) -> None:
    """Memory and processes of a running container are shown."""
    container = docker.start("--memory=64m", "sleep", "1000")
    shown = json.loads(docker.ok("stats", "--no-stream", "--format={{json .}}", container))
    assert shown["PIDs"] == "1"
    assert shown["MemUsage"].endswith("/ 64MiB")


def test_health(docker: Engine) -> None:
    """The health check is executed in the container, and follows what it finds."""
    flags = [
        "--health-cmd=test -e /tmp/well",
        "--health-interval=1s",
        "--health-retries=1",
        "--health-timeout=10s",
    ]
    container = docker.start(*flags, "sleep", "1000")

    def health() -> str:
        return docker.inspect(container, ".State.Health.Status")

    eventually(lambda: health() == "unhealthy", "the check fails")
    docker.ok("exec", container, "touch", "/tmp/well")
    eventually(lambda: health() == "healthy", "the check succeeds")


def test_restart_policy(docker: Engine) -> None:
    """A program that fails is started again as often as was asked for."""
    container = docker.start("--restart=on-failure:2", "sh", "-c", "echo run; exit 3")
    eventually(lambda: docker.inspect(container, ".RestartCount") == "2", "two restarts")
    eventually(lambda: docker.status(container) == "exited", "no third one")
    assert docker.inspect(container, ".State.ExitCode") == "3"
    assert docker.ok("logs", container).split() == ["run"] * 3


def test_restart_after_a_death(docker: Engine) -> None:
    """With --restart=always a container whose process dies comes back."""
    container = docker.start("--restart=always", "sleep", "1000")
    before = docker.pid(container)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: docker.pid(container) not in (0, before), "another process")


@pytest.fixture
def swarm(docker: Engine) -> Iterator[Engine]:
    """Docker as a swarm of one node."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    docker.ok("swarm", "init", f"--advertise-addr={address}", f"--listen-addr={address}")
    yield docker
    for service in docker.ok("service", "ls", "--quiet").split():
        docker.ok("service", "rm", service)
    docker.ok("swarm", "leave", "--force")


def test_replicated_service(swarm: Engine) -> None:
    """Replicas run, more of them on demand, and one that is killed is replaced."""
    flags = [
        "--detach",
        "--replicas=2",
        "--network=host",
        "--name=web",
        "--no-resolve-image",
        "--restart-delay=100ms",
    ]
    swarm.ok("service", "create", *flags, IMAGE, "sleep", "1000")

    def running() -> list[str]:
        return swarm.ok("ps", "--quiet", "--filter=label=com.docker.swarm.service.name=web").split()

    eventually(lambda: len(running()) == 2, "two replicas", 120)
    swarm.ok("service", "scale", "--detach", "web=3")
    eventually(lambda: len(running()) == 3, "a third one", 120)
    killed = running()[0]
    swarm.ok("kill", killed)
    eventually(lambda: len(running()) == 3 and killed not in running(), "it is replaced", 120)
