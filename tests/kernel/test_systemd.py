"""The systemd driver, with a real systemd: scopes, limits and device rules that outlive a reload."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import host
from .driver import Container

pytestmark = pytest.mark.skipif(
    not Path("/run/systemd/system").is_dir(), reason="systemd does not run this machine"
)


def systemctl(*words: str) -> str:
    """What systemctl answers."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


@pytest.fixture
def scope(container: Container) -> Iterator[Container]:
    """A container that systemd makes the group of; no unit is left of it."""
    container.linux["cgroupsPath"] = f"machine-stave.slice:test:{container.id}"
    container.runs("sleep", "1000")
    container.write_config()
    yield container
    container.delete("--force")
    assert not systemctl("list-units", "--all", "--plain", "--no-legend", "test-*.scope")


def create(container: Container, *flags: str) -> None:
    """The container is created, with the driver."""
    container.write_config()
    stave = container.stave
    stave(
        "--systemd-cgroup",
        "create",
        "--bundle",
        container.bundle,
        "--pid-file",
        container.bundle / "pid",
        container.id,
    )


def group(container: Container) -> Path:
    """The container's group, as its process says."""
    (line,) = Path(f"/proc/{container.pid}/cgroup").read_text().splitlines()
    return host.CGROUPS / line.partition("::/")[2]


def test_a_life(scope: Container) -> None:
    """The process is in the scope; after its end unit and group are gone."""
    create(scope)
    unit = f"test-{scope.id}.scope"
    path = group(scope)
    assert path == host.CGROUPS / "machine.slice/machine-stave.slice" / unit
    assert systemctl("show", unit, "-P", "ActiveState") == "active"
    assert systemctl("show", unit, "-P", "Description") == f"container {scope.id}"
    scope.start()
    assert scope.exec_says("sh", "-c", "cat /proc/self/cgroup") == "0::/"
    scope.kill("KILL")
    scope.wait()
    scope.delete()
    assert not path.exists()


def test_limits_survive_a_reload(scope: Container) -> None:
    """What the configuration says holds in the files, also after daemon-reload, and after an update."""
    scope.linux["resources"] = {
        "memory": {"limit": 64 << 20},
        "pids": {"limit": 50},
        "cpu": {"shares": 512, "quota": 20000, "period": 100000, "cpus": "0"},
        "unified": {"memory.high": str(60 << 20), "memory.oom.group": "1"},
    }
    create(scope)
    path = group(scope)

    def values() -> dict[str, str]:
        files = (
            "memory.max",
            "memory.high",
            "memory.oom.group",
            "pids.max",
            "cpu.weight",
            "cpu.max",
            "cpuset.cpus",
        )
        return {name: (path / name).read_text().strip() for name in files}

    expected = {
        "memory.max": str(64 << 20),
        "memory.high": str(60 << 20),
        "memory.oom.group": "1",
        "pids.max": "50",
        "cpu.weight": "59",
        "cpu.max": "20000 100000",
        "cpuset.cpus": "0",
    }
    assert values() == expected
    systemctl("daemon-reload")
    assert values() == expected
    scope.stave("update", "--pids-limit", "60", scope.id)
    assert values()["pids.max"] == "60"
    systemctl("daemon-reload")
    assert values() == {**expected, "pids.max": "60"}
    assert systemctl("show", f"test-{scope.id}.scope", "-P", "TasksMax") == "60"


def test_device_rules_survive_a_reload(scope: Container) -> None:
    """A device that the rules forbid stays forbidden, one that they allow stays allowed."""
    scope.linux["resources"] = {
        "devices": [
            {"allow": False, "access": "rwm"},
            {"allow": True, "type": "c", "major": 10, "minor": 200, "access": "rwm"},
        ]
    }
    scope.linux["devices"] = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]
    scope.process["capabilities"] = {}
    create(scope)
    scope.start()
    refused = ["sh", "-c", "cat /dev/kmsg 2>&1 >/dev/null | head -n 1; echo x >/dev/null && echo null"]
    said = scope.exec_says(*refused)
    assert "not permitted" in said and "null" in said
    systemctl("daemon-reload")
    assert scope.exec_says(*refused) == said


def test_properties_by_annotation(scope: Container) -> None:
    """org.systemd.property.NAME reaches the unit; what systemd refuses is an error that leaves nothing."""
    scope.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "7"}
    create(scope)
    assert systemctl("show", f"test-{scope.id}.scope", "-P", "TimeoutStopUSec") == "7s"
    scope.delete("--force")
    scope.config["annotations"] = {"org.systemd.property.NoSuchThing": "true"}
    scope.write_config()
    line = scope.stave.fails("--systemd-cgroup", "create", "--bundle", scope.bundle, scope.id)
    assert "systemd refuses" in line and "NoSuchThing" in line
    assert json.loads(scope.stave("list", "--format", "json").output or "[]") in ([], None)


def test_form_of_the_path(scope: Container) -> None:
    """A path of the other driver is refused with the form that is wanted."""
    scope.linux["cgroupsPath"] = "/a/b"
    scope.write_config()
    line = scope.stave.fails("--systemd-cgroup", "create", "--bundle", scope.bundle, scope.id)
    assert 'linux.cgroupsPath: must have the form "slice:prefix:name" for systemd' in line
