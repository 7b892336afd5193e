"""The systemd driver where systemd manages cgroup v1: booted with systemd.unified_cgroup_hierarchy=0."""

from __future__ import annotations

from pathlib import Path

import pytest

from .driver import Container
from .host import CGROUPS, V2
from .test_systemd import create, scope, systemctl

__all__ = ["scope"]
pytestmark = pytest.mark.skipif(
    V2 or not Path("/run/systemd/system").is_dir(),
    reason="systemd does not run this machine, or not on cgroup v1",
)
LIMIT = 64 << 20
RULES = [
    {"allow": False, "access": "rwm"},
    {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
]


def groups(container: Container) -> dict[str, str]:
    """The process's group below each controller's mount point."""
    lines = Path(f"/proc/{container.pid}/cgroup").read_text().splitlines()
    found = [line.split(":", 2)[1:] for line in lines]
    return {name: path for names, path in found for name in names.split(",") if names}


def limits(container: Container) -> list[str]:
    """What is in force."""
    where = groups(container)
    files = {
        "memory": "memory.limit_in_bytes",
        "pids": "pids.max",
        "cpu": "cpu.shares",
        "devices": "devices.list",
    }
    return [(CGROUPS / name / where[name][1:] / file).read_text() for name, file in files.items()]


def test_a_life(scope: Container) -> None:
    """The process is in the scope in every hierarchy; limits and device rules are in force, and outlive a reload."""
    scope.linux["resources"] = {
        "memory": {"limit": LIMIT}, "pids": {"limit": 33}, "cpu": {"shares": 512}, "devices": RULES,
    }  # fmt: skip
    create(scope)
    unit = f"test-{scope.id}.scope"
    assert all(path.endswith(f"/machine-stave.slice/{unit}") for path in groups(scope).values())
    before = limits(scope)
    assert before[:3] == [f"{LIMIT}\n", "33\n", "512\n"]
    rules = before[3].splitlines()
    assert "c 10:229 rw" in rules and "c 1:3 rwm" in rules and "a *:* rwm" not in rules
    systemctl("daemon-reload")
    assert limits(scope) == before
    scope.stave("--systemd-cgroup", "update", "--memory", str(2 * LIMIT), "--pids-limit", "44", scope.id)
    assert limits(scope) == [f"{2 * LIMIT}\n", "44\n", "512\n", before[3]]
    systemctl("daemon-reload")
    assert limits(scope)[:2] == [f"{2 * LIMIT}\n", "44\n"]
    scope.stave("pause", scope.id)
    scope.stave("resume", scope.id)
    scope.kill("KILL")
    scope.wait()
    scope.delete()
    assert not list(CGROUPS.glob(f"**/{unit}"))


def test_without_rules_of_its_own(scope: Container) -> None:
    """A container that may use every device has its own group all the same."""
    scope.linux["resources"] = {"devices": [{"allow": True, "access": "rwm"}]}
    create(scope)
    assert groups(scope)["devices"].endswith(f"test-{scope.id}.scope")
    assert limits(scope)[3] == "a *:* rwm\n"
