"""What an invocation has to say: lines on standard error, and entries in the file of `--log`.

Entries have the form that callers of runc read: ``time="..." level=error msg="..."``, or with
``--log-format json`` one object a line. Without `--log`, a JSON entry takes the place of the lines on
standard error.

A failure is one entry, and in JSON the only one (but for `--debug`): podman reads the whole log as one
object. So warnings wait there for the end, and become a member of the failure's entry if there is one.
"""

from __future__ import annotations

import posix
import time

from stave.cli.output import STDERR, one_line, write
from stave.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stave.cli.parser import Invocation


class Log:
    """Where the messages of one invocation go."""

    __slots__ = ("options", "path", "json", "verbose", "subject", "warnings")

    def __init__(self, invocation: Invocation) -> None:
        # A command line that could not be read to its end may lack any of them.
        options = invocation.global_options
        self.options = options
        self.path: str = options.get("log") or ""
        self.json: bool = options.get("log-format") == "json"
        self.verbose: bool = options.get("debug") or False
        self.warnings = invocation.warnings
        self.subject = " ".join([word for word in (invocation.command, invocation.container_id) if word])

    def check(self) -> None:
        """The file of `--log` exists and can be written to.

        Raises:
            KernelError: it cannot.
        """
        if not self.path:
            return
        try:
            # Not kept open: the number could be one that --preserve-fds hands to the container.
            posix.close(self._open())
        except OSError as error:
            self.options["log"] = ""  # the failure itself goes to standard error alone
            raise KernelError(f"open log {self.path}", error.errno or 0) from error

    def debug(self, message: str) -> None:
        """With `--debug`, the message is in the log, or on standard error."""
        if self.verbose and not self._entered("debug", message):
            write(STDERR, self._line(f"debug: {message}"))

    def warning(self, message: str) -> None:
        """The message is in the log, in JSON at the latest after `finish`, or on standard error."""
        if self.json:
            self.warnings.append(message)
        elif not self._entered("warning", message):
            write(STDERR, self._line(f"warning: {message}"))

    def error(self, messages: Sequence[str]) -> None:
        """One failure is in the log as one entry, and on standard error as one line per message."""
        entered = self._entered("error", "; ".join(messages))
        if self.path or not entered:
            for message in messages:
                write(STDERR, self._line(message))

    def finish(self) -> None:
        """The warnings of an invocation without failure are in the log."""
        for message in self.warnings:
            self._entered("warning", message)

    def _entered(self, level: str, message: str) -> bool:
        """Whether the entry is now in the log, which without a file is for JSON only."""
        entry = self._json_entry(level, message) if self.json else _text_entry(level, message)
        if not self.path:
            if self.json:
                write(STDERR, entry)
            return self.json
        try:
            descriptor = self._open()
            try:
                write(descriptor, entry)
            finally:
                posix.close(descriptor)
        except OSError as error:
            write(STDERR, self._line(f"write log {self.path}: {error.strerror}"))
            return False
        return True

    def _open(self) -> int:
        return posix.open(self.path, posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_CLOEXEC, 0o644)

    def _json_entry(self, level: str, message: str) -> str:
        from _json import encode_basestring_ascii as quote

        members = f'"level":"{level}","msg":{quote(message)},"time":"{_now()}"'
        if level == "error" and self.warnings:
            members += f',"warnings":[{",".join([quote(text) for text in self.warnings])}]'
        return f"{{{members}}}\n"

    def _line(self, message: str) -> str:
        return one_line(": ".join([part for part in ("stave", self.subject, message) if part])) + "\n"


def _text_entry(level: str, message: str) -> str:
    quoted = one_line(message.replace("\\", "\\\\")).replace('"', '\\"')
    return f'time="{_now()}" level={level} msg="{quoted}"\n'


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
