"""Containers of an ordinary user: no privilege but what the kernel and newuidmap give to everybody."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import host
from .conftest import MakeContainer
from .driver import Container, Stave, pairs

# A user that every machine has, and nobody works as.
NAME = "daemon"
UID = pwd.getpwnam(NAME).pw_uid
SUBORDINATE = 700_000


@pytest.fixture(scope="module")
def installation(workshop: Path) -> Path:
    """The installed project where every user can reach it, also outside of the tests' own mounts."""
    unneeded = shutil.ignore_patterns("mypy*", "ruff*", "pip*", "*pytest*", "hypothesis*", "__pycache__")
    place = workshop / "installation"
    shutil.copytree(sys.prefix, place, symlinks=True, ignore=unneeded)
    return place


@pytest.fixture
def user(stave: Stave) -> Iterator[None]:
    """The user has subordinate ids, in the test's own mounts."""
    tables = [Path("/etc/subuid"), Path("/etc/subgid")]
    table = stave.directory / "table"
    table.write_text(f"{NAME}:{SUBORDINATE}:65536\n")
    for place in tables:
        place.touch()
        subprocess.run(["mount", "--bind", str(table), str(place)], check=True)
    try:
        yield
    finally:
        for place in tables:
            subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def rootless(installation: Path, user: None, make_container: MakeContainer) -> Container:
    """A container of the user's."""
    container = make_container()
    runtime = container.stave.directory / "run"
    runtime.mkdir()
    for path in (runtime, container.bundle, *container.bundle.rglob("*")):
        if path.name != "busybox":
            os.chown(path, UID, UID, follow_symlinks=False)
    stave = Stave(
        installation / container.stave.executable.relative_to(sys.prefix), container.stave.directory
    )
    stave.root = runtime / "stave"
    setpriv = shutil.which("setpriv") or "setpriv"
    stave.before = [setpriv, f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
    container.stave = stave
    container.linux.pop("cgroupsPath")
    container.linux["namespaces"] = [
        each for each in container.linux["namespaces"] if each["type"] not in ("network", "cgroup")
    ]
    # Without a network namespace of its own, no sysfs can be mounted in a user namespace.
    container.config["mounts"] = [each for each in container.config["mounts"] if each["type"] != "sysfs"]
    return container


def user_namespace(container: Container, *lines: tuple[int, int, int]) -> None:
    """The configuration has a user namespace with these mappings."""
    found = [dict(zip(("containerID", "hostID", "size"), line, strict=True)) for line in lines]
    container.linux["namespaces"].append({"type": "user"})
    container.linux["uidMappings"] = container.linux["gidMappings"] = found


def test_spec(rootless: Container) -> None:
    """What `spec --rootless` writes runs, but for the terminal."""
    config = rootless.bundle / "config.json"
    rootless.stave("spec", "--rootless", "--bundle", rootless.bundle)
    written: dict[str, Any] = json.loads(config.read_text())
    written["process"] |= {"terminal": False, "args": ["sh", "-c", "id -u; cat /proc/self/uid_map"]}
    rootless.config = written
    assert rootless.run().output.split() == ["0", "0", str(UID), "1"]


def test_a_life(rootless: Container) -> None:
    """create, start, exec, kill and delete need no more rights than run."""
    rootless.runs("sleep", "1000")
    rootless.create()
    rootless.start()
    assert rootless.exec_says("id", "-u") == "0"
    assert host.status_field(rootless.pid, "Uid").split()[0] == str(UID)
    rootless.kill("KILL")
    rootless.wait()
    rootless.delete()


def test_user_namespace_of_its_own(rootless: Container) -> None:
    """A configuration without a user namespace gets one, with the subordinate ids behind the user's own."""
    rootless.process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), ["CAP_CHOWN"])
    said = rootless.says("cat /proc/self/uid_map; touch /tmp/x; chown 7 /tmp/x; stat -c owner=%u /tmp/x")
    assert said.split() == ["0", str(UID), "1", "1", str(SUBORDINATE), "65536", "owner=7"]
    assert (rootless.rootfs / "tmp/x").stat().st_uid == SUBORDINATE + 6
    (rootless.rootfs / "tmp/x").unlink()


def test_hooks_run_in_the_bundle(rootless: Container) -> None:
    """With no effect on the runtime's own directory, from which relative paths count."""
    shell = shutil.which("sh") or "/bin/sh"
    hook = {"path": shell, "args": ["sh", "-c", "pwd >hook-was-here"]}
    rootless.config["hooks"] = {"createRuntime": [hook]}
    rootless.run()
    assert (rootless.bundle / "hook-was-here").read_text() == f"{rootless.bundle}\n"


def test_ids_through_newuidmap(rootless: Container) -> None:
    """Mappings of the configuration are made by the programs that may; the process may be any of the ids."""
    user_namespace(rootless, (0, UID, 1), (1, SUBORDINATE, 1000))
    rootless.process["user"] = {"uid": 5, "gid": 6, "additionalGids": [7]}
    found = pairs(rootless.says("echo uid=$(id -u); echo gid=$(id -g); echo groups=$(id -G | tr ' ' ,)"))
    assert found == {"uid": "5", "gid": "6", "groups": "6,7"}


