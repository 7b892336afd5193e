"""--trace: when each operation ran, in Chrome's trace event format (chrome://tracing, Perfetto)."""

from __future__ import annotations

import posix

from ocispec.jsontext import dumps
from stave.errors import KernelError
from stave.host.facts import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def write_trace(path: str, times: Sequence[tuple[str, str, int, int]]) -> None:
    """The file holds one complete event per operation.

    Args:
        times: name, process ("stave" or "container"), start and end in nanoseconds of CLOCK_MONOTONIC.

    Raises:
        KernelError: it cannot be written.
    """
    events: list[dict[str, object]] = [
        {
            "name": name,
            "ph": "X",
            "ts": start / 1000,
            "dur": (end - start) / 1000,
            "pid": 1 if process == "stave" else 2,
            "tid": 1,
            "cat": process,
        }
        for name, process, start, end in times
    ]
    names: list[dict[str, object]] = [
        {"name": "process_name", "ph": "M", "pid": pid, "tid": 1, "args": {"name": process}}
        for pid, process in ((1, "stave"), (2, "container"))
    ]
    data = dumps({"traceEvents": names + events, "displayTimeUnit": "ms"}).encode()
    try:
        descriptor = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC, 0o644)
        try:
            write_all(descriptor, data)
        finally:
            posix.close(descriptor)
    except OSError as error:
        raise KernelError(f"write trace {path}", error.errno or 0) from error
