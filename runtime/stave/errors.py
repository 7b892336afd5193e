"""What can go wrong, one class per kind. Only `stave.cli` prints them or chooses an exit status.

::

    Error                    every failure that is not a bug
    |- UsageError            the command line is wrong
    |- ConfigError           config.json asks for something impossible here (pointer)
    |- StateError            the container is not in the state that the operation needs
    |  |- ContainerNotFound
    |  |- ContainerExists
    |  `- DamagedState
    |- KernelError           a system call failed: operation, path, errno (pointer, hint)
    `- HookError             a hook failed or took too long (pointer, status, last output)

Messages are lower case without full stop. Callers (conmon, containerd, Docker) match on some of them;
those are constants here.
"""

from __future__ import annotations

import posix

NOT_FOUND = "container does not exist"
EXISTS = "container with given ID already exists"
NOT_RUNNING = "container not running"


class Error(Exception):
    """A failure with a message for the caller."""


class UsageError(Error):
    """The command line is wrong; the command's usage is shown with it."""


class ConfigError(Error):
    """The configuration is valid JSON of the right shape, but cannot be carried out.

    Args:
        pointer: JSON pointer of the property ("/linux/resources/pids/limit").
        reason: what is wrong with it and, where known, what to do.
    """

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(f"{describe(pointer)}: {reason}" if pointer else reason)
        self.pointer = pointer
        self.reason = reason


class StateError(Error):
    """The container is not in the state that the operation needs."""


class ContainerNotFound(StateError):
    """No container of that id below this root."""

    def __init__(self, container_id: str) -> None:
        super().__init__(f"{NOT_FOUND}: {container_id}")


class ContainerExists(StateError):
    """The id is taken."""

    def __init__(self, container_id: str) -> None:
        super().__init__(f"{EXISTS}: {container_id}")


class DamagedState(StateError):
    """The state file cannot be read; `delete --force` removes it."""


class KernelError(Error):
    """A system call failed.

    Args:
        operation: what was attempted, e.g. "bind /srv/data: open source".
        error: the errno.
        pointer: JSON pointer of the property behind it, or "".
        subject: the value that names the property to a person (a mount's destination), or "".
        hint: what to do about it, or "".
    """

    def __init__(
        self, operation: str, error: int, pointer: str = "", subject: str = "", hint: str = ""
    ) -> None:
        self.operation = operation
        self.errno = error
        self.pointer = pointer
        self.hint = hint
        where = describe(pointer) + (f' "{subject}"' if subject else "")
        parts = [part for part in (where, operation) if part]
        cause = posix.strerror(error)
        # The root cause stands last: some callers show nothing but the end of the line.
        super().__init__(": ".join(parts) + (f" ({hint})" if hint else "") + f": {cause}")


class HookError(Error):
    """A hook exited with a failure, was killed, or ran into its timeout."""


def describe(pointer: str) -> str:
    """A JSON pointer as people write it: "/mounts/3/source" is mounts[3].source.

    >>> describe("/linux/resources/unified/memory.high")
    'linux.resources.unified.memory.high'
    """
    text = ""
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        text += f"[{part}]" if part.isdigit() else f".{part}" if text else part
    return text
