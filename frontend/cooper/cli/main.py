"""The program's entry: reads the command line, runs the command, reports a failure, leaves."""

from __future__ import annotations

import posix
import sys

from cooper.cli.output import STDERR, write
from cooper.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cooper.cli.command import Invocation

INTERRUPTED = 130
# Of these an exit status below 125 is the container's own; all others fail with 1, as docker's do.
RUNS_PROGRAMS = ("run", "create", "start")
# What an ordinary user can do without a user namespace.
WITHOUT_CONTAINERS = ("help", "version", "login", "logout", "completion")


def main() -> None:
    """The process has ended with the exit status of the command in sys.argv; it does not return."""
    try:
        status = execute(sys.argv[1:])
    except OSError:  # nobody reads standard error any more
        status = 125
    # Without finalisation: nothing is left to be written.
    posix._exit(status)


def execute(words: Sequence[str]) -> int:
    """The exit status of the command, which has run, or whose failure has been reported."""
    invocation = None
    try:
        from cooper.cli.parser import parse_command, parse_flags
        from cooper.cli.table import COMMANDS

        invocation = parse_command(list(words))
        module = __import__(f"cooper.cli.{COMMANDS[invocation.command][0]}", fromlist=("run",))
        parse_flags(invocation, module.COMMAND)
        if invocation.options["help"]:
            from cooper.cli.help import print_help

            return print_help(invocation.command)
        if invocation.settings.rootless and invocation.command not in WITHOUT_CONTAINERS:
            from cooper.rootless.namespaces import enter

            enter(invocation.settings)
        status: int = module.run(invocation)
    except BaseException as error:
        # Everything ends here: past this point nobody turns an exception into one line and a status.
        return _report(invocation, error)
    return status


def _report(invocation: Invocation | None, error: BaseException) -> int:
    """The failure is on standard error; returns the exit status."""
    if isinstance(error, BrokenPipeError):  # as `cooper ps | head -1`
        return 128 + 13
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if invocation is None or invocation.settings.debug:
        import traceback

        if not isinstance(error, Error) or invocation is not None:
            write(STDERR, "".join(traceback.format_exception(error)))
    for line in _messages(error):
        write(STDERR, f"cooper: {line}\n")
    if isinstance(error, Error) and error.status != 125:
        return error.status
    if invocation is None or isinstance(error, UsageError) or invocation.command in RUNS_PROGRAMS:
        return 125
    return 1


def _messages(error: BaseException) -> list[str]:
    """What to tell the user, one line each."""
    if isinstance(error, ExceptionGroup):
        return [line for each in error.exceptions for line in _messages(each)]
    if isinstance(error, Error):
        return [" ".join(str(error).split("\n"))]
    if isinstance(error, MemoryError):
        return ["out of memory"]
    if isinstance(error, OSError):
        return [": ".join([str(part) for part in (error.filename, error.strerror or error) if part])]
    kind = type(error)
    if kind.__module__.split(".")[0] in ("ociimage", "ocispec"):
        return [str(error)]
    if kind.__module__ in ("_sqlite3", "sqlite3"):
        return [f"the database: {error}"]
    return [f"internal error: {kind.__name__}: {error} ({_place(error)})"]


def _place(error: BaseException) -> str:
    """The module and line that raised it."""
    place = "?"
    trace = error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
