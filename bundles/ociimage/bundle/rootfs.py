"""What has to be looked up or made in a root file system before its container starts; all by descriptors."""

from __future__ import annotations

import os

from ociimage.bundle.users import User, resolve_user
from ociimage.errors import InvalidOption
from ociimage.native.paths import make_directories_in_root, open_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Rootfs:
    """An open root file system. Closed at the end of a `with` block."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Rootfs:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.descriptor)

    def user(self, spec: str, group_add: Sequence[str] = ()) -> User:
        """See `ociimage.bundle.users.resolve_user`."""
        return resolve_user(self.descriptor, spec, group_add)

    def make_working_directory(self, path: str, uid: int = 0, gid: int = 0) -> None:
        """The directory is there; what was missing of it belongs to this user (of the host).

        Raises: InvalidOption if something else is there (CVE-2026-55686: links lead nowhere outside).
        """
        try:
            os.close(make_directories_in_root(self.descriptor, path, uid, gid))
        except OSError as error:
            raise InvalidOption(f"the working directory {path}: {error.strerror}") from error

    def open(self, path: str, flags: int = os.O_PATH) -> int:
        """What is at this path of the container. Raises: OSError"""
        return open_in_root(self.descriptor, path, flags)
