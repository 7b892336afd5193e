"""The program's entry: reads the command line, runs the command, reports a failure, leaves."""

from __future__ import annotations

import posix
import sys

from stave.cli.log import Log
from stave.cli.parser import Invocation, parse
from stave.cli.table import COMMANDS
from stave.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED = 1
# What a caller takes for a failure of exec itself, and not of the program that it ran.
EXEC_FAILED = 255
INTERRUPTED = 130


def main() -> None:
    """The process has ended with the exit status of the command in sys.argv; it does not return."""
    try:
        status = execute(sys.argv[1:])
    except OSError:  # nobody reads standard error any more
        status = FAILED
    # Without finalisation: nothing is left to be written, and it takes as long as a whole `state`.
    posix._exit(status)


def execute(words: Sequence[str]) -> int:
    """The exit status of the command, which has run, or whose failure has been reported."""
    invocation = Invocation()
    try:
        parse(words, invocation)
        log = Log(invocation)
        log.check()
        log.debug(f"{log.subject}: started")
        module = __import__(f"stave.cli.{COMMANDS[invocation.command][0]}", fromlist=("run",))
        status: int = module.run(invocation)
        log.debug(f"{log.subject}: exit status {status}")
        log.finish()
    except BaseException as error:
        # Everything ends here: past this point nobody turns an exception into one line and a status.
        return _report(invocation, error)
    return status


def _report(invocation: Invocation, error: BaseException) -> int:
    """The failure is on standard error and in the log; returns the exit status."""
    log = Log(invocation)
    if log.verbose:
        import traceback

        log.debug("".join(traceback.format_exception(error)))
    log.error(_messages(error))
    if isinstance(error, UsageError):
        if log.path or not log.json:  # a caller that reads JSON from standard error wants nothing else there
            from stave.cli.help import usage
            from stave.cli.output import STDERR, write

            write(STDERR, usage(invocation.command))
        return FAILED
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return EXEC_FAILED if invocation.command == "exec" else FAILED


def _messages(error: BaseException) -> list[str]:
    """What to tell the caller, one line each."""
    if isinstance(error, Error):
        return [str(error)]
    if isinstance(error, KeyboardInterrupt):
        return ["interrupted"]
    if isinstance(error, MemoryError):
        return ["out of memory"]
    if isinstance(error, RecursionError):
        return ["nested too deeply"]
    if isinstance(error, OSError):
        return [": ".join([str(part) for part in (error.filename, error.strerror or error) if part])]
    from ocispec.errors import InvalidConfig, SpecError

    if isinstance(error, InvalidConfig):
        prefix = f"{error.path}: " if error.path else ""
        return [f"{prefix}{problem}" for problem in error.problems]
    if isinstance(error, SpecError):
        return [str(error)]
    return [f"internal error: {type(error).__name__}: {error} ({_place(error)})"]


def _place(error: BaseException) -> str:
    """The module and line that raised it."""
    place = "?"
    trace = error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
