"""How far a transfer is: bars on a terminal, else a line when a part begins and one when it is done."""

from __future__ import annotations

import posix
from threading import Lock

from cooper.cli.output import STDERR, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

_WORDS = {
    "compress": "compressing",
    "download": "downloading",
    "upload": "uploading",
    "verify": "verifying",
    "unpack": "unpacking",
    "exists": "is there already",
    "mounted": "taken from another repository",
    "load": "loading",
    "done": "done",
}
_FINAL = ("exists", "mounted", "done")


class Progress:
    """Called with (what, digest, bytes done, bytes in all; 0 if unknown), by any thread. To be used in a `with` block."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._lock = Lock()
        self._said: dict[str, str] = {}
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Progress:
        if not self._quiet and posix.isatty(STDERR):
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

            self._bars = Progress(
                TextColumn("{task.fields[part]}"),
                TextColumn("{task.description:30}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=Console(stderr=True),
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, what: str, digest: str, done: int, total: int) -> None:
        if self._quiet:
            return
        part = digest.removeprefix("sha256:")[:12]
        with self._lock:
            if self._bars is None:
                self._say(what, part)
            else:
                self._show(what, part, done, total)

    def _say(self, what: str, part: str) -> None:
        if self._said.get(part) != what:
            self._said[part] = what
            write(STDERR, f"{part}: {_WORDS.get(what, what)}\n")

    def _show(self, what: str, part: str, done: int, total: int) -> None:
        if part not in self._tasks:
            self._tasks[part] = self._bars.add_task("", part=part, total=total or None)
        if what in _FINAL:
            done = total
        self._bars.update(
            self._tasks[part], description=_WORDS.get(what, what), completed=done, total=total or None
        )
