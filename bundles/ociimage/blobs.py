"""The files of an OCI image layout: content by its digest, written to a temporary name and renamed.

Spec: image-spec image-layout.md
"""

from __future__ import annotations

import os

from ociimage.errors import DigestMismatch, ImageNotFound
from ociimage.reference import parse_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from ociimage.documents import Descriptor

CHUNK = 1 << 20


class Blobs:
    """Content below `root`: blobs/sha256/HEX, and tmp/ for what is not complete."""

    def __init__(self, root: str) -> None:
        self.directory = f"{root}/blobs/sha256"
        self.temporary = f"{root}/tmp"

    def path(self, digest: str) -> str:
        """Where the blob is, or would be."""
        return f"{self.directory}/{parse_digest(digest)[7:]}"

    def has(self, digest: str, size: int = -1) -> bool:
        """Whether the blob is here, and of this size (any, if -1)."""
        try:
            found = os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            return False
        return size in (-1, found)

    def size(self, digest: str) -> int:
        """In bytes. Raises: ImageNotFound"""
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError as error:
            raise ImageNotFound(f"{digest} is not here: pull the image again") from error

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The blob, unbuffered. Raises: ImageNotFound, DigestMismatch if its length is wrong."""
        try:
            file = open(self.path(descriptor.digest), "rb", buffering=0)  # noqa: SIM115
        except FileNotFoundError as error:
            raise ImageNotFound(f"{descriptor.digest} is not here: pull the image again") from error
        size = os.fstat(file.fileno()).st_size
        if size != descriptor.size:
            file.close()
            raise DigestMismatch(
                f"{descriptor.digest} has {size} bytes instead of {descriptor.size}: pull the image again"
            )
        return file

    def read(self, digest: str, limit: int) -> bytes:
        """The content of a document of at most `limit` bytes. Raises: ImageNotFound"""
        try:
            descriptor = os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise ImageNotFound(f"{digest} is not here: pull the image again") from error
        try:
            size = os.fstat(descriptor).st_size
            return os.read(descriptor, min(size, limit + 1))
        finally:
            os.close(descriptor)

    def list(self) -> Iterator[str]:
        """The digests of all blobs."""
        for name in os.listdir(self.directory):
            yield f"sha256:{name}"

    def put(self, data: bytes) -> str:
        """Keeps the document and returns its digest."""
        import hashlib

        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if not self.has(digest, len(data)):
            writer = self.writer()
            try:
                writer.write(data)
                writer.commit(digest, len(data))
            finally:
                writer.close()
        return digest

    def writer(self, name: str = "") -> BlobWriter:
        """A new blob's file. With `name` the file is kept under this name if it is not completed, to be resumed."""
        return BlobWriter(self, name)

    def remove(self, digest: str) -> int:
        """Removes it, and returns how many bytes that were."""
        try:
            size = os.stat(self.path(digest)).st_size
            os.unlink(self.path(digest))
        except FileNotFoundError:
            return 0
        return size


class BlobWriter:
    """Writes a blob and computes its digest. Whoever makes one closes it."""

    def __init__(self, blobs: Blobs, name: str) -> None:
        import hashlib

        self._blobs = blobs
        self._hash = hashlib.sha256()
        self._keep = bool(name)
        self.size = 0
        if name:
            self.path = f"{blobs.temporary}/{name}"
            self._descriptor = _open_locked(self.path)
            self._resume()
        else:
            self.path = f"{blobs.temporary}/blob-{os.getpid()}-{os.urandom(8).hex()}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o600)

    def _resume(self) -> None:
        """Takes what an earlier attempt has left."""
        while chunk := os.read(self._descriptor, CHUNK):
            self._hash.update(chunk)
            self.size += len(chunk)

    def write(self, data: bytes | memoryview) -> None:
        """Adds to the end."""
        self._hash.update(data)
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def restart(self) -> None:
        """Forgets what was written."""
        import hashlib

        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._hash = hashlib.sha256()
        self.size = 0

    def discard(self) -> None:
        """Keeps nothing of it."""
        self._keep = False

    @property
    def digest(self) -> str:
        """Of what was written so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def commit(self, digest: str = "", size: int = -1) -> str:
        """Moves the blob to its place, if it is what was expected. Returns its digest. Raises: DigestMismatch"""
        if size not in (-1, self.size):
            self._keep = False
            raise DigestMismatch(f"{digest or 'a blob'} has {self.size} bytes instead of {size}")
        found = self.digest
        if digest and found != digest:
            self._keep = False
            raise DigestMismatch(f"expected {digest}, and what came is {found}")
        os.fchmod(self._descriptor, 0o600)
        os.rename(self.path, self._blobs.path(found))
        self.path = ""
        return found

    def close(self) -> None:
        """Closes the file, and removes it unless it is complete or to be resumed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self.path and not self._keep:
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                pass
            self.path = ""


def _open_locked(path: str) -> int:
    """The file under this name, made if need be, for this process alone."""
    import fcntl

    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            # While this process waited, another one may have completed the blob, or given it up.
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)
