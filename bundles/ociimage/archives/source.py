"""Where an archive's files are read from: a directory, or a tar that is indexed once."""

from __future__ import annotations

import os
import stat

from ociimage.errors import InvalidImage, InvalidLayer
from ociimage.layers.compression import CHUNK, decompressed, recognise
from ociimage.layers.limits import Limits
from ociimage.layers.tar_reader import FILE, HARD_LINK, SYMLINK, Stream, TarReader
from ociimage.native.paths import open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

# An archive of images has a handful of files for each layer.
_LIMITS = Limits(entries=100_000)


class DirectorySource:
    """Files below a directory, which their names do not lead out of. Closed at the end of a `with` block."""

    def __init__(self, path: str) -> None:
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> DirectorySource:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._root)

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        try:
            os.close(open_in_root(self._root, name, os.O_PATH))
        except OSError:
            return False
        return True

    def pieces(self, name: str) -> Iterator[bytes]:
        """The file's content. Raises: InvalidImage if there is none."""
        try:
            descriptor = open_in_root(self._root, name, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise InvalidImage(f"{name} in the image layout: {error.strerror}") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InvalidImage(f"{name} in the image layout is no file")
            while piece := os.read(descriptor, CHUNK):
                yield piece
        finally:
            os.close(descriptor)


class TarSource:
    """The same of a tar in `file`, which can be read at any place, and is closed with this."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        stream = _Seekable(file.fileno())
        reader = TarReader(stream, _LIMITS)
        while (entry := reader.next()) is not None:
            name = _normal(entry.name.decode(errors="surrogateescape"))
            if entry.kind == FILE and entry.segments is None:
                self._files[name] = (stream.tell(), entry.size)
            elif entry.kind == SYMLINK:
                # Old versions of docker save a layer once, and link to it.
                target = entry.link.decode(errors="surrogateescape")
                self._links[name] = _normal(f"{name.rpartition('/')[0]}/{target}")
            elif entry.kind == HARD_LINK:
                self._links[name] = _normal(entry.link.decode(errors="surrogateescape"))

    def __enter__(self) -> TarSource:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def _find(self, name: str) -> tuple[int, int] | None:
        name = _normal(name)
        for _ in range(8):
            if name in self._files:
                return self._files[name]
            name = self._links.get(name, "")
        return None

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return self._find(name) is not None

    def pieces(self, name: str) -> Iterator[bytes]:
        """The file's content. Raises: InvalidImage if there is none."""
        found = self._find(name)
        if found is None:
            raise InvalidImage(f"the archive does not hold {name}")
        offset, left = found
        while left:
            piece = os.pread(self._file.fileno(), min(left, CHUNK), offset)
            if not piece:
                raise InvalidImage(f"the archive ends within {name}")
            offset += len(piece)
            left -= len(piece)
            yield piece


Source = DirectorySource | TarSource


class _Seekable(Stream):
    """A stream that skips by seeking."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(self._read())
        self._descriptor = descriptor
        self._offset = 0

    def _read(self) -> Iterator[bytes]:
        while piece := os.pread(self._descriptor, 4096, self._offset):
            self._offset += len(piece)
            yield piece

    def tell(self) -> int:
        """The offset of what is taken next."""
        return self._offset - (len(self._piece) - self._position)

    def skip(self, size: int) -> None:
        place = self.tell() + size
        if place > os.fstat(self._descriptor).st_size:
            raise InvalidImage("the archive ends within a file")
        self._offset = place
        self._piece, self._position = b"", 0


def _normal(name: str) -> str:
    """Without what means the same; what leads upwards ends at the archive's root."""
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def read(source: Source, name: str, limit: int) -> bytes:
    """The whole content of a document. Raises: InvalidImage if it is longer than `limit`, or not there."""
    data = b""
    for piece in source.pieces(name):
        data += piece
        if len(data) > limit:
            raise InvalidImage(f"{name} in the archive has more than {limit} bytes")
    return data


def open_source(path_or_file: str | BinaryIO, temporary: str) -> Source:
    """The archive at a path, or one that comes in a stream: plain, or compressed.

    Args:
        temporary: a directory for what has to be decompressed or is no file.

    Raises: InvalidImage, OSError
    """
    if isinstance(path_or_file, str):
        if os.path.isdir(path_or_file):
            return DirectorySource(path_or_file)
        file: BinaryIO = open(path_or_file, "rb", buffering=0)  # noqa: SIM115
    else:
        file = path_or_file
    start = b""
    regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode) and isinstance(path_or_file, str)
    try:
        while len(start) < 8 and (more := os.read(file.fileno(), CHUNK)):
            start += more
        compression = recognise(start)
        if not compression and regular:
            return _tar(file)
        spooled = _spool(file, start, compression, temporary)
        file.close()
        return _tar(spooled)
    except BaseException:
        file.close()
        raise


def _tar(file: BinaryIO) -> TarSource:
    try:
        return TarSource(file)
    except InvalidLayer as error:
        file.close()
        raise InvalidImage(f"this is no archive of images, or a damaged one: {error}") from error


def _spool(file: BinaryIO, start: bytes, compression: str, temporary: str) -> BinaryIO:
    """The decompressed content in a file without a name."""
    first = [start]

    def read(size: int) -> bytes:
        return first.pop() if first else os.read(file.fileno(), CHUNK)

    spooled = os.fdopen(
        os.open(temporary, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600), "w+b", buffering=0
    )
    try:
        for piece in decompressed(read, compression):
            view = memoryview(piece)
            while view:
                view = view[spooled.write(view) or 0 :]
        return spooled
    except BaseException:
        spooled.close()
        raise
