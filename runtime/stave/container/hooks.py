"""Hooks that the runtime runs on the host: prestart, createRuntime, poststart, poststop.

They get the container's state on stdin, exactly the environment of the configuration, and the bundle as
working directory; the end of their output goes into the error.

Spec: config.md#posix-platform-hooks
"""

from __future__ import annotations

import errno
import posix
import select
import time
from _signal import SIGKILL

from stave.errors import Error, HookError
from stave.host.facts import write_all
from stave.native import module as native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocispec.types import Hook

_OUTPUT_LIMIT = 2048  # bytes kept of a hook's output, from its end
_PIPE = 65536  # bytes that a pipe holds


def run_hooks(
    kind: str,
    hooks: Sequence[Hook],
    state: bytes,
    directory: str,
    warn: Callable[[str], None] | None = None,
) -> None:
    """All hooks of a kind have run, in order.

    Args:
        warn: is told of a hook that fails, and the next one runs; without it, HookError is raised.
    """
    for index, hook in enumerate(hooks):
        try:
            run_hook(f"/hooks/{kind}/{index}", hook, state, directory)
        except Error as error:
            if warn is None:
                raise
            warn(str(error))


def run_hook(pointer: str, hook: Hook, state: bytes, directory: str) -> None:
    """The hook has ended with status 0.

    Args:
        pointer: JSON pointer of the hook.
        state: the container's state, JSON, for its stdin.
        directory: its working directory.

    Raises:
        HookError: it could not be run, failed, or took longer than its timeout (then it was killed).
    """
    path = hook["path"]
    began = time.monotonic()
    output, their_output = posix.pipe2(posix.O_CLOEXEC)
    try:
        stdin = posix.memfd_create("state", posix.MFD_CLOEXEC)
        try:
            write_all(stdin, state)
            posix.lseek(stdin, 0, 0)
            pid = native.spawn(
                path, hook.get("args") or [path], hook.get("env", []), stdin, their_output, directory
            )
        except OSError as error:
            raise _failure(pointer, path, error.errno or 0, 0, b"", 0) from error
        finally:
            posix.close(stdin)
            posix.close(their_output)
        error_number, status, said = _wait(pid, output, hook.get("timeout", 0))
    finally:
        posix.close(output)
    if error_number or status:
        raise _failure(pointer, path, error_number, status, said, time.monotonic() - began)


def _wait(pid: int, output: int, timeout: int) -> tuple[int, int, bytes]:
    """(errno, wait status, end of the output). Waits for the process, not for its output's end: what the
    hook leaves running may hold that open."""
    process = posix.pidfd_open(pid)
    posix.set_blocking(output, False)
    poll = select.poll()
    poll.register(process, select.POLLIN)
    poll.register(output, select.POLLIN)
    deadline = time.monotonic() + timeout if timeout else None
    said = b""
    error = 0
    ended = False
    try:
        while not ended:
            left = None if deadline is None else (deadline - time.monotonic()) * 1000
            if left is not None and left <= 0:
                error = errno.ETIMEDOUT
                posix.kill(pid, SIGKILL)
                break
            events = poll.poll(left)
            ended = any(descriptor == process for descriptor, _ in events)
            if any(descriptor == output for descriptor, _ in events):
                chunk = _read(output)
                said = (said + chunk)[-_OUTPUT_LIMIT:]
                if not chunk:
                    poll.unregister(output)  # closed by everybody
        # What it has left running may go on writing for ever.
        said = (said + _read(output, _PIPE))[-_OUTPUT_LIMIT:]
        return error, posix.waitpid(pid, 0)[1], said
    finally:
        posix.close(process)


def _read(descriptor: int, size: int = 4096) -> bytes:
    try:
        return posix.read(descriptor, size)
    except BlockingIOError:
        return b""


def _failure(pointer: str, path: str, error: int, status: int, said: bytes, seconds: float) -> HookError:
    from stave.container.failures import hook_failure

    output = " / ".join(said.decode("utf-8", "replace").strip().splitlines())
    return hook_failure(pointer, path, error, status, output, seconds)
