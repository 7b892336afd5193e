"""The runtime killed at any instant, and its state damaged: `delete --force` removes all of it."""

from __future__ import annotations

import signal

import pytest

from .driver import Container

# Milliseconds after the beginning of the command; a whole `create` takes some twenty.
DELAYS = [0, 2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 22, 25, 30]


@pytest.mark.parametrize("command", ["create", "run"])
def test_killed(container: Container, command: str) -> None:
    """No process, mount, cgroup or state directory is left (the fixture looks)."""
    container.runs("sleep", "1000")
    container.write_config()
    outcomes = set()
    for delay in DELAYS:
        flags = ["--detach"] if command == "run" else []
        words = [command, *flags, "--bundle", str(container.bundle), container.id]
        process, _ = container.stave.begin(*words)
        try:
            process.wait(delay / 1000)
        except Exception:
            process.send_signal(signal.SIGKILL)
        outcomes.add(process.wait())
        container.delete("--force")
    assert -signal.SIGKILL in outcomes


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]"])
def test_damaged_state(container: Container, content: bytes) -> None:
    """A state file that cannot be read is told as that, and goes with `delete --force`."""
    container.runs("true")
    container.run("--detach", "--keep")
    container.wait()
    container.delete()
    directory = container.stave.root / container.id
    directory.mkdir(mode=0o700)
    (directory / "state.json").write_bytes(content)
    assert "is damaged" in container.stave.fails("state", container.id)
    container.delete("--force")
    assert not directory.exists()
