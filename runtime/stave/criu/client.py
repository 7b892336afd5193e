"""One request to criu: a process of its own (``criu swrk``), which answers over a socket and ends.

On the way it announces where it stands; it waits until each of these notices has been taken care of.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from typing import IO, Any

from stave.criu import messages
from stave.criu.log import excerpt
from stave.errors import Error

# What is known of a notice: where criu stands, the pid that it speaks of (0: none), descriptors that came along.
Notice = Callable[[str, int, list[int]], None]

_RESPONSE_LIMIT = 1 << 16
_DESCRIPTOR_LIMIT = 4
_SILENT = "criu has ended without an answer"
_MINIMUM = (3, 15, 0)


class Criu:
    """criu's executable, and the messages that it takes."""

    def __init__(self, executable: str = "") -> None:
        """Raises Error if there is no criu, no protobuf package, or criu does not work or is too old."""
        found = shutil.which(executable or "criu")
        if found is None:
            what = executable or "criu"
            raise Error(f"{what} is not installed: install the package criu for checkpoint and restore")
        self.executable = found
        self.messages = messages.Messages()
        answer = self.ask(self.request(messages.VERSION)).version
        self.version = (answer.major_number, answer.minor_number, answer.sublevel)
        if self.version < _MINIMUM:
            versions = [".".join(map(str, version)) for version in (self.version, _MINIMUM)]
            raise Error(f"{found} is version {versions[0]}, older than {versions[1]}")

    def request(self, kind: int) -> Any:
        """A request of this type, to be filled."""
        return self.messages.Request(type=kind)

    def require(self, feature: str, purpose: str) -> None:
        """This criu on this kernel has the feature: "mem_track" or "lazy_pages"; else Error."""
        request = self.request(messages.FEATURE_CHECK)
        setattr(request.features, feature, True)
        if not getattr(self.ask(request).features, feature):
            raise Error(f"{purpose} needs criu's feature {feature}, which criu or the kernel lacks")

    def ask(self, request: Any) -> Any:
        """The answer to a request that concerns no process."""
        with tempfile.TemporaryFile() as said:
            process = self.begin(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said)
            try:
                return process.carry_out(request, lambda *_: None)
            except Error as error:
                said.seek(0)
                text = " / ".join(said.read().decode(errors="replace").split("\n")[:3]).rstrip(" /")
                raise Error(f"{error}{f': {text}' if text else ''}") from error
            finally:
                process.end()

    def begin(
        self,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | IO[bytes] | None = None,
        keep: Sequence[int] = (),
    ) -> Process:
        """criu waits for its request.

        Args:
            stdin, stdout, stderr: as for subprocess; None: the caller's own.
            keep: descriptors that it has open under the same numbers.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                child = subprocess.Popen(
                    [self.executable, "swrk", str(theirs.fileno())],
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    pass_fds=[theirs.fileno(), *keep],
                )
            except OSError as error:
                ours.close()
                raise Error(f"run {self.executable}: {error}") from error
        return Process(self.messages, child, ours)


class Process:
    """A criu that serves one request."""

    def __init__(
        self, kinds: messages.Messages, child: subprocess.Popen[bytes], connection: socket.socket
    ) -> None:
        self.pid = child.pid
        self._messages = kinds
        self._child = child
        self._connection = connection

    def carry_out(self, request: Any, notice: Notice) -> Any:
        """The response: the request has been carried out.

        Raises:
            Error: it failed; the text is criu's own as far as it gave one.
        """
        self._send(request)
        while True:
            response, descriptors = self._receive()
            if not response.success:
                reason = response.cr_errmsg.strip().replace("\n", " / ")
                if response.cr_errno:
                    reason += f"{': ' if reason else ''}{os.strerror(response.cr_errno)}"
                raise CriuError(f"criu refused{f': {reason}' if reason else ''}")
            if response.type != messages.NOTIFY:
                return response
            try:
                notice(response.notify.script, response.notify.pid, descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            self._send(self._messages.Request(type=messages.NOTIFY, notify_success=True))

    def _send(self, message: Any) -> None:
        try:
            self._connection.send(message.SerializeToString())
        except BrokenPipeError:
            raise CriuError(_SILENT) from None

    def _receive(self) -> tuple[Any, list[int]]:
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self._connection, _RESPONSE_LIMIT, _DESCRIPTOR_LIMIT, socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:  # it has not even read the request
            raise CriuError(_SILENT) from None
        if not data:
            raise CriuError(_SILENT)
        response = self._messages.Response()
        response.ParseFromString(data)
        return response, descriptors

    def end(self) -> None:
        """criu has ended; it does by itself once nobody listens any more."""
        self._connection.close()
        self._child.wait()


class CriuError(Error):
    """criu failed at what it was asked for."""


def with_excerpt(error: CriuError, what: str, log: str) -> Error:
    """The same failure with what criu's log, which is kept, says of it."""
    lines = excerpt(log)
    said = f": {' / '.join(lines)}" if lines else ""
    return Error(f"{what}: {error} (the log is {log}){said}")
