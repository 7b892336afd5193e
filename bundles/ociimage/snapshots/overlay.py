"""Mounts overlayfs: by the newest interface that the kernel has, so that the number of layers has no low limit.

``descriptors``  fsconfig(2) takes layers as descriptors, detached mounts too (Linux 6.15; without id maps 6.13)
``strings``      fsconfig(2) takes one layer at a time by name (Linux 6.5); id-mapped layers are attached meanwhile
``mount``        one page holds all names: mount(2), for some 200 layers

overlayfs itself takes 500 layers. Source: kernel Documentation/filesystems/overlayfs.rst
"""

from __future__ import annotations

import errno
import os

from ociimage.errors import SnapshotError
from ociimage.native import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

WAYS = ("descriptors", "strings", "mount")
# What an interface answers that the kernel does not have.
_UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PAGE = 4096
_MAX_LAYERS = 500
# A layer's form on disk must stay what a tar can say: no redirected directories, no data in another layer.
_OPTIONS = {"redirect_dir": "off", "metacopy": "off", "index": "off"}


class Layers:
    """What one overlay is made of.

    Attributes:
        lower: directories, uppermost first; at least one.
        container: a directory that holds `upper` and `work`, or "" for a read-only overlay.
        maps: (uid_map, gid_map) in the form of /proc/PID/uid_map that the lower directories are seen through, or
            None for ids as they are on disk. `upper` holds ids of the host.
        rootless: whether overlayfs keeps its notes in user.overlay instead of trusted.overlay.
        volatile: nothing is written to disk for the sake of a crash, after which `upper` is to be thrown away.
    """

    __slots__ = ("lower", "container", "maps", "rootless", "volatile")

    def __init__(
        self,
        lower: Sequence[str],
        container: str,
        maps: tuple[str, str] | None = None,
        *,
        rootless: bool = False,
        volatile: bool = False,
    ) -> None:
        self.lower = lower
        self.container = container
        self.maps = maps
        self.rootless = rootless
        self.volatile = volatile

    def options(self) -> dict[str, str]:
        """Options with a value."""
        # With userxattr there are neither, and the kernel does not want to hear of them.
        return {"index": "off"} if self.rootless else dict(_OPTIONS)

    def flags(self) -> list[str]:
        """Options without a value."""
        return ["userxattr"] * self.rootless + ["volatile"] * (self.volatile and bool(self.container))


def mount(layers: Layers, target: str, ways: Sequence[str] = WAYS) -> None:
    """Mounts the overlay at `target`, privately. Raises: SnapshotError"""
    tree = make(layers, ways)
    try:
        if tree >= 0:
            syscalls.move_mount(tree, target)
        else:
            _mount_old(layers, target)
    except OSError as error:
        raise SnapshotError(f"mount {target}: {error.strerror}") from error
    finally:
        if tree >= 0:
            os.close(tree)


def make(layers: Layers, ways: Sequence[str] = WAYS) -> int:
    """The overlay as a detached mount; -1 if only mount(2) makes one. Raises: SnapshotError"""
    if len(layers.lower) > _MAX_LAYERS:
        raise SnapshotError(
            f"{len(layers.lower)} layers are more than the {_MAX_LAYERS} that overlayfs takes"
        )
    problem: OSError | None = None
    for way in ways:
        if way == "mount":
            return -1
        try:
            with _Opened(layers, attach=way == "strings") as opened:
                return _configure(layers, opened, by_descriptor=way == "descriptors")
        except OSError as error:
            problem = error
            if error.errno not in _UNKNOWN:
                break
    assert problem is not None
    raise SnapshotError(f"overlayfs: {problem.strerror}{_cure(problem, layers)}") from problem


def _cure(error: OSError, layers: Layers) -> str:
    if error.errno == errno.EPERM and layers.rootless:
        return ": overlayfs in a user namespace needs Linux 5.11, or the program fuse-overlayfs"
    if error.errno == errno.ENODEV:
        return ": the kernel has no overlayfs (modprobe overlay)"
    return ""


