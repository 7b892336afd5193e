"""`stave doctor` says what is true of this machine, whatever machine it is."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from . import host
from .driver import Container, Stave

Findings = dict[tuple[str, str], dict[str, Any]]
SYSTEMD = Path("/run/systemd/system").is_dir()


def findings(stave: Stave, *before: str, status: int | None = 0) -> Findings:
    """What doctor answers, by group and name; `before` is a program to run it with."""
    words: list[str | Path] = [stave.executable, "--root", stave.root, "doctor", "--json"]
    done = subprocess.run([*before, *words], capture_output=True, text=True, timeout=60)
    assert status is None or done.returncode == status, done.stderr
    return {(each["group"], each["name"]): each for each in json.loads(done.stdout)}


def test_required_features(stave: Stave) -> None:
    """Where these tests run, containers can run."""
    answers = findings(stave)
    required = [each for each in answers.values() if each["required"]]
    assert len(required) >= 4
    assert all(each["works"] for each in required)
    assert answers["kernel", "Linux 5.12 or newer"]["detail"] == os.uname().release


def test_cgroup_set_up(stave: Stave) -> None:
    """The version is that of the mounts; a controller is there if a container's group can have it."""
    answers = findings(stave)
    mounted = answers["cgroups", "mounted"]["detail"]
    controllers = {
        name.split()[1]: each["works"] for (_, name), each in answers.items() if name.startswith("contr")
    }
    if host.V2:
        assert mounted == "cgroup v2"
        assert {name for name, works in controllers.items() if works} == set(controllers) & set(
            (host.CGROUPS / "cgroup.controllers").read_text().split()
        )
        assert answers["cgroups", "device filters (eBPF)"]["works"]
        assert answers["cgroups", "cgroup.kill"]["works"]
    else:
        assert "v1" in mounted
        for name, works in controllers.items():
            assert works == (host.CGROUPS / name / "tasks").exists(), name


def test_systemd_driver(stave: Stave) -> None:
    """It is there where systemd and its bus are."""
    socket = Path("/run/dbus/system_bus_socket")
    bus = socket.exists() and stat.S_ISSOCK(socket.stat().st_mode)
    assert findings(stave)["cgroups", "systemd driver (--systemd-cgroup)"]["works"] == (SYSTEMD and bus)


def test_capabilities(stave: Stave) -> None:
    """Those that this process cannot grant are named."""
    held = int(host.status_field(os.getpid(), "CapBnd"), 16)
    answer = findings(stave)["security", "all capabilities"]
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert answer["works"] == (held == (1 << last + 1) - 1)
    assert ("CAP_SYS_RESOURCE" in answer["detail"]) == (not held >> 24 & 1)


def test_security_modules(stave: Stave) -> None:
    """AppArmor is there where it confines this process."""
    label = Path("/proc/self/attr/apparmor/current")
    try:
        confines = bool(label.read_text())
    except OSError:
        confines = False
    assert findings(stave)["security", "AppArmor"]["works"] == confines


def test_namespaces(stave: Stave) -> None:
    """Root can make all that the kernel has."""
    answers = findings(stave)
    for name, link in [("user", "user"), ("network", "net"), ("mount", "mnt"), ("time", "time")]:
        assert answers["namespaces", name]["works"] == Path(f"/proc/self/ns/{link}").exists()


def test_a_limit_on_namespaces(stave: Stave) -> None:
    """The file that forbids a namespace is named."""
    script = 'echo 0 >/proc/sys/user/max_uts_namespaces && exec "$@"'
    answers = findings(stave, "unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", status=None)
    assert not answers["namespaces", "uts"]["works"]
    assert answers["namespaces", "uts"]["detail"] == "/proc/sys/user/max_uts_namespaces is 0"
    assert answers["namespaces", "ipc"]["works"]


def test_rootless(stave: Stave) -> None:
    """Without root's power: namespaces by way of a user namespace, and what is missing of the control groups."""
    answers = findings(stave, "unshare", "--user", "--map-user=1000", "--map-group=1000", status=None)
    assert answers["namespaces", "network"]["works"]
    assert answers["namespaces", "newuidmap for rootless use"]["works"] == _may_map()
    if host.V2:
        assert answers["cgroups", "a delegated group"]
    else:
        memory = answers["cgroups", "controller memory"]
        assert memory["works"] or "cannot be delegated" in memory["detail"]


def _may_map() -> bool:
    """Whether newuidmap is there and the user that uid 1000 is has a range."""
    try:
        names = [pwd.getpwuid(1000).pw_name, "1000"]
    except KeyError:
        names = ["1000"]
    path = Path("/etc/subuid")
    lines = path.read_text().splitlines() if path.exists() else []
    return shutil.which("newuidmap") is not None and any(line.split(":")[0] in names for line in lines)


def test_drift(container: Container) -> None:
    """A limit that somebody has changed since is named with its file, and gone once it is as configured."""
    container.linux["resources"] = {
        "pids": {"limit": 100},
        "memory": {"limit": 64 << 20},
        "cpu": {"shares": 512, "cpus": "0"},
    }
    container.launch()
    stave = container.stave
    assert findings(stave)["containers", container.id]["detail"] == "limits as configured"
    hierarchy = host.CGROUPS if host.V2 else host.CGROUPS / "pids"
    file = hierarchy / host.GROUP / container.id / "pids.max"
    file.write_text("max")
    answer = findings(stave, status=1)["containers", container.id]
    assert not answer["works"]
    assert answer["detail"] == f"linux.resources.pids.limit: {file} is 'max', should be '100'"
    file.write_text("100")
    assert findings(stave)["containers", container.id]["works"]
    container.kill("KILL")
    container.wait()
    assert ("containers", container.id) not in findings(stave)


def test_without_a_state_directory(stave: Stave) -> None:
    """A user whose state directory nobody knows gets the report as well, with what is missing."""
    words: list[str | Path] = [stave.executable, "--rootless", "true", "doctor", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 1 and done.stderr == ""
    answers = {(each["group"], each["name"]): each for each in json.loads(done.stdout)}
    assert answers["kernel", "Linux 5.12 or newer"]
    missing = answers["containers", "state directory"]
    assert missing["detail"] == "XDG_RUNTIME_DIR is not set: name the state directory with --root"


def test_text(stave: Stave) -> None:
    """People read lines with yes and no."""
    lines = stave("doctor").output.splitlines()
    assert lines[0] == "kernel:"
    assert lines[1].split()[:3] == ["yes", "Linux", "5.12"]


@pytest.mark.skipif(shutil.which("criu") is None, reason="criu is not installed")
def test_criu(stave: Stave) -> None:
    """criu's own check decides."""
    works = subprocess.run(["criu", "check"], capture_output=True).returncode == 0
    assert findings(stave)["tools", "criu"]["works"] == works
