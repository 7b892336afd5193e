"""A runtime's command line, called with time limits, and what the runtime says of itself."""

from __future__ import annotations

import functools
import itertools
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Version = tuple[int, int]


class Outcome:
    """How a command ended. What it wrote is in files, as a container keeps the streams of its `create`."""

    def __init__(self, words: Sequence[str], status: int, stdout: Path, stderr: Path) -> None:
        self.words = words
        self.status = status
        self._stdout = stdout
        self._stderr = stderr

    @property
    def output(self) -> str:
        """Standard output until now."""
        return self._stdout.read_text(errors="replace")

    @property
    def errors(self) -> str:
        """Standard error until now."""
        return self._stderr.read_text(errors="replace")

    def __str__(self) -> str:
        said = f"{self.errors.strip()}\n{self.output.strip()}".strip()
        return f"`{' '.join(self.words)}` ended with status {self.status}" + (f": {said}" if said else "")


class Runtime:
    """An OCI runtime's executable."""

    def __init__(self, executable: str, directory: Path, seconds: float = 20) -> None:
        """`directory` takes the commands' output; none may take longer than `seconds`."""
        self.executable = executable
        self.directory = directory
        self.seconds = seconds
        self._numbers = itertools.count()

    def __call__(self, *words: str | Path, **how: Any) -> Outcome:
        """The command has ended. `how` is for subprocess.Popen.

        Raises: AssertionError if it takes too long; it is killed then.
        """
        texts = [str(word) for word in words]
        number = next(self._numbers)
        outcome = Outcome(texts, -1, self.directory / f"stdout-{number}", self.directory / f"stderr-{number}")
        with outcome._stdout.open("wb") as stdout, outcome._stderr.open("wb") as stderr:
            streams = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": stderr}
            process = subprocess.Popen([self.executable, *texts], **{**streams, **how})
        try:
            outcome.status = process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"`{' '.join(texts)}` took longer than {self.seconds:g} s") from None
        return outcome


class Identity:
    """What a runtime says of itself. Only for reports and for what it does not claim; no test believes it."""

    def __init__(self, executable: str, seconds: float = 20) -> None:
        self.executable = executable
        self._seconds = seconds
        text = self._ask("--version")
        match = re.search(r"(\S+) version (\S+)", text)
        self.name = match[1] if match else Path(executable).name
        self.version = match[2] if match else "unknown"
        self._spec = re.search(r"^spec:\s*v?([0-9]\S*)", text, re.MULTILINE)

    @functools.cached_property
    def features(self) -> dict[str, Any] | None:
        """Its features document, or None."""
        try:
            document = json.loads(self._ask("features"))
        except ValueError:
            return None
        return document if isinstance(document, dict) else None

    @functools.cached_property
    def specification(self) -> str:
        """The newest version of the specification that it claims to follow."""
        version = (self.features or {}).get("ociVersionMax")
        return version if isinstance(version, str) else self._spec[1] if self._spec else "1.0.0"

    def _ask(self, word: str) -> str:
        command = [self.executable, word]
        try:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=self._seconds, text=True
            )
        except subprocess.TimeoutExpired:
            return ""
        return ended.stdout if ended.returncode == 0 else ""


def minor(version: str) -> Version:
    """The part of a version that decides what it has.

    Raises: ValueError if it is none.
    """
    match = re.match(r"v?(\d+)\.(\d+)", version)
    if not match:
        raise ValueError(f"no version: {version!r}")
    return int(match[1]), int(match[2])
