"""The OCI runtime's public command line: what runc, crun and stave have in common."""

from __future__ import annotations

import posix
import sys

import cooper
from cooper.containers.record import read_file
from cooper.errors import Error, NotExecutable, ProgramNotFound
from cooper.settings import DEFAULT_RUNTIME, PATIENCE_S, find_program
from ocispec import jsontext
from ocispec.errors import InvalidJSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cooper.settings import Settings

# Python ignores these, and ignoring is inherited.
IGNORED = (13, 25)  # SIGPIPE, SIGXFSZ


class Runtime:
    """One runtime's executable, with the arguments that all its commands have.

    Attributes:
        path: of the executable.
        name: what it is called in lists.
        state: the directory for the runtime's own state.
    """

    __slots__ = ("path", "name", "state")

    def __init__(self, settings: Settings, name: str) -> None:
        self.path = own_program(name) if name == DEFAULT_RUNTIME else find_program(name)
        self.name = self.path.rpartition("/")[2]
        self.state = f"{settings.run}/oci/{self.name}"

    def command(self, log: str, *words: str) -> list[str]:
        """The arguments, program first; failures are appended to the file `log` in JSON."""
        return [self.path, "--root", self.state, "--log", log, "--log-format", "json", *words]

    def call(self, log: str, *words: str) -> None:
        """The command has run, with nothing on its standard streams.

        Raises: Error with what it complained of.
        """
        forget(log)
        status = run_program(self.command(log, *words), seconds=PATIENCE_S)
        if status:
            raise Error(complaint(log) or f"{self.name} {words[0]} ended with {status}")


def own_program(name: str) -> str:
    """A program that is installed with cooper, or else one in $PATH."""
    # The package lies in PREFIX/lib..., or is run from its sources by the interpreter of an environment.
    places = [cooper.__path__[0].rpartition("/lib")[0] + "/bin", sys.executable.rpartition("/")[0]]
    for place in places:
        if posix.access(f"{place}/{name}", posix.X_OK):
            return f"{place}/{name}"
    return find_program(name)


def run_program(
    arguments: Sequence[str], streams: tuple[int, int, int] = (-1, -1, -1), seconds: float = -1
) -> int:
    """The exit status, 128 and more for a signal. Streams are descriptors, -1 for /dev/null.

    Raises: Error if it has not ended in so many seconds, and was killed; never if they are negative.
    """
    process = spawn(arguments, streams)
    if seconds >= 0 and not _ends_within(process, seconds):
        posix.kill(process, 9)
        wait_for(process)
        raise Error(f"{' '.join(arguments)}: did not end in {seconds:g} s and was killed")
    return wait_for(process)


def _ends_within(process: int, seconds: float) -> bool:
    import select

    descriptor = posix.pidfd_open(process, 0)
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        posix.close(descriptor)


def spawn(
    arguments: Sequence[str], streams: tuple[int, int, int], extra: Sequence[tuple[int, int]] = ()
) -> int:
    """The process's id. `extra`: (own descriptor, its number in the process), all above 9 and 2.

    Raises: Error if it cannot be executed.
    """
    actions: list[tuple[int, ...]] = []
    for number, stream in enumerate(streams):
        if stream < 0:
            flags = posix.O_RDONLY if number == 0 else posix.O_WRONLY
            actions.append((posix.POSIX_SPAWN_OPEN, number, "/dev/null", flags, 0))  # type: ignore[arg-type]
        elif stream != number:
            actions.append((posix.POSIX_SPAWN_DUP2, stream, number))
    actions += [(posix.POSIX_SPAWN_DUP2, own, number) for own, number in extra]
    try:
        return posix.posix_spawn(
            arguments[0],
            list(arguments),
            posix.environ,
            file_actions=actions,
            setsigdef=IGNORED,
            setsigmask=(),
        )
    except OSError as error:
        raise Error(f"execute {arguments[0]}: {error.strerror}") from error


def wait_for(process: int) -> int:
    """The process's exit status, as a shell counts."""
    status = posix.waitstatus_to_exitcode(posix.waitpid(process, 0)[1])
    return status if status >= 0 else 128 - status


def forget(log: str) -> None:
    """An old log is gone: what is read afterwards is new."""
    try:
        posix.unlink(log)
    except FileNotFoundError:
        pass


def complaint(log: str) -> str:
    """The last error in a runtime's log, "" without one."""
    try:
        return last_error(read_file(log).decode("utf-8", "replace"))
    except OSError:
        return ""


def last_error(text: str) -> str:
    """The last error of a runtime's log in JSON; of any other text its last line."""
    found = ""
    for line in text.splitlines():
        try:
            entry = jsontext.loads(line.encode("utf-8", "replace"))
        except InvalidJSON:
            entry = None
        if isinstance(entry, dict) and "msg" in entry:
            if str(entry.get("level", "error")) in ("error", "fatal"):
                found = str(entry["msg"])
        elif line.strip():
            found = line.strip()
    return found


def start_error(what: str, complaint: str) -> Error:
    """The failure as an error with the exit status that docker gives it.

    127 if the program does not exist, 126 if it cannot be executed, 125 for everything else. The runtimes' phrases:
    runc and stave `exec: "x": executable file not found in $PATH`, `exec: "x": permission denied`; crun
    `executable file `x` not found in $PATH`, `open executable: Permission denied`.
    """
    text = complaint.lower()
    message = f"{what}: {complaint}"
    if 'exec: "' in text or "executable" in text or "exec " in text or "exec:" in text:
        if "not found" in text or "no such file" in text:
            return ProgramNotFound(message)
        if (
            "permission denied" in text
            or "not permitted" in text
            or "is a directory" in text
            or "exec format" in text
        ):
            return NotExecutable(message)
    return Error(message)
