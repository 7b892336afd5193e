"""A place of its own for a run: whatever a runtime leaves behind goes away with it.

The run has its own mount namespace, so that no mount reaches the host; its own PID namespace, of which it is the
first process, so that orphans come to it and nothing survives it; and its own empty /run, where runtimes keep
their state and bundles are made.
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import sys
from pathlib import Path

from ociconformance import machine

WORK = Path("/run/oci-conformance")
"""Where everything that a run makes lies, on a file system of its own."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWPID = 0x20000, 0x20000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1


def enter() -> None:
    """The calling process waits for a child and ends as it does; the child returns, in its own namespaces.

    Raises: PermissionError without the privileges of root.
    """
    _check(_LIBC.unshare(_CLONE_NEWNS | _CLONE_NEWPID), "unshare")
    child = os.fork()
    if child:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: os.kill(child, signal.SIGKILL))
        _, status = os.waitpid(child, 0)
        sys.stdout.flush()
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    _check(_LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    mount("none", "/", flags=_MS_REC | _MS_PRIVATE)
    mount("proc", "/proc", "proc")
    mount("tmpfs", "/run", "tmpfs", data="mode=755")
    WORK.mkdir()
    # A runtime may change the owner of its standard streams: not of the machine's own null device.
    null = WORK / "null"
    os.umask(0)
    os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    mount(str(null), os.devnull, flags=_MS_BIND)
    os.umask(0o022)
    if not machine.V2:
        _mount_hierarchies()


def _mount_hierarchies() -> None:
    """The directory of the cgroup v1 hierarchies is a copy, and the kernel's hierarchies are all mounted in it.

    A runtime may take a hierarchy for mounted that isn't, and make its cgroups as plain directories there.
    """
    before = WORK / "cgroup"
    before.mkdir()
    mount(str(machine.CGROUPS), before, flags=_MS_BIND | _MS_REC)
    mount("tmpfs", machine.CGROUPS, "tmpfs", data="mode=755")
    for entry in sorted(before.iterdir()):
        there = machine.CGROUPS / entry.name
        if entry.is_symlink():
            there.symlink_to(entry.readlink())
        elif entry.is_mount():
            there.mkdir()
            mount(str(entry), there, flags=_MS_BIND | _MS_REC)
    unmount(before)
    before.rmdir()
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        controllers = line.split(":")[1]
        there = machine.CGROUPS / controllers
        if controllers and "=" not in controllers and machine.hierarchy(controllers.split(",")[0]) is None:
            there.mkdir()
            try:
                mount("cgroup", there, "cgroup", data=controllers)
            except OSError:
                there.rmdir()


def mount(
    source: str, target: str | Path, type: str | None = None, flags: int = 0, data: str | None = None
) -> None:
    """mount(2)."""
    words = [word.encode() if word is not None else None for word in (source, str(target), type)]
    _check(_LIBC.mount(*words, flags, data.encode() if data is not None else None), f"mount {target}")


def unmount(target: str | Path) -> None:
    """The mount is detached, also if it is in use."""
    _check(_LIBC.umount2(str(target).encode(), _MNT_DETACH), f"umount {target}")


def mount_points() -> list[str]:
    """Where something is mounted, in the order of mounting."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4].encode().decode("unicode_escape") for line in lines]


def end_all_others() -> None:
    """No other process is left in this PID namespace, of which the caller is the first."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def setns(path: str | Path, kind: int = 0) -> None:
    """setns(2) to the namespace of this file."""
    with open(path, "rb") as file:
        _check(_LIBC.setns(file.fileno(), kind), f"setns {path}")


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_LIBC.unshare(flags), "unshare")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
