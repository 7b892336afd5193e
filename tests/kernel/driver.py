"""The runtime's command line, driven as its callers do it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .bundle import Config
from .host import eventually, exit_code

TIMEOUT = 60


class Outcome:
    """A command has ended; what it and its container wrote and will write is in files.

    Files, for a container keeps the streams of its `create` open as long as it lives.
    """

    def __init__(self, status: int, stdout: Path, stderr: Path) -> None:
        self.status = status
        self._stdout = stdout
        self._stderr = stderr

    @property
    def output(self) -> str:
        """Standard output up to now, without the last line's end."""
        return self._stdout.read_text(errors="replace").removesuffix("\n")

    @property
    def lines(self) -> list[str]:
        """The whole lines of standard output up to now: the last may still be under way."""
        return self._stdout.read_text(errors="replace").split("\n")[:-1]

    @property
    def errors(self) -> str:
        """Standard error up to now, without the last line's end."""
        return self._stderr.read_text(errors="replace").removesuffix("\n")


class Stave:
    """The runtime with a state directory of its own."""

    def __init__(self, executable: Path, directory: Path) -> None:
        self.executable = executable
        self.directory = directory
        self.root = directory / "state"
        self.before: list[str] = []
        """A program to run the runtime with, and its arguments."""
        self._numbers = itertools.count()

    def __call__(self, *words: str | Path, status: int | None = 0, **how: Any) -> Outcome:
        """The command has ended with this status (None: any). `how` is for subprocess.Popen."""
        process, outcome = self.begin(*words, **how)
        try:
            outcome.status = process.wait(TIMEOUT)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if status is not None:
            said = f"{outcome.output}\n{outcome.errors}"
            assert outcome.status == status, f"{' '.join(map(str, words))}: {outcome.status}: {said}"
        return outcome

    def begin(self, *words: str | Path, **how: Any) -> tuple[subprocess.Popen[bytes], Outcome]:
        """The command has begun; whoever asked for it has to wait for its end."""
        number = next(self._numbers)
        outcome = Outcome(-1, self.directory / f"stdout-{number}", self.directory / f"stderr-{number}")
        command = [*self.before, self.executable, "--root", self.root, *words]
        with outcome._stdout.open("wb") as stdout, outcome._stderr.open("wb") as stderr:
            streams = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": stderr}
            return subprocess.Popen(command, **{**streams, **how}), outcome

    def fails(self, *words: str | Path, status: int = 1, **how: Any) -> str:
        """The command has failed; returns the only line that it wrote, without the program's name."""
        outcome = self(*words, status=status, **how)
        assert outcome.output == ""
        line = outcome.errors
        assert line.startswith("stave: ") and "\n" not in line, line
        return line.removeprefix("stave: ")


class Container:
    """A container to be, its bundle and its configuration, which is written when it is created."""

    def __init__(self, stave: Stave, container_id: str, bundle: Path, config: Config) -> None:
        self.stave = stave
        self.id = container_id
        self.bundle = bundle
        self.rootfs = bundle / "rootfs"
        self.config = config
        self.linux: Config = config["linux"]
        self.process: Config = config["process"]
        self.created: Outcome | None = None
        self._pid_file = bundle / "pid"

    def runs(self, *arguments: str) -> None:
        """The process to be is this one."""
        self.process["args"] = list(arguments)

    def script(self, text: str) -> None:
        """The process to be is a shell with this script."""
        self.runs("sh", "-ec", text)

    def mount(self, destination: str, *options: str, source: Path | str = "none", type: str = "bind") -> None:
        """One more mount."""
        entry = {"destination": destination, "type": type, "source": str(source), "options": list(options)}
        self.config["mounts"] = [*self.config["mounts"], entry]

    def write_config(self) -> None:
        """The bundle holds the configuration as it is now."""
        (self.bundle / "config.json").write_text(json.dumps(self.config))

    def create(self, *flags: str | Path, status: int | None = 0, **how: Any) -> Outcome:
        """`create` has ended."""
        self.write_config()
        words = ["create", "--bundle", self.bundle, "--pid-file", self._pid_file, *flags, self.id]
        self.created = self.stave(*words, status=status, **how)
        return self.created

    def start(self, status: int | None = 0) -> Outcome:
        """`start` has ended."""
        return self.stave("start", self.id, status=status)

    def run(self, *flags: str | Path, status: int | None = 0, **how: Any) -> Outcome:
        """`run` has ended."""
        self.write_config()
        words = ["run", "--bundle", self.bundle, "--pid-file", self._pid_file, *flags, self.id]
        self.created = self.stave(*words, status=status, **how)
        return self.created

    def launch(self) -> None:
        """The container sleeps until it is killed."""
        self.runs("sleep", "1000")
        self.run("--detach")

    def says(self, script: str, *flags: str | Path) -> str:
        """What the script writes in the container."""
        self.script(script)
        return self.run(*flags).output

    def fails(self, *flags: str | Path) -> str:
        """`create` has failed, with this one line."""
        self.write_config()
        line = self.stave.fails("create", "--bundle", self.bundle, *flags, self.id)
        return line.removeprefix(f"create {self.id}: ")

    def exec(self, *words: str | Path, status: int | None = 0, **how: Any) -> Outcome:
        """`exec` has ended: flags first, then the arguments of the program."""
        names = [str(word) for word in words]
        first = _first_argument(names)
        return self.stave("exec", *names[:first], self.id, *names[first:], status=status, **how)

    def exec_says(self, *words: str | Path) -> str:
        """What a program writes that is executed in the container."""
        return self.exec(*words).output

    def state(self) -> dict[str, Any]:
        """What `state` says."""
        state: dict[str, Any] = json.loads(self.stave("state", self.id).output)
        return state

    @property
    def status(self) -> str:
        """creating, created, running, paused or stopped."""
        status: str = self.state()["status"]
        return status

    @property
    def pid(self) -> int:
        """The first process's pid, also after its end."""
        return int(self._pid_file.read_text())

    def kill(self, *words: str, status: int | None = 0) -> Outcome:
        """`kill` has ended."""
        flags = [word for word in words if word.startswith("--")]
        return self.stave(
            "kill", *flags, self.id, *[word for word in words if word not in flags], status=status
        )

    def delete(self, *flags: str, status: int | None = 0) -> Outcome:
        """`delete` has ended."""
        return self.stave("delete", *flags, self.id, status=status)

    def wait(self) -> int:
        """The first process has ended: its exit status, or minus the signal that ended it."""
        return exit_code(self.pid)

    @property
    def output(self) -> str:
        """What the container has written up to now."""
        assert self.created is not None
        return self.created.output

    def eventually_says(self, text: str) -> None:
        """The container has written the text."""
        eventually(lambda: text in self.output, f"the container writes {text!r}")


def _first_argument(words: Sequence[str]) -> int:
    """The index of the first word that is neither a flag nor, by its form ``--flag=value``, its value."""
    for index, word in enumerate(words):
        if not word.startswith("-"):
            return index
    return len(words)


@contextlib.contextmanager
def killed_at_exit(process: subprocess.Popen[bytes]):  # type: ignore[no-untyped-def]
    """Nothing is left of the process."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


def namespace(pid: int | str, name: str) -> str:
    """The identity of a process's namespace, as in "net:[4026531840]"."""
    return os.readlink(f"/proc/{pid}/ns/{name}")


def pairs(text: str) -> Mapping[str, str]:
    """Lines "name=value" as a mapping."""
    return dict(line.split("=", 1) for line in text.splitlines())
