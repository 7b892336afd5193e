"""podman's checkpoints with the runtime, where criu works: in the virtual machine, if not here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

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
