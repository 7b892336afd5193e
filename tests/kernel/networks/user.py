"""An ordinary user of the host, and cooper as that user runs it."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import host
from ..bundle import APPLETS, busybox
from .world import World

UID = 4711
NAME = "cooper-tests"
SUBORDINATE = f"{NAME}:{1 << 29}:65536\n"
COMMAND_SECONDS = 60


class User:
    """cooper, run by the user.

    Attributes:
        home: the user's directory.
        words: what every command line begins with.
    """

    def __init__(self, home: Path, program: Path, runtime: str) -> None:
        self.home = home
        own = (f"--reuid={UID}", f"--regid={UID}", "--clear-groups")
        environment = (f"HOME={home}", f"XDG_RUNTIME_DIR={home}/session", f"PATH={os.environ['PATH']}")
        # With nothing of the tests' own environment: no session has to be there.
        self.words = ["setpriv", *own, "env", "-i", *environment, str(program), "--runtime", runtime]

    def __call__(self, *words: str | Path, status: int | None = 0) -> str:
        """The output of a command that ends with the status: what it complained of if that is not 0."""
        done = subprocess.run(
            [*self.words, *map(str, words)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=self.home,
            timeout=COMMAND_SECONDS,
        )
        assert status in (None, done.returncode), f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        return (done.stderr if status else done.stdout).strip()

    def pid(self, container: str) -> int:
        """The container's first process."""
        return int(self("inspect", "--format", "{{.State.Pid}}", container))

    def processes(self, *parts: str) -> dict[int, str]:
        """The command lines of all the user's processes, with those of containers, in which all the parts stand."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                uid = int(host.status_field(int(entry.name), "Uid").split()[0])
            except OSError:
                continue
            subordinate = int(SUBORDINATE.split(":")[1])
            is_own = uid == UID or subordinate <= uid < subordinate + 65536
            if words and is_own and all(part in words for part in parts):
                found[int(entry.name)] = words
        return found

    def expect_nothing(self) -> None:
        """No process of the user's is left; who has been told to end may take a moment."""
        host.eventually(lambda: not self.processes(), f"these have ended: {self.processes()}", 20)

    def kill(self, but: str = "\0") -> None:
        """All the user's processes have ended, but for those with this in their command lines; new ones, too."""

        def ended() -> bool:
            others = [pid for pid, words in self.processes().items() if but not in words]
            for pid in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not others

        host.eventually(ended, "all have ended")


@contextlib.contextmanager
def _disk(directory: Path) -> Iterator[None]:
    """The directory is on a file system that overlays may have their upper directories on."""
    kind = subprocess.run(["stat", "-f", "-c", "%t", directory], capture_output=True, text=True, check=True)
    if kind.stdout.strip() != "794c7630":  # an overlay itself, as in a container or the virtual machine
        yield
        return
    disk = Path(f"/dev/shm/{NAME}-{os.getpid()}.ext4")
    try:
        disk.write_bytes(b"")
        os.truncate(disk, 256 << 20)
        subprocess.run(["modprobe", "--all", "loop", "ext4"], check=True)
        subprocess.run(["mkfs.ext4", "-q", disk], check=True)
        with host.mounted(directory, "-o", "loop", disk):
            yield
    finally:
        disk.unlink()


@contextlib.contextmanager
def ordinary_user(world: World, runtime: str, *, ids: bool = True, tun: bool = True) -> Iterator[User]:
    """A user of the world's host; in the end all containers are removed, and no process of the user's is left.

    Args:
        ids: whether the user has subordinate ids.
        tun: whether /dev/net/tun is as most machines have it: for everybody.
    """
    program = shutil.which(runtime)
    if program is None and runtime != "stave":
        pytest.skip(f"{runtime} is not installed")
    if not shutil.which("newuidmap"):
        pytest.skip("newuidmap is not installed (Debian: uidmap)")
    place = Path(world.settings.root).parent
    place.chmod(0o755)
    devices, installation, home = (place / name for name in ("devices", "installation", "home"))
    for directory in (devices, installation, home):
        directory.mkdir()
    os.mknod(devices / "tun", 0o020666, os.makedev(10, 200))
    (devices / "tun").chmod(0o666 if tun else 0o600)
    passwd = f"{NAME}:x:{UID}:{UID}::{home}:/bin/sh\n"
    tables = {"passwd": passwd, "subuid": SUBORDINATE * ids, "subgid": SUBORDINATE * ids}
    with contextlib.ExitStack() as stack:
        stack.enter_context(_disk(home))
        os.chown(home, UID, UID)
        (home / "session").mkdir(mode=0o700)
        os.chown(home / "session", UID, UID)
        if not Path("/dev/net").exists():
            Path("/dev/net").mkdir()
        stack.enter_context(host.mounted(Path("/dev/net"), "--bind", devices))
        # Where the tests are installed the user need not get at.
        stack.enter_context(host.mounted(installation, "--bind", sys.prefix))
        for name, more in tables.items():
            real = Path("/etc") / name
            (place / name).write_text((real.read_text() if name == "passwd" else "") + more)
            stack.enter_context(host.mounted(real, "--bind", place / name))
        user = User(home, installation / "bin/cooper", runtime)
        try:
            yield user
        finally:
            user("rm", "--all", "--force", status=None)
            try:
                user.expect_nothing()
            finally:
                user.kill()


def archive(directory: Path, *more: tuple[str, bytes, int]) -> Path:
    """A tar of a root file system with a busybox, which everybody may read; `more` are paths, contents and owners."""
    program = busybox()
    if program is None:
        pytest.skip("busybox is not installed")
    path = directory / "rootfs.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp", "www"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        accounts = b"root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n"
        for path_inside, data, owner in (
            ("bin/busybox", program.read_bytes(), 0),
            ("etc/passwd", accounts, 0),
            ("www/index.html", b"hello", 0),
            *more,
        ):
            entry = tarfile.TarInfo(path_inside)
            entry.mode, entry.size, entry.uid, entry.gid = 0o755, len(data), owner, owner
            tar.addfile(entry, io.BytesIO(data))
        for applet in (*APPLETS, "httpd", "nslookup", "ping"):
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    path.chmod(0o644)
    return path
