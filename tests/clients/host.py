"""What the kernel says about a container's process, read from outside of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
UNIFIED = (CGROUPS / "cgroup.controllers").exists()


def eventually(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """The condition holds.

    Raises:
        AssertionError: it did not come to hold within `seconds`; says `what` was waited for.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Says whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def status_field(pid: int, field: str) -> str:
    """Returns a field of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value.strip()
    raise KeyError(field)


def cgroup(pid: int, controller: str) -> Path:
    """Returns the directory of the process's control group that has this controller."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if UNIFIED and not controllers:
            return CGROUPS / path.lstrip("/")
        if controller in controllers.split(","):
            return CGROUPS / controller / path.lstrip("/")
    raise KeyError(controller)


def limits(pid: int) -> dict[str, str]:
    """Returns the process's limits: `memory` in bytes, `cpu` as quota and period in µs, and `pids`."""
    files = {"memory": ["memory.max"], "cpu": ["cpu.max"], "pids": ["pids.max"]}
    if not UNIFIED:
        files |= {"memory": ["memory.limit_in_bytes"], "cpu": ["cpu.cfs_quota_us", "cpu.cfs_period_us"]}
    return {
        controller: " ".join((cgroup(pid, controller) / name).read_text().strip() for name in names)
        for controller, names in files.items()
    }


def frozen(pid: int) -> bool:
    """Says whether the process's control group is frozen."""
    group = cgroup(pid, "freezer")
    if UNIFIED:
        return "frozen 1" in (group / "cgroup.events").read_text()
    return (group / "freezer.state").read_text() == "FROZEN\n"


def cgroups_below(name: str) -> list[Path]:
    """Returns the control groups below the top-level group of this name in every hierarchy, deepest first."""
    tops = [CGROUPS / name] if UNIFIED else [hierarchy / name for hierarchy in CGROUPS.iterdir()]
    return [Path(path) for top in tops for path, _, _ in os.walk(top, topdown=False)]


def mounts_below(directory: Path) -> list[str]:
    """Returns the mount points below the directory, last mounted first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in reversed(points) if point.startswith(f"{directory}/")]


def processes_naming(text: str) -> Iterator[int]:
    """Yields the processes, but for this one, that have the text in their command line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if text in entry.joinpath("cmdline").read_text(errors="replace"):
                    yield int(entry.name)


def clear(directory: Path, group: str) -> None:
    """No process, mount and control group is left of what used the directory and this top-level group."""
    for path in cgroups_below(group):
        with contextlib.suppress(OSError):
            for line in path.joinpath("cgroup.procs").read_text().split():
                _kill(int(line))
    for pid in processes_naming(str(directory)):
        _kill(pid)
    for point in mounts_below(directory):
        subprocess.run(["umount", "-l", point], check=False)
    eventually(lambda: all(_removed(path) for path in cgroups_below(group)), f"control group {group} removed")


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _removed(path: Path) -> bool:
    with contextlib.suppress(OSError):
        path.rmdir()
    return not path.exists()


def overlay_works(directory: Path) -> bool:
    """Says whether an overlay can be mounted with its upper layer in the directory."""
    for name in ("lower", "upper", "work", "merged"):
        (directory / name).mkdir()
    options = ",".join(f"{name}dir={directory / name}" for name in ("lower", "upper", "work"))
    command: list[str | Path] = ["mount", "-t", "overlay", "-o", options, "overlay", directory / "merged"]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode == 0:
        subprocess.run(["umount", directory / "merged"], check=True)
    return mounted.returncode == 0