def _configure(layers: Layers, opened: _Opened, *, by_descriptor: bool) -> int:
    context = syscalls.fsopen("overlay")
    try:
        for name, value in layers.options().items():
            syscalls.fsconfig_set_string(context, name, value.encode())
        for name in layers.flags():
            syscalls.fsconfig_set_flag(context, name)
        for name, descriptor in opened.directories:
            if by_descriptor:
                syscalls.fsconfig_set_fd(context, name, descriptor)
            else:
                syscalls.fsconfig_set_string(context, name, b"/proc/self/fd/%d" % descriptor)
        syscalls.fsconfig_create(context)
        tree = syscalls.fsmount(context, 0)
    finally:
        os.close(context)
    syscalls.mount_setattr_private(tree)
    return tree


def _mount_old(layers: Layers, target: str) -> None:
    """By mount(2). The names of descriptors are short, and hold no colon or comma."""
    with _Opened(layers, attach=True) as opened:
        lower = ":".join(f"/proc/self/fd/{each}" for name, each in opened.directories if name == "lowerdir+")
        parts = [f"lowerdir={lower}"]
        parts += [f"{name}=/proc/self/fd/{each}" for name, each in opened.directories if name != "lowerdir+"]
        parts += [f"{name}={value}" for name, value in layers.options().items()]
        data = ",".join(parts + layers.flags()).encode()
        if len(data) >= _PAGE:
            raise OSError(
                errno.E2BIG, f"{len(layers.lower)} layers are too many for this kernel: it takes 4095 bytes"
            )
        syscalls.mount("overlay", target, "overlay", 0, data)
    syscalls.mount_private(target)


class _Opened:
    """The directories of an overlay as descriptors, with their ids mapped.

    Attributes:
        directories: (fsconfig's name, descriptor), lower directories from the uppermost on.
    """

    def __init__(self, layers: Layers, *, attach: bool) -> None:
        self.directories: list[tuple[str, int]] = []
        self._layers = layers
        self._attach = attach and layers.maps is not None
        self._attached: list[str] = []
        self._all: list[int] = []
        self._namespace = -1

    def __enter__(self) -> _Opened:
        try:
            if self._layers.maps is not None:
                self._namespace = syscalls.user_namespace(*self._layers.maps)
            for path in self._layers.lower:
                self.directories.append(("lowerdir+", self._open(path)))
            if self._layers.container:
                # Not id-mapped: overlayfs itself works there, as the host's root, whom the maps do not have.
                for name in ("upper", "work"):
                    inner = os.open(f"{self._layers.container}/{name}", _DIRECTORY)
                    self._all.append(inner)
                    self.directories.append((f"{name}dir", inner))
        except BaseException:
            self.__exit__()
            raise
        return self

    def _open(self, path: str) -> int:
        if self._namespace < 0:
            descriptor = os.open(path, _DIRECTORY)
            self._all.append(descriptor)
            return descriptor
        tree = syscalls.open_tree(syscalls.AT_FDCWD, os.fsencode(path), clone=True)
        self._all.append(tree)
        try:
            syscalls.mount_setattr_idmap(tree, self._namespace)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            text = f"the file system of {path} takes no id-mapped mounts, which a user namespace needs"
            raise SnapshotError(text) from error
        if self._attach:
            # One on top of the other: each is reached by its descriptor.
            place = f"{self._layers.container}/attached"
            if not self._attached:
                os.makedirs(place, 0o700, exist_ok=True)
            syscalls.move_mount(tree, place)
            self._attached.append(place)
        return tree

    def __exit__(self, *error: object) -> None:
        for descriptor in self._all:
            os.close(descriptor)
        for place in reversed(self._attached):
            syscalls.umount2(place, syscalls.MNT_DETACH)
        if self._namespace >= 0:
            os.close(self._namespace)


def mount_fuse(layers: Layers, target: str) -> None:
    """Mounts it by the program fuse-overlayfs, where the kernel gives overlayfs to root alone."""
    import shutil
    import subprocess

    program = shutil.which("fuse-overlayfs")
    if program is None:
        raise SnapshotError(
            "overlayfs is not for this user, and there is no program fuse-overlayfs: install it"
        )
    options = f"lowerdir={':'.join(layers.lower)}"
    if layers.container:
        options += f",upperdir={layers.container}/upper,workdir={layers.container}/work"
    done = subprocess.run([program, "-o", options, target], capture_output=True, text=True)
    if done.returncode:
        raise SnapshotError(f"mount {target}: fuse-overlayfs: {done.stderr.strip() or done.returncode}")
