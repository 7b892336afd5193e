"""Labels of security modules: AppArmor where the kernel has it (the virtual machine does), else their refusal."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stave.host.security import security_modules

from .driver import Container, Stave
from .operations import in_new_root

APPARMOR = "apparmor" in security_modules()
SELINUX_LABEL = "system_u:system_r:container_t:s0:c1,c2"
MOUNT_LABEL = "system_u:object_r:container_file_t:s0:c1,c2"
_KEYCTL = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
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


def _is_known(label: str) -> bool:
    """Whether SELinux is on, and its policy has the label."""
    try:
        Path("/sys/fs/selinux/context").write_text(label)
    except OSError:
        return False
    return True


with_selinux = pytest.mark.skipif(
    not _is_known(SELINUX_LABEL), reason="SELinux is off, or its policy has no container_t"
)


@with_selinux
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_selinux_label(container: Container, no_new_privileges: bool) -> None:
    """The program and its session keyring have the label; what is executed later has it too, or its own."""
    container.process["selinuxLabel"] = SELINUX_LABEL
    container.process["noNewPrivileges"] = no_new_privileges
    container.script("cat /proc/self/attr/current; echo; cat /proc/keys; sleep 1000")
    container.run("--detach")
    container.eventually_says(f"_ses.{container.id}: ")
    label, *keys = container.output.splitlines()
    assert label.rstrip("\0") == SELINUX_LABEL
    (session,) = [int(line.split()[0], 16) for line in keys if f"_ses.{container.id}: " in line]
    assert _label_of_key(session) == SELINUX_LABEL
    other = SELINUX_LABEL.replace("c1,c2", "c2")
    shown = ("cat", "/proc/self/attr/current")
    assert container.exec_says(*shown).rstrip("\0") == SELINUX_LABEL
    assert container.exec_says(f"--process-label={other}", *shown).rstrip("\0") == other
    refused = container.exec("--process-label=nonsense", "true", status=255).errors
    assert (
        "process.selinuxLabel: write nonsense (the security module does not know it): Invalid argument"
        in refused
    )


@with_selinux
def test_mount_label(container: Container) -> None:
    """What is mounted anew has the label, by an option or, where the file system takes none, by its attribute."""
    container.linux["mountLabel"] = MOUNT_LABEL
    container.mount("/tmp", type="tmpfs")
    container.mount("/dev/mqueue", type="mqueue")
    container.launch()
    root = Path(f"/proc/{container.pid}/root")
    for place in ("dev", "tmp", "dev/mqueue"):
        assert os.getxattr(root / place, "security.selinux").rstrip(b"\0").decode() == MOUNT_LABEL, place


def _label_of_key(number: int) -> str:
    """keyctl(2), KEYCTL_GET_SECURITY."""
    text = ctypes.create_string_buffer(256)
    assert ctypes.CDLL(None, use_errno=True).syscall(_KEYCTL, 17, number, text, len(text)) > 0
    return text.value.decode()


def test_label_of_a_path(stave: Stave, directory: Path, host_unchanged: object) -> None:
    """A label that no option takes is the attribute that SELinux reads; the kernel stores it also without."""
    if "selinux" in security_modules():
        pytest.skip("SELinux is enabled in this kernel, and knows which file systems and labels there are")
    (directory / "queue").mkdir()
    in_new_root(stave, directory, ("label_path", "/queue", "a:b:c:s0"))
    assert os.getxattr(directory / "queue", "security.selinux").rstrip(b"\0") == b"a:b:c:s0"
