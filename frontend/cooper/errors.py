"""What can go wrong, one class per kind. Only `cooper.cli` prints them or chooses an exit status.

::

    Error                  every failure that is not a bug (hint)
    |- UsageError          the command line is wrong
    |- NotFound            there is no such container, volume, network or image
    |- Conflict            the name is taken, or the object is in use or in another state
    |- NotExecutable       the container's program was found but could not be executed
    |- ProgramNotFound     the container's program does not exist
    `- Damaged             a file or the database cannot be read

Messages are lower case without full stop: what was attempted, on what, why. `hint` is the cure, one clause.
"""

from __future__ import annotations


class Error(Exception):
    """A failure with a message for the user, and what to do about it, where that is known."""

    # What docker and podman exit with when they, and not the container's program, fail.
    status = 125

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.hint = hint


class UsageError(Error):
    """The command line is wrong."""


class NotFound(Error):
    """There is no object of that name."""


class Conflict(Error):
    """The name is taken, or the object is in a state that does not allow the operation."""


class NotExecutable(Error):
    """The program in the container cannot be executed."""

    status = 126


class ProgramNotFound(Error):
    """The program does not exist in the container."""

    status = 127


class Damaged(Error):
    """What is on disk is not what was written."""
