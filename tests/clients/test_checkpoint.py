"""The engines' checkpoints with the runtime, where criu works: in the virtual machine, if not here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .containerd import Containerd
from .engines import Engine
from .host import eventually

CRIU = shutil.which("criu")
pytestmark = pytest.mark.skipif(
    CRIU is None or subprocess.run([CRIU, "check"], capture_output=True).returncode != 0,
    reason="criu does not work on this kernel, or is not installed",
)

COUNTING = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"


@pytest.fixture
def podman(podman_engine: Engine) -> Iterator[Engine]:
    """podman, without containers before and after."""
    yield podman_engine
    podman_engine.remove_all()


def count(podman: Engine, container: str) -> int:
    """How far the container has counted."""
    return int((podman.ok("logs", "--tail=1", container).split() or ["0"])[-1])


def test_checkpoint_and_restore(podman: Engine, tmp_path: Path) -> None:
    """A container goes on where it was checkpointed, and from an archive once more after its removal."""
    container = podman.start("sh", "-c", COUNTING)
    eventually(lambda: count(podman, container) > 5, "it counts")
    podman.ok("container", "checkpoint", container)
    assert podman.status(container) == "exited"
    reached = count(podman, container)
    podman.ok("container", "restore", container)
    eventually(lambda: count(podman, container) > reached, "it goes on")
    assert podman.ok("exec", container, "cat", "/proc/1/comm") == "sh"
    archive = tmp_path / "checkpoint.tar"
    podman.ok("container", "checkpoint", f"--export={archive}", container)
    reached = count(podman, container)
    podman.ok("rm", container)
    assert podman.ok("container", "restore", f"--import={archive}") == container
    # Its log is a new one.
    eventually(lambda: count(podman, container) > reached, "it goes on once more")
    podman.ok("stop", "--time=0", container)


COUNTING_IN_A_FILE = "i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.05; done"


def test_containerd(ctr: Containerd) -> None:
    """A task is checkpointed into an image of its own, and goes on."""

    def count() -> int:
        return int(ctr(*ctr.exec(container, "cat", "/count")).stdout or 0)

    container = ctr.start("sh", "-c", COUNTING_IN_A_FILE)
    eventually(lambda: count() > 5, "it counts")
    ctr.ok("container", "checkpoint", "--task", container, "localhost/checkpoint:1")
    reached = count()
    eventually(lambda: count() > reached, "it goes on")
    assert "localhost/checkpoint:1" in ctr.ok("image", "list", "--quiet").split()


def test_docker(docker_engine: Engine) -> None:
    """A container that was checkpointed is stopped, and starts where it was."""
    container = docker_engine.start("sh", "-c", COUNTING)
    eventually(lambda: count(docker_engine, container) > 5, "it counts")
    docker_engine.ok("checkpoint", "create", container, "first")
    eventually(lambda: docker_engine.status(container) == "exited", "it has ended")
    reached = count(docker_engine, container)
    docker_engine.ok("start", "--checkpoint", "first", container)
    eventually(lambda: count(docker_engine, container) > reached, "it goes on")
    docker_engine.remove_all()
