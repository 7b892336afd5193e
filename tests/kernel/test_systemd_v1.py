"""The systemd driver where systemd manages cgroup v1: booted with systemd.unified_cgroup_hierarchy=0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .driver import Container
from .host import CGROUPS, GROUP, V2, hierarchies
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


@pytest.fixture
def unit(scope: Container) -> Iterator[Container]:
    """A container that systemd makes the groups of. At a reload systemd removes groups that are no unit's: the
    tests' own are there again in the end."""
    yield scope
    for hierarchy in hierarchies():
        (hierarchy / GROUP).mkdir(exist_ok=True)


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


def test_a_life(unit: Container) -> None:
    """The process is in the scope in every hierarchy; limits and device rules are in force, and outlive a reload."""
    unit.linux["resources"] = {
        "memory": {"limit": LIMIT}, "pids": {"limit": 33}, "cpu": {"shares": 512}, "devices": RULES,
    }  # fmt: skip
    create(unit)
    name = f"test-{unit.id}.scope"
    assert all(path.endswith(f"/machine-stave.slice/{name}") for path in groups(unit).values())
    before = limits(unit)
    assert before[:3] == [f"{LIMIT}\n", "33\n", "512\n"]
    rules = before[3].splitlines()
    assert "c 10:229 rw" in rules and "c 1:3 rwm" in rules and "a *:* rwm" not in rules
    systemctl("daemon-reload")
    assert limits(unit) == before
    unit.stave("--systemd-cgroup", "update", "--memory", str(2 * LIMIT), "--pids-limit", "44", unit.id)
    assert limits(unit) == [f"{2 * LIMIT}\n", "44\n", "512\n", before[3]]
    systemctl("daemon-reload")
    assert limits(unit)[:2] == [f"{2 * LIMIT}\n", "44\n"]
    unit.stave("pause", unit.id)
    unit.stave("resume", unit.id)
    unit.kill("KILL")
    unit.wait()
    unit.delete()
    assert not list(CGROUPS.glob(f"**/{name}"))


def test_without_rules_of_its_own(unit: Container) -> None:
    """A container that may use every device has its own group all the same."""
    unit.linux["resources"] = {"devices": [{"allow": True, "access": "rwm"}]}
    create(unit)
    assert groups(unit)["devices"].endswith(f"test-{unit.id}.scope")
    assert limits(unit)[3] == "a *:* rwm\n"
