"""cooper as a program, and what it must not leave behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from ..host import CGROUPS, UNIFIED, eventually, overlay_works

PROGRAM = Path(sys.executable).with_name("cooper")
TIMEOUT = 60


class Failed(AssertionError):
    """A command that was to succeed did not."""


@contextlib.contextmanager
def place(in_memory: bool = False) -> Iterator[Path]:
    """A directory for a root, short of name, where overlays can be mounted, and gone in the end."""
    directory = Path(tempfile.mkdtemp(prefix="cooper-"))
    probe = directory / "probe"
    probe.mkdir()
    mounted = in_memory or not overlay_works(probe)
    shutil.rmtree(probe)
    try:
        if mounted:  # what is there may be an overlay itself
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", directory], check=True)
        directory.chmod(0o711)  # as /var/lib: containers in user namespaces pass through it
        yield directory
    finally:
        if mounted:
            subprocess.run(["umount", directory], check=True)
        shutil.rmtree(directory)


class Cooper:
    """The program, with a root directory and an OCI runtime."""

    def __init__(self, root: Path, runtime: Path | str) -> None:
        self.root = root
        self.runtime = str(runtime)

    def with_runtime(self, runtime: str) -> Cooper:
        """The same root on another runtime."""
        return Cooper(self.root, runtime)

    def command(self, *words: str | Path) -> list[str]:
        """The words of a command line."""
        return [str(PROGRAM), "--root", str(self.root), "--runtime", self.runtime, *map(str, words)]

    def run(
        self,
        *words: str | Path,
        status: int | None = 0,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """The command has ended with this status (None: with any)."""
        given = {"stdin": subprocess.DEVNULL} if stdin is None else {}
        done = subprocess.run(
            self.command(*words),
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT,
            env=None if env is None else {**os.environ, **env},
            **given,  # type: ignore[call-overload]
        )
        if status is not None and done.returncode != status:
            raise Failed(f"{words}: exit status {done.returncode}\n{done.stdout!r}\n{done.stderr.decode()}")
        return done  # type: ignore[no-any-return]

    def out(self, *words: str | Path, status: int | None = 0, stdin: bytes | None = None) -> str:
        """Its standard output, without the last newline."""
        return self.run(*words, status=status, stdin=stdin).stdout.decode().removesuffix("\n")

    def error(self, *words: str | Path, status: int = 125) -> str:
        """Its message: the one line on standard error of a command that fails with this status."""
        done = self.run(*words, status=status)
        text = done.stderr.decode()
        assert text.startswith("cooper: ") and text.count("\n") == 1, text
        return text[len("cooper: ") : -1]

    def start(self, *words: str | Path, **given: object) -> subprocess.Popen[bytes]:
        """The command is running, with pipes."""
        process: subprocess.Popen[bytes] = subprocess.Popen(
            self.command(*words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **given,  # type: ignore[call-overload]
        )
        return process

    def follow(self, *flags: str) -> None:
        """A container's log is followed while somebody types, to the container's end."""
        words = ("run", "-di", *flags, "--network", "none", "--name", "one", "busybox")
        self.run(*words, "sh", "-c", "echo first; cat; echo last")
        following = self.start("logs", "-f", "one")
        assert following.stdout is not None
        assert following.stdout.readline() == b"first\n"
        attached = self.start("attach", "one")
        assert attached.stdin is not None
        attached.stdin.write(b"typed\n")
        attached.stdin.flush()
        assert following.stdout.readline() == b"typed\n"
        attached.communicate(timeout=TIMEOUT)
        assert following.communicate(timeout=TIMEOUT)[0] == b"last\n"
        assert following.returncode == 0

    def inspect(self, name: str, template: str) -> str:
        """One property of a container."""
        return self.out("inspect", "--type", "container", "--format", template, name)

    def load(self, tar: BinaryIO, name: str) -> None:
        """The tar of a root file system is an image of this name."""
        from ociimage.importing import import_tar
        from ociimage.store import Store

        import_tar(Store(f"{self.root}/images"), tar, name, changes=['CMD ["sh"]'])

    def remove_all(self) -> None:
        """No container and no volume is left."""
        self.run("rm", "--all", "--force", "--volumes")
        self.run("volume", "prune", "-af")
        self.run("system", "prune", "-f")
        eventually(lambda: not self._programs_of_exec(), "the supervisors of `exec` have ended")

    def _programs_of_exec(self) -> list[int]:
        return [
            pid
            for pid, words in processes()
            if f"{self.root}/" in words and words.rstrip().rpartition("/")[2][:5] == "exec-"
        ]

    def leftovers(self) -> list[str]:
        """What is left of containers: files, mounts, control groups, processes."""
        root = str(self.root)
        found = [str(path) for name in ("containers", "run/containers", "run/locks", "run/netns", "volumes", "images/containers")
                 for path in (self.root / name).glob("*")]  # fmt: skip
        found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if root in line]
        tops = [CGROUPS / "cooper"] if UNIFIED else [hierarchy / "cooper" for hierarchy in CGROUPS.iterdir()]
        # Other roots have their groups there, too.
        events = (self.root / "events.log").read_text() if (self.root / "events.log").exists() else ""
        groups = [path for top in tops if top.is_dir() for path in top.iterdir() if path.is_dir()]
        found += [str(path) for path in groups if path.name in events]
        found += [
            f"{pid}: {words}" for pid, words in processes() if root in words and "cooper-supervisor" in words
        ]
        return found


def processes() -> list[tuple[int, str]]:
    """Numbers and command lines of all processes."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            found.append((int(entry.name), words))
    return found
