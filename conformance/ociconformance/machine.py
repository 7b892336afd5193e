"""What this machine offers: its cgroup hierarchies, capabilities and security modules."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
V2 = (CGROUPS / "cgroup.controllers").exists()
"""Whether the unified hierarchy is the only one."""

CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT "
    "SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL "
    "SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()
"""The kernel's names without CAP_, in the order of their numbers."""


def busybox() -> Path | None:
    """A busybox that needs no libraries, or None."""
    for candidate in (os.environ.get("OCI_CONFORMANCE_BUSYBOX"), "/bin/busybox", shutil.which("busybox")):
        if candidate and os.path.isfile(candidate) and b"ld-linux" not in Path(candidate).read_bytes()[:4096]:
            return Path(os.path.realpath(candidate))
    return None


def capabilities(mask: int) -> set[str]:
    """The names in a mask as /proc/PID/status shows it."""
    return {f"CAP_{name}" for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1}


def status_field(pid: int | str, field: str) -> str:
    """A field of /proc/PID/status.

    Raises: KeyError if there is no such field.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value.strip()
    raise KeyError(field)


def kernel() -> tuple[int, int]:
    """The kernel's version, such as (6, 12)."""
    major, minor = os.uname().release.split("-")[0].split(".")[:2]
    return int(major), int(minor)


def has_apparmor() -> bool:
    """Whether the kernel enforces AppArmor profiles."""
    with contextlib.suppress(OSError):
        return Path("/sys/module/apparmor/parameters/enabled").read_text().strip() == "Y"
    return False


def has_selinux() -> bool:
    """Whether the kernel enforces SELinux labels."""
    return Path("/sys/fs/selinux/enforce").exists()


def hierarchy(controller: str) -> Path | None:
    """Where the hierarchy with this controller is mounted, or None."""
    if V2:
        return CGROUPS if controller in (CGROUPS / "cgroup.controllers").read_text().split() else None
    return next((point for point, controllers in _cgroup_mounts() if controller in controllers), None)


def hierarchies() -> list[Path]:
    """Where the cgroup hierarchies are mounted."""
    return [CGROUPS] if V2 else [point for point, _ in _cgroup_mounts()]


def _cgroup_mounts() -> Iterator[tuple[Path, list[str]]]:
    """Where hierarchies are mounted, and the controllers of those of version 1 (among words that are none)."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        type = fields[fields.index("-") + 1]
        if type in ("cgroup", "cgroup2"):
            yield Path(fields[4]), fields[-1].split(",") if type == "cgroup" else []


def disk() -> tuple[int, int] | None:
    """The numbers of a block device, or None; rather not of one that the kernel makes up."""
    devices = Path("/sys/block").iterdir()
    found = min(devices, key=lambda each: (each.name.startswith(("loop", "ram")), each.name), default=None)
    if found is None:
        return None
    major, minor = (found / "dev").read_text().split(":")
    return int(major), int(minor)


def thaw(group: str) -> None:
    """No process below this cgroup is frozen, so that all can end."""
    for top in hierarchies():
        for directory, _, _ in os.walk(top / group):
            for name, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                with contextlib.suppress(OSError):
                    Path(directory, name).write_text(value)


def remove(group: str, seconds: float = 30) -> list[str]:
    """The cgroup and all below it are gone from every hierarchy, once they are empty; returns what is left."""
    left: list[str] = []
    for top in hierarchies():
        for directory, _, _ in os.walk(top / group, topdown=False):
            deadline = time.monotonic() + seconds
            while not _removed(directory):
                if time.monotonic() > deadline:
                    left.append(directory)
                    break
                time.sleep(0.002)
    return left


def _removed(directory: str) -> bool:
    with contextlib.suppress(OSError):
        os.rmdir(directory)
    return not os.path.exists(directory)
