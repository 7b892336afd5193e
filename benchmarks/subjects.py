"""The runtimes under measurement: their bundles, and their commands timed."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from profiles import config

SLEEPER = ["/bin/sleep", "1000000"]
SHORT = ["/bin/true"]


class Failed(Exception):
    """A command failed; the text has what it printed."""


@dataclass(frozen=True)
class Spent:
    """What one command took: wall-clock and CPU time in ms."""

    wall: float
    cpu: float


def spawn(command: Sequence[str], output: Path) -> Spent:
    """The command has succeeded, with its output in the file.

    It is started by `posix_spawn`, so that the size of this program does not count.

    Raises:
        Failed: its exit status is not zero.
    """
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    before = time.perf_counter_ns()
    pid = os.posix_spawn(command[0], [*command], os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = (time.perf_counter_ns() - before) / 1e6
    if status:
        raise Failed(f"{' '.join(command)}: {output.read_text(errors='replace').strip()}")
    return Spent(wall, (usage.ru_utime + usage.ru_stime) * 1e3)


@dataclass(frozen=True)
class Runtime:
    """A runtime, and the directory that holds its bundle, its state and its output."""

    name: str
    path: str
    directory: Path
    profile: str

    @property
    def id(self) -> str:
        """The name of the container, and of its control group."""
        return f"benchmark-{os.getpid()}-{self.name}"

    def configure(self, program: list[str], memory: int | None = None, pids: int | None = None) -> None:
        """The bundle asks for this program and, if given, for limits in bytes and processes."""
        text = json.dumps(config(self.profile, self.id, program, memory, pids))
        (self.directory / "config.json").write_text(text)

    def command(self, *arguments: str, output: str = "output") -> Spent:
        """The command has succeeded; what it said is in the file of this name."""
        return spawn([self.path, f"--root={self.directory}/state", *arguments], self.directory / output)

    def make(self, verb: str) -> Spent:
        """`create` or `run` has succeeded."""
        return self.command(verb, *self._container())

    def first_process(self) -> int:
        """Returns the number of the container's first process."""
        return int((self.directory / "pid").read_text())

    def runs_within(self, limit: int) -> bool:
        """Says whether a container runs a short program to its end under this memory limit in bytes."""
        self.configure(SHORT, limit)
        command = [self.path, f"--root={self.directory}/state", "run", *self._container()]
        with contextlib.suppress(subprocess.TimeoutExpired):
            if subprocess.run(command, check=False, capture_output=True, timeout=10).returncode == 0:
                return True
        self.remove()
        return False

    def remove(self) -> None:
        """The container and its control group are gone, whatever state they were in."""
        with contextlib.suppress(Failed):
            self.command("delete", "--force", self.id)
        for hierarchy in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()):
            with contextlib.suppress(OSError):
                (hierarchy / self.id).rmdir()

    def _container(self) -> list[str]:
        return [f"--bundle={self.directory}", f"--pid-file={self.directory}/pid", self.id]


@contextlib.contextmanager
def prepared(runtimes: Sequence[tuple[str, str]], profile: str) -> Iterator[list[Runtime]]:
    """Each runtime, given by name and path, has its directory on a tmpfs; nothing is left of it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", directory], check=True)
        subjects = [Runtime(name, path, Path(directory, name), profile) for name, path in runtimes]
        try:
            for subject in subjects:
                _make_rootfs(subject.directory / "rootfs")
            yield subjects
        finally:
            for subject in subjects:
                subject.remove()
            subprocess.run(["umount", "-l", directory], check=True)


def _make_rootfs(root: Path) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise SystemExit("a static busybox is needed (Debian: busybox-static)")
    for name in ("bin", "dev", "etc", "proc", "sys"):
        (root / name).mkdir(parents=True)
    for name in ("hosts", "hostname", "resolv.conf"):
        (root / "etc" / name).touch()
    shutil.copy(busybox, root / "bin" / "busybox")
    for name in ("sh", "sleep", "true"):
        (root / "bin" / name).symlink_to("busybox")


def proportional_memory(pid: int) -> float:
    """Returns the process's share of the memory that it uses, in KiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1])
    raise KeyError("Pss")


def wait_for_end(pid: int) -> None:
    """The process, an orphan that fell to this one, has ended and is reaped.

    Raises:
        Failed: it still runs after ten seconds.
    """
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        descriptor = os.pidfd_open(pid)
        try:
            if not select.select([descriptor], [], [], 10)[0]:
                raise Failed(f"process {pid} survives its container's kill")
        finally:
            os.close(descriptor)
        os.waitpid(pid, 0)


def reap() -> None:
    """Every orphan that has ended is collected."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@contextlib.contextmanager
def hugetlb_hierarchy() -> Iterator[bool]:
    """On control groups v1 the hugetlb controller is mounted, or not if that is refused: False.

    crun starts no container without it.
    """
    directory = Path("/sys/fs/cgroup/hugetlb")
    v2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    if v2 or directory.is_mount() or "hugetlb" not in Path("/proc/cgroups").read_text():
        yield True
        return
    with contextlib.suppress(OSError):
        directory.mkdir(exist_ok=True)
    mount: list[str | Path] = ["mount", "-t", "cgroup", "-o", "hugetlb", "cgroup", directory]
    done = subprocess.run(mount, check=False, capture_output=True)
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", directory], check=True)
            with contextlib.suppress(OSError):  # somebody else may have mistaken it for a hierarchy
                directory.rmdir()