def test_ids_that_are_not_granted(rootless: Container) -> None:
    """The table that decides is named, and nothing is left."""
    user_namespace(rootless, (0, UID, 1), (1, 5, 5))
    line = rootless.fails()
    assert line.startswith("linux.gidMappings: newgidmap ")
    assert "it goes by /etc/subgid" in line


def test_without_newuidmap(rootless: Container) -> None:
    """The user's own id is mapped alone, with a warning that names the package."""
    user_namespace(rootless, (0, UID, 1), (1, SUBORDINATE, 1000))
    rootless.script("cat /proc/self/uid_map")
    outcome = rootless.run(env={"PATH": "/nowhere"})
    assert outcome.output.split() == ["0", str(UID), "1"]
    assert "newuidmap is not installed (Debian: uidmap): only uid 0 is mapped" in outcome.errors


def test_limits_that_are_not_delegated(rootless: Container) -> None:
    """The file is named, and the ways to be allowed."""
    rootless.linux["resources"] = {"pids": {"limit": 10}}
    line = rootless.fails()
    assert "Permission denied" in line
    assert "systemd-run --user --scope -p Delegate=yes" in line and "--systemd-cgroup" in line


def test_foreign_root(rootless: Container) -> None:
    """A root file system that the user may not enter is an error that names it."""
    rootless.rootfs.chmod(0o700)
    os.chown(rootless.rootfs, 0, 0)
    line = rootless.fails()
    assert "root.path" in line and line.endswith("Permission denied")
    os.chown(rootless.rootfs, UID, UID)


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    """The user's systemd runs; returns the directory of its bus."""
    unit = f"user@{UID}.service"
    subprocess.run(["systemctl", "start", unit], check=True, timeout=60)
    directory = f"/run/user/{UID}"
    # Mounted where systemd is, which is not among the tests' own mounts.
    host.eventually(Path(f"/proc/1/root{directory}/bus").exists, "the user's bus")
    yield directory
    subprocess.run(["systemctl", "stop", unit, f"user-runtime-dir@{UID}.service"], check=True, timeout=60)


@pytest.mark.skipif(
    not Path("/run/systemd/system").is_dir(),
    reason="systemd does not run this machine, so nobody delegates groups",
)
class TestDelegation:
    """With a systemd of the user's own."""

    @pytest.fixture(autouse=True)
    def commands(self, rootless: Container, bus: str) -> Iterator[None]:
        """The runtime finds the bus."""
        before = rootless.stave.before
        rootless.stave.before = [
            "nsenter",
            "--mount=/proc/1/ns/mnt",
            *before,
            "env",
            f"XDG_RUNTIME_DIR={bus}",
        ]
        yield
        rootless.delete("--force")
        rootless.stave.before = before

    def test_scope(self, rootless: Container) -> None:
        """The user's systemd makes the group, with its limits, and removes it."""
        rootless.linux["resources"] = {"pids": {"limit": 11}, "memory": {"limit": 32 << 20}}
        rootless.runs("sleep", "1000")
        rootless.write_config()
        flags = ["--bundle", f"{rootless.bundle}", "--pid-file", f"{rootless.bundle}/pid"]
        rootless.stave("--systemd-cgroup", "create", *flags, rootless.id)
        (line,) = Path(f"/proc/{rootless.pid}/cgroup").read_text().splitlines()
        group = host.CGROUPS / line.partition("::/")[2]
        assert str(group).endswith(f"user@{UID}.service/user.slice/stave-{rootless.id}.scope")
        assert (group / "pids.max").read_text() == "11\n"
        assert (group / "memory.max").read_text() == f"{32 << 20}\n"
        rootless.start()
        rootless.stave("pause", rootless.id)
        rootless.stave("resume", rootless.id)
        rootless.kill("KILL")
        rootless.wait()
        rootless.delete()
        assert not group.exists()

    def test_delegated_group(self, rootless: Container) -> None:
        """Without systemd's help limits are set in a group next to the caller's own."""
        rootless.stave.before += [*"systemd-run --user --scope --quiet -p Delegate=yes".split()]
        rootless.linux["resources"] = {"pids": {"limit": 12}}
        rootless.script("cat /proc/self/cgroup")
        path = rootless.run().output.partition("::")[2]
        assert path.endswith(f"/{rootless.id}") and f"user@{UID}.service" in path


@pytest.mark.skipif(shutil.which("newuidmap") is None, reason="uidmap is not installed")
def test_the_library(rootless: Container) -> None:
    """A Python of the user's makes containers, too."""
    program = (
        "import sys, stave\n"
        "runtime = stave.Runtime(sys.argv[1])\n"
        "with runtime.run('lib', sys.argv[2], stdout=stave.PIPE) as made:\n"
        "    print(made.process.stdout.read().decode(), made.wait())\n"
    )
    rootless.script("id -u; exit 9")
    rootless.write_config()
    python = rootless.stave.executable.with_name("python")
    words = [*rootless.stave.before, python, "-c", program, rootless.stave.root, rootless.bundle]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["0", "9"], done.stderr
