"""Directories that the command line names, absolute: the state directory and the bundle."""

from __future__ import annotations

import posix

from stave.container.state import DEFAULT_ROOT
from stave.errors import Error, KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def state_root(invocation: Invocation) -> str:
    """The directory with one directory per container: `--root`, or the default for this user.

    Raises:
        Error: without privileges, neither `--root` nor XDG_RUNTIME_DIR says where.
    """
    root: str = invocation.global_options["root"]
    if root:
        return _from_here(root)
    rootless = invocation.global_options["rootless"]
    if rootless == "false" or (rootless == "auto" and posix.geteuid() == 0):
        return DEFAULT_ROOT
    runtime = posix.environ.get(b"XDG_RUNTIME_DIR", b"").decode("utf-8", "surrogateescape")
    if runtime[:1] != "/":
        raise Error("XDG_RUNTIME_DIR is not set: name the state directory with --root")
    return f"{runtime}/stave"


def cgroup_manager(invocation: Invocation) -> str:
    """Who makes the container's control group: cgroupfs, systemd or disabled."""
    options = invocation.global_options
    return "systemd" if options["systemd-cgroup"] else str(options["cgroup-manager"])


def bundle_directory(path: str) -> str:
    """The bundle's absolute path without symbolic links, as the container's state shows it.

    Args:
        path: as given; "" for the current directory.

    Raises:
        KernelError: there is no such directory.
    """
    try:
        descriptor = posix.open(path or ".", posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except OSError as error:
        raise KernelError(f"open bundle {path}", error.errno or 0) from error
    try:
        return posix.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        posix.close(descriptor)


def absolute(path: str) -> str | None:
    """The path counted from the working directory; None if it is empty."""
    return _from_here(path) if path else None


def _from_here(path: str) -> str:
    try:
        return path if path[0] == "/" else f"{posix.getcwd()}/{path}"
    except OSError as error:
        raise KernelError(f"{path}: find the working directory", error.errno or 0) from error
