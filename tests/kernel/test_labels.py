"""Labels of security modules: AppArmor where the kernel has it (the virtual machine does), else their refusal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stave.host.security import security_modules

from .driver import Container, Stave
from .operations import in_new_root

APPARMOR = "apparmor" in security_modules()
PROFILE = f"stave-test-{os.getpid()}"
TEXT = f"""
profile {PROFILE} flags=(attach_disconnected,mediate_deleted) {{
  file,
  capability,
  network,
  signal,
  deny /etc/secret r,
}}
"""

with_apparmor = pytest.mark.skipif(not APPARMOR, reason="AppArmor is not enabled in this kernel")


@pytest.fixture
def profile() -> Iterator[str]:
    """A profile that lets everything but /etc/secret be read."""
    _load("--add", TEXT)
    yield PROFILE
    _load("--remove", TEXT)


def _load(how: str, text: str) -> None:
    command = ["apparmor_parser", "--skip-cache", how]
    subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=60)


@with_apparmor
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_profile(container: Container, profile: str, no_new_privileges: bool) -> None:
    """The program runs under the profile, from its first instruction on."""
    (container.bundle / "rootfs/etc/secret").write_text("x")
    container.process["apparmorProfile"] = profile
    container.process["noNewPrivileges"] = no_new_privileges
    output = container.says("cat /proc/self/attr/current; cat /etc/secret 2>&1 || true")
    assert output.splitlines() == [f"{profile} (enforce)", "cat: can't open '/etc/secret': Permission denied"]


@with_apparmor
def test_exec(container: Container, profile: str) -> None:
    """What is executed later is confined as the container is, or as the caller says."""
    container.process["apparmorProfile"] = profile
    container.launch()
    label = ("cat", "/proc/self/attr/current")
    assert container.exec_says(*label) == f"{profile} (enforce)"
    assert container.exec_says("--apparmor=unconfined", *label) == "unconfined"


@with_apparmor
def test_exec_into_an_unconfined_container(container: Container, profile: str) -> None:
    """--apparmor confines one process, also where it joins a user namespace."""
    same = [{"containerID": 0, "hostID": 0, "size": 65536}]
    container.linux |= {"uidMappings": same, "gidMappings": same}
    container.linux["namespaces"] += [{"type": "user"}]
    container.launch()
    assert (
        container.exec_says(f"--apparmor={profile}", "cat", "/proc/self/attr/current")
        == f"{profile} (enforce)"
    )


@with_apparmor
def test_hooks_are_confined(container: Container, profile: str) -> None:
    """A startContainer hook comes from the container's files, so it must not have more rights than the program."""
    container.process["apparmorProfile"] = profile
    script = "cat /proc/self/attr/current >/hook"
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin"]}
    container.config["hooks"] = {"startContainer": [hook]}
    assert container.says("cat /hook") == f"{profile} (enforce)"


@with_apparmor
def test_missing_profile(container: Container) -> None:
    """A profile that is not loaded is named."""
    container.process["apparmorProfile"] = "nosuch"
    container.create()
    line = container.stave.fails("start", container.id)
    assert "process.apparmorProfile: write exec nosuch (no such profile is loaded): No such file" in line


@pytest.mark.skipif(APPARMOR, reason="AppArmor is enabled in this kernel")
def test_without_apparmor(container: Container) -> None:
    """Where AppArmor is off a profile is an error, and "unconfined" is not."""
    container.process["apparmorProfile"] = "web"
    assert container.fails() == "process.apparmorProfile: AppArmor is not enabled on this machine"
    container.process["apparmorProfile"] = "unconfined"
    assert container.says("echo runs") == "runs"


def test_without_selinux(container: Container) -> None:
    """Where SELinux is off the process's label is an error, the mounts' has no effect."""
    if "selinux" in security_modules():
        pytest.skip("SELinux is enabled in this kernel")
    container.process["selinuxLabel"] = "a:b:c:s0"
    assert container.fails() == "process.selinuxLabel: SELinux is not enabled on this machine"
    del container.process["selinuxLabel"]
    container.linux["mountLabel"] = "a:b:c:s0"
    assert container.says("echo runs") == "runs"


def test_label_of_a_path(stave: Stave, directory: Path, host_unchanged: object) -> None:
    """A label that no option takes is the attribute that SELinux reads; the kernel stores it also without."""
    (directory / "queue").mkdir()
    in_new_root(stave, directory, ("label_path", "/queue", "a:b:c:s0"))
    assert os.getxattr(directory / "queue", "security.selinux").rstrip(b"\0") == b"a:b:c:s0"
