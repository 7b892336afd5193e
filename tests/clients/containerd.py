"""containerd on private directories, driven by `ctr` with the runtime under test."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .engines import GROUP, Completed, daemon, scratch
from .host import overlay_works
from .image import IMAGE
from .terminal import Terminal

_CONFIG = """
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri"]
"""


class Containerd:
    """`ctr` and what it needs to run containers with the runtime."""

    def __init__(
        self, command: Sequence[str], fifos: Path, snapshotter: str, run_flags: Sequence[str]
    ) -> None:
        self._command = [*command]
        self._fifos = fifos
        self.snapshotter = snapshotter
        self._run_flags = [f"--fifo-dir={fifos}", f"--snapshotter={snapshotter}", *run_flags]
        self._names = (f"c{number}" for number in itertools.count())

    def __call__(self, *arguments: str, text: str = "") -> Completed:
        """The command has ended, whatever its exit code. `text` is its standard input."""
        return subprocess.run(
            [*self._command, *arguments], check=False, input=text, capture_output=True, text=True, timeout=180
        )

    def ok(self, *arguments: str) -> str:
        """The command has succeeded; returns its standard output without the last line's end."""
        done = self(*arguments)
        assert done.returncode == 0, f"ctr {' '.join(arguments)}: {done.returncode}: {done.stderr}"
        return done.stdout.rstrip("\n")

    def run(self, *program: str, flags: Sequence[str] = (), text: str = "", image: str = IMAGE) -> Completed:
        """A container has run in the foreground and is gone."""
        return self(*self._run("--rm", flags, next(self._names), program, image), text=text)

    def start(self, *program: str, flags: Sequence[str] = ()) -> str:
        """A container runs in the background, without input and output; returns its id."""
        name = next(self._names)
        self.ok(*self._run("--detach", ["--null-io", *flags], name, program))
        return name

    def run_terminal(self, *program: str, rows: int = 24, columns: int = 80) -> Terminal:
        """A container's program starts on a terminal of this size."""
        return self.terminal(
            *self._run("--rm", ["--tty"], next(self._names), program), rows=rows, columns=columns
        )

    def terminal(self, *arguments: str, rows: int = 24, columns: int = 80) -> Terminal:
        """The command runs on a terminal of this size."""
        return Terminal([*self._command, *arguments], os.environ, rows, columns)

    def exec(self, container: str, *program: str, tty: bool = False) -> list[str]:
        """Returns the command that runs the program in the container."""
        flags = [f"--exec-id=e{next(self._names)}", f"--fifo-dir={self._fifos}", *(["--tty"] if tty else [])]
        return ["task", "exec", *flags, container, *program]

    def pid(self, container: str) -> int:
        """Returns the host's number of the container's first process."""
        return int(self._task(container)[1])

    def status(self, container: str) -> str:
        """Returns the task's status in containerd's word."""
        return self._task(container)[2]

    def _task(self, container: str) -> list[str]:
        rows = [line.split() for line in self.ok("task", "list").splitlines()]
        return next(row for row in rows if row[0] == container)

    def remove_all(self) -> None:
        """No container is left."""
        for task in self.ok("task", "list", "--quiet").split():
            self("task", "delete", "--force", task)
        for container in self.ok("container", "list", "--quiet").split():
            self.ok("container", "delete", container)

    def _run(
        self, how: str, flags: Sequence[str], name: str, program: Sequence[str], image: str = IMAGE
    ) -> list[str]:
        return ["run", how, f"--cgroup=/{GROUP}/{name}", *self._run_flags, *flags, image, name, *program]


@contextlib.contextmanager
def containerd(executables: Mapping[str, str], runtime: Path, archive: Path) -> Iterator[Containerd]:
    """A containerd with the image imported."""
    with scratch("containerd") as directory:
        config = directory / "config.toml"
        config.write_text(_CONFIG)
        probe = directory / "probe"
        probe.mkdir()
        snapshotter = "overlayfs" if overlay_works(probe) else "native"
        server = [
            executables["containerd"], f"--config={config}", f"--address={directory}/sock",
            f"--root={directory}/root", f"--state={directory}/state",
        ]  # fmt: skip
        client = [executables["ctr"], f"--address={directory}/sock"]
        with daemon(server, directory, [*client, "version"]):
            ctr = Containerd(client, directory / "fifo", snapshotter, [f"--runc-binary={runtime}"])
            ctr.ok("image", "import", f"--snapshotter={snapshotter}", str(archive))
            yield ctr
            ctr.remove_all()
