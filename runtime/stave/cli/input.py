"""Documents that the command line names: a file, or "-" for the standard input, which may be a pipe."""

from __future__ import annotations

STDIN = "-"


def read_input(path: str) -> bytes:
    """The whole document.

    Raises:
        UnreadableConfig: there is none, or none that we read.
    """
    from ocispec.config import read_file

    return _read_stdin() if path == STDIN else read_file(path)


def named(path: str) -> str:
    """How a problem of the document is introduced."""
    return "standard input" if path == STDIN else path


def _read_stdin() -> bytes:
    import posix

    from ocispec.errors import UnreadableConfig
    from ocispec.jsontext import MAX_BYTES

    data = b""
    try:
        while chunk := posix.read(0, 65536):
            data += chunk
            if len(data) > MAX_BYTES:
                raise UnreadableConfig(f"read standard input: more than {MAX_BYTES} bytes")
    except OSError as error:
        raise UnreadableConfig(f"read standard input: {error.strerror}") from error
    return data
