"""A process of a container, as its parent sees it."""

from __future__ import annotations

import os
import signal

from stave.library import Process


def child(status: int) -> int:
    """A process that ends with the status."""
    pid = os.fork()
    if pid == 0:
        os._exit(status)
    return pid


def test_exit_status() -> None:
    """It is known once the process was waited for."""
    process = Process(child(3), [None, None, None])
    assert process.wait(60) == 3
    assert (process.poll(), process.returncode) == (3, 3)


def test_collected_by_somebody_else() -> None:
    """Its end is seen, but nobody knows how it ended: that is not taken for success."""
    process = Process(child(3), [None, None, None])
    os.waitpid(process.pid, 0)
    assert process.wait(60) is None
    assert (process.poll(), process.returncode) == (None, None)
    process.send_signal(signal.SIGKILL)
    with process:
        pass
