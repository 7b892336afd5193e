"""cooper as a program, on the host of a world."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

from .world import Place, World

PROGRAM = Path(sys.executable).with_name("cooper")
SERVER = ("httpd", "-f", "-h", "/www", "-p", "80")


class Cooper:
    """The program, with the world's directories and an OCI runtime."""

    def __init__(self, world: World, runtime: Path, rootfs: Path, program: Path = PROGRAM) -> None:
        self.world = world
        self.rootfs = rootfs
        self.words = [str(program), "--root", world.settings.root, "--run-root", world.settings.run]
        self.words += ["--runtime", str(runtime)]

    def __call__(self, *words: str, status: int = 0) -> str:
        """The output of a command that ends with the status: the errors' if that is not 0."""
        done = subprocess.run([*self.words, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == status, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        return (done.stderr if status else done.stdout).strip()

    def run(self, *words: str, command: tuple[str, ...] = ()) -> str:
        """`cooper run` with these flags, of a command in a busybox."""
        return self(*self._run(words, command))

    def start(self, *words: str, command: tuple[str, ...], stdin: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """The same, which goes on, with pipes for what it says."""
        return subprocess.Popen(
            [*self.words, *self._run(words, command)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _run(self, words: tuple[str, ...], command: tuple[str, ...]) -> list[str]:
        return ["run", *words, "--rootfs", str(self.rootfs), "busybox", *(command or ("sleep", "1000"))]

    def get(self, address: str, port: int, place: Place | None = None) -> bytes:
        """The page of a SERVER, asked for from outside, or elsewhere."""
        return (place or self.world.outside).get(address, port)

    def clear(self) -> None:
        """No container and no network is left."""
        self("rm", "--all", "--force")
        self("network", "prune", "--force")
