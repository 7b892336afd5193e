"""Bundles made of one static busybox."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

Config = dict[str, Any]

APPLETS = (
    "awk basename cat chmod chown chrt cp cut date dd df dirname dmesg domainname echo env expr false find getopt grep head "
    "hexdump hostname id ionice ip ipcmk ipcs kill ln ls mkdir mkfifo mknod mount mv nice nproc od pidof printenv printf ps "
    "pwd readlink renice rm rmdir sed seq setsid sh sleep sort stat stty sync tail taskset test timeout touch tr true "
    "tty umount uname unlink unshare usleep wc xargs"
).split()

DEFAULT_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
SETS = ("bounding", "effective", "permitted")


def make_rootfs(directory: Path, busybox: Path) -> None:
    """The directory holds a root file system with busybox and nothing else. `busybox` is on the same file system."""
    for name in ("bin", "dev", "proc", "sys", "tmp", "etc"):
        (directory / name).mkdir(parents=True)
    os.link(busybox, directory / "bin" / "busybox")
    for applet in APPLETS:
        (directory / "bin" / applet).symlink_to("busybox")


def base_config(version: str, cgroup: str) -> Config:
    """A configuration such as engines write, without a program yet."""
    return {
        "ociVersion": version,
        "root": {"path": "rootfs"},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["true"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {name: list(DEFAULT_CAPABILITIES) for name in SETS},
        },
        "mounts": [
            mount("/proc", type="proc"),
            mount("/dev", "nosuid", "strictatime", "mode=755", "size=65536k", type="tmpfs"),
            mount("/dev/pts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", type="devpts"),
            mount("/dev/shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k", type="tmpfs"),
            mount("/sys", "nosuid", "noexec", "nodev", "ro", type="sysfs"),
        ],
        "linux": {
            "namespaces": [{"type": name} for name in ("pid", "network", "ipc", "uts", "mount")],
            "cgroupsPath": cgroup,
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        },
    }


def mount(destination: str, *options: str, type: str, source: str | Path | None = None) -> Config:
    """An entry of mounts."""
    entry: Config = {"destination": destination, "type": type, "source": str(source or type)}
    return {**entry, "options": list(options)} if options else entry


def bind(source: str | Path, destination: str, *options: str) -> Config:
    """An entry of mounts that binds a path of the host's."""
    return mount(destination, "bind", *options, type="bind", source=source)


def hook(script: str, *args: str, path: str | Path = "/bin/busybox", **more: Any) -> Config:
    """An entry of hooks: a shell with this script, which finds the container's state in `state`.

    Every hook reads the state: a runtime may take it for an error that nobody does.
    """
    text = f"state=$(cat); {script}"
    return {"path": str(path), "args": ["sh", "-c", text, *args], "env": ["PATH=/bin"], **more}
