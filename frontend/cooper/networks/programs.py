"""Runs a helper program of the system, at less than what importing subprocess costs."""

from __future__ import annotations

import posix

from cooper.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Python ignores these, and ignoring is inherited: SIGPIPE, SIGXFSZ. pasta does not start then.
IGNORED = (13, 25)
DIRECTORIES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")


def find(name: str, more: Sequence[str] = ()) -> str:
    """The path of a program of the system, "" without it. $PATH is not asked: root runs these."""
    for directory in (*more, *DIRECTORIES):
        if posix.access(f"{directory}/{name}", posix.X_OK):
            return f"{directory}/{name}"
    return ""


def run(program: str, arguments: Sequence[str], text: str = "") -> tuple[int, str, str]:
    """The exit status (or minus the signal) of a program, its standard output and its standard error.

    Args:
        text: its standard input.

    Raises: Error if it cannot be started.
    """
    descriptors = []
    try:
        # Files in memory: whatever is written to them, nobody has to read and write at once.
        for name in ("input", "output", "errors"):
            descriptors.append(posix.memfd_create(name, posix.MFD_CLOEXEC))
        data = text.encode()
        while data:
            data = data[posix.write(descriptors[0], data) :]
        posix.lseek(descriptors[0], 0, 0)
        actions = [
            (posix.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate(descriptors)
        ]
        environment = {"PATH": ":".join(DIRECTORIES), "LC_ALL": "C"}
        try:
            pid = posix.posix_spawn(
                program, [program, *arguments], environment, file_actions=actions, setsigdef=IGNORED
            )
        except OSError as error:
            raise Error(f"run {program}: {error.strerror}") from error
        status = posix.waitstatus_to_exitcode(posix.waitpid(pid, 0)[1])
        return status, _content(descriptors[1]), _content(descriptors[2])
    finally:
        for descriptor in descriptors:
            posix.close(descriptor)


def _content(descriptor: int) -> str:
    size = posix.fstat(descriptor).st_size
    return posix.pread(descriptor, size, 0).decode(errors="replace")
