"""Small files that change as a whole."""

from __future__ import annotations

import os

from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def write(path: str, data: bytes, temporary: str) -> None:
    """Replaces the file: readers see the old content or the new. `temporary` is a directory beside it."""
    name = f"{temporary}/file-{os.getpid()}-{os.urandom(8).hex()}"
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.rename(name, path)
    except BaseException:
        os.unlink(name)
        raise
    finally:
        os.close(descriptor)


def read(path: str) -> bytes:
    """The content."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Files of the kernel have no size.
        return os.read(descriptor, os.fstat(descriptor).st_size or 1 << 16)
    finally:
        os.close(descriptor)


def read_object(path: str) -> dict[str, Any]:
    """The JSON object in a file of ours; {} if there is no file."""
    try:
        value = jsontext.loads(read(path))
    except FileNotFoundError:
        return {}
    return value if isinstance(value, dict) else {}
