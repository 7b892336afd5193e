"""What a container may leave behind on the host, and waiting for things to happen there."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
V2 = (CGROUPS / "cgroup.controllers").exists()
GROUP = f"stave-tests-{os.getpid()}"
"""The cgroup, in every hierarchy, of all containers of this test run."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS = 0x20000
_MS_REC, _MS_PRIVATE, _MS_SHARED = 0x4000, 1 << 18, 1 << 20
_PR_SET_CHILD_SUBREAPER = 36


def eventually(condition: Callable[[], object], what: str | Callable[[], str], seconds: float = 60) -> None:
    """The condition holds. Raises AssertionError with `what` if it did not come to hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def status_field(pid: int, field: str) -> str:
    """A field of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value.strip()
    raise KeyError(field)


def exit_code(pid: int, seconds: float = 60) -> int:
    """How our child ended, or the process that was left to us: its exit status, or minus its signal."""
    process = os.pidfd_open(pid)
    try:
        assert select.select([process], [], [], seconds)[0], f"process {pid} has not ended in {seconds:g} s"
    finally:
        os.close(process)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def children() -> list[int]:
    """The processes whose parent this process is, without those that have only to be collected."""
    for pid in _children():
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return _children()


def _children() -> list[int]:
    return [int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


@functools.cache
def hierarchies() -> list[Path]:
    """Where the cgroup hierarchies are mounted: what somebody else mounts meanwhile is not ours."""
    return (
        [CGROUPS]
        if V2
        else sorted(path for path in CGROUPS.iterdir() if path.is_mount() and not path.is_symlink())
    )


def cgroups() -> list[str]:
    """The cgroups below GROUP, and itself, in all hierarchies, parents first."""
    return [path for hierarchy in hierarchies() for path, _, _ in os.walk(hierarchy / GROUP)]


def mounts() -> list[str]:
    """The mounts of this process's mount namespace, as mountinfo shows them.

    Without an option of the cgroup file system that criu takes away whenever it mounts that for itself.
    """
    return Path("/proc/self/mountinfo").read_text().replace(",nsdelegate\n", "\n").splitlines()


@contextlib.contextmanager
def cgroup_of_our_own() -> Iterator[None]:
    """GROUP is there, and nothing is left of it in the end."""
    for hierarchy in hierarchies():
        (hierarchy / GROUP).mkdir()
    try:
        yield
    finally:
        _clear_cgroups()


def _clear_cgroups() -> None:
    for path in reversed(cgroups()):
        for pid in Path(path, "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        eventually(lambda path=path: _removed(path), f"{path} is removed")  # type: ignore[misc]


def _removed(path: str) -> bool:
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


@contextlib.contextmanager
def private_mounts() -> Iterator[None]:
    """This process has the host's mounts to itself, shared among each other as they are at boot."""
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    directory = os.getcwd()
    _check(_LIBC.unshare(_CLONE_NEWNS))
    try:
        # Private first: what is mounted in here must not reach the host, nor the other way round.
        for propagation in (_MS_PRIVATE, _MS_SHARED):
            _check(_LIBC.mount(b"none", b"/", None, _MS_REC | propagation, None))
        yield
    finally:
        _check(_LIBC.setns(before, _CLONE_NEWNS))
        os.close(before)
        os.chdir(directory)


@contextlib.contextmanager
def mounted(directory: Path, *words: str | Path) -> Iterator[Path]:
    """Something is mounted on the directory: the words are for mount(8)."""
    subprocess.run(["mount", *words, directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--recursive", directory], check=True)


@contextlib.contextmanager
def subreaper() -> Iterator[None]:
    """The orphans of this process's children become its own: containers, and whatever they leave."""
    _check(_LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    try:
        yield
    finally:
        _check(_LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0))


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """What runs inside raises TimeoutError if it takes longer."""

    def expire(*_: object) -> None:
        raise TimeoutError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _check(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
