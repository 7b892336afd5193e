"""Standard streams of a process that is about to start: descriptors, files, pipes."""

from __future__ import annotations

import os
import subprocess
from typing import IO, TypeAlias

PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL

Stream: TypeAlias = "int | IO[bytes] | IO[str] | None"
"""As for `subprocess`: a descriptor, a file with one, PIPE, DEVNULL; None for the caller's own."""


class Streams:
    """The three streams as descriptors for the new process, and the caller's ends of its pipes.

    Attributes:
        descriptors: standard input, output and error of the new process.
        pipes: the caller's ends, binary and unbuffered; None where no pipe was asked for. They are the caller's.
    """

    def __init__(self, stdin: Stream, stdout: Stream, stderr: Stream) -> None:
        self.descriptors: list[int] = []
        self.pipes: list[IO[bytes] | None] = [None, None, None]
        self._opened: list[int] = []
        try:
            for number, stream in enumerate((stdin, stdout, stderr)):
                self.descriptors.append(self._open(number, stream))
        except BaseException:
            self.abandon()
            raise

    def _open(self, number: int, stream: Stream) -> int:
        if stream is None:
            return number
        if stream == DEVNULL:
            descriptor = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            self._opened.append(descriptor)
            return descriptor
        if stream == PIPE:
            read, write = os.pipe2(os.O_CLOEXEC)
            theirs, ours, mode = (read, write, "wb") if number == 0 else (write, read, "rb")
            self._opened.append(theirs)
            self.pipes[number] = os.fdopen(ours, mode, buffering=0)
            return theirs
        return stream if isinstance(stream, int) else stream.fileno()

    def close(self) -> None:
        """The new process has its streams: the caller keeps only its own ends."""
        while self._opened:
            os.close(self._opened.pop())

    def abandon(self) -> None:
        """There is no new process: nothing is left open."""
        self.close()
        for pipe in self.pipes:
            if pipe is not None:
                pipe.close()
