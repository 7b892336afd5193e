"""What the caller says of a checkpoint or a restore, and what both make of it for criu."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stave.criu.messages import CGROUP_MODES
from stave.errors import Error, KernelError

CLONE_NEWNET = 0x40000000
CONFIG = "/etc/criu/stave.conf"
DESCRIPTORS = "descriptors.json"
"""Beside criu's images: what the streams of the first process were, in a list."""
_VERBOSE = 4


@dataclass(kw_only=True)
class CriuOptions:
    """Options of both commands.

    Attributes:
        images: directory of the images.
        work: directory of the log and criu's other files; "" for that of the images.
        executable: criu's; "" for the one in PATH.
        empty_network: the network namespace is restored empty.
        log_warning: is told what goes on without stopping anything.
        The others are criu's flags of the same names.
    """

    images: str
    log_warning: Callable[[str], None]
    work: str = ""
    executable: str = ""
    tcp_established: bool = False
    ext_unix_sk: bool = False
    shell_job: bool = False
    file_locks: bool = False
    manage_cgroups_mode: str = ""
    empty_network: bool = False
    auto_dedup: bool = False
    lazy_pages: bool = False


@dataclass(kw_only=True)
class CheckpointOptions(CriuOptions):
    """Options of `checkpoint`.

    Attributes:
        parent: directory of an earlier pre-dump, relative to the images; "" for none.
        page_server: address and port of a page server to send memory to; None for none.
        status_fd: gets a NUL byte once lazy pages can be fetched; -1 for none.
    """

    parent: str = ""
    leave_running: bool = False
    pre_dump: bool = False
    page_server: tuple[str, int] | None = None
    status_fd: int = -1
    link_remap: bool = False
    tcp_skip_in_flight: bool = False


@dataclass(kw_only=True)
class RestoreOptions(CriuOptions):
    """Options of `restore`.

    Attributes:
        bundle: absolute path.
        pid_file, console_socket, cgroup_manager: as of `create`.
        lsm_profile: "apparmor:NAME" or "selinux:LABEL" in place of what was dumped; "" for that.
        lsm_mount_context: SELinux context of mounts in place of what was dumped; "" for that.
    """

    bundle: str
    pid_file: str | None = None
    console_socket: str | None = None
    cgroup_manager: str = "cgroupfs"
    lsm_profile: str = ""
    lsm_mount_context: str = ""


class Directories:
    """The open directories of images and work, for criu to take from us by their numbers."""

    def __init__(self, options: CriuOptions, log: str, make: bool) -> None:
        """Raises KernelError if one cannot be opened, or made where `make` says so."""
        self.images = _open(options.images, make)
        try:
            self.work = _open(options.work, True) if options.work else -1
        except BaseException:
            os.close(self.images)
            raise
        self.log = f"{options.work or options.images}/{log}"

    def close(self) -> None:
        """They are not open any more."""
        os.close(self.images)
        if self.work >= 0:
            os.close(self.work)


def _open(path: str, make: bool) -> int:
    step = "make"
    try:
        if make:
            os.makedirs(path, 0o700, exist_ok=True)
        step = "open"
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError(f"{step} directory {path}", error.errno or 0) from error


def fill(
    target: Any, options: CriuOptions, directories: Directories, root: str, annotations: Mapping[str, str]
) -> None:
    """The message `criu_opts` has what both commands say.

    Args:
        root: the container's root file system on the host.

    Raises:
        Error: there is no such way to treat cgroups.
    """
    if options.manage_cgroups_mode not in CGROUP_MODES:
        modes = ", ".join(mode for mode in CGROUP_MODES if mode)
        raise Error(f'invalid manage-cgroups-mode "{options.manage_cgroups_mode}": choose one of {modes}')
    target.images_dir_fd = directories.images
    if directories.work >= 0:
        target.work_dir_fd = directories.work
    target.log_level = _VERBOSE
    target.log_file = os.path.basename(directories.log)
    target.root = root
    target.notify_scripts = True
    target.orphan_pts_master = True
    target.manage_cgroups = True
    target.manage_cgroups_mode = CGROUP_MODES[options.manage_cgroups_mode]
    for name in ("tcp_established", "ext_unix_sk", "shell_job", "file_locks", "auto_dedup", "lazy_pages"):
        setattr(target, name, getattr(options, name))
    if options.empty_network:
        target.empty_ns = CLONE_NEWNET
    # An annotation may name another file with criu's own settings, or with "" none.
    if config := annotations.get("org.criu.config", CONFIG):
        target.config_file = config


def external_key(kind: str) -> str:
    """The name in the images of a namespace from outside: "net" or "pid"."""
    return f"extRoot{kind.capitalize()}NS"
