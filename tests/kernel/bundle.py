"""Bundles made of one static busybox."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Config = dict[str, Any]

APPLETS = (
    "awk basename cat chmod chown cp cut date dd df dirname echo env expr false find grep head hostname id ip "
    "kill ln ls mkdir mkfifo mknod mount mv nc nproc od printf ps pwd readlink rm rmdir sed seq setsid sh sleep sort "
    "stat stty sync tail test timeout top touch tr true tty umount uname uniq unlink usleep wc xargs yes"
).split()

PROC = {"destination": "/proc", "type": "proc", "source": "proc"}
DEV = {
    "destination": "/dev",
    "type": "tmpfs",
    "source": "tmpfs",
    "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
}
PTS = {
    "destination": "/dev/pts",
    "type": "devpts",
    "source": "devpts",
    "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
}
SYS = {
    "destination": "/sys",
    "type": "sysfs",
    "source": "sysfs",
    "options": ["nosuid", "noexec", "nodev", "ro"],
}


def busybox() -> Path | None:
    """A busybox that needs no shared libraries."""
    found = shutil.which("busybox")
    return Path(found).resolve() if found else None


def make_rootfs(directory: Path, program: Path) -> Path:
    """The directory is a root file system: `program` (a busybox) as all the usual commands."""
    for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp"):
        (directory / name).mkdir(parents=True)
    (directory / "tmp").chmod(0o1777)
    # A link costs nothing; it only works within a file system.
    os.link(program, directory / "bin/busybox")
    for name in APPLETS:
        (directory / "bin" / name).symlink_to("busybox")
    return directory


def default_config(cgroup: str) -> Config:
    """A configuration like `stave spec` writes it, with nothing to run yet."""
    capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    return {
        "ociVersion": "1.3.0",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["true"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs"},
        "mounts": [PROC, DEV, PTS, SYS],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": namespaces("pid", "network", "ipc", "uts", "mount", "cgroup"),
        },
    }


def namespaces(*kinds: str, **paths: str) -> list[dict[str, str]]:
    """linux.namespaces: new ones of these kinds, and existing ones by path."""
    return [{"type": kind} for kind in kinds] + [{"type": kind, "path": path} for kind, path in paths.items()]


def without(entries: Sequence[dict[str, str]], *kinds: str) -> list[dict[str, str]]:
    """linux.namespaces without these kinds."""
    return [entry for entry in entries if entry["type"] not in kinds]
