"""The container's root: prepared before the mounts, entered and closed up after them."""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.constants import (
    CLONE_NEWNS,
    MOUNT_ATTR_RDONLY,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
    PROPAGATION,
)
from stave.plan.paths import clean, from_bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocispec.types import Config
    from stave.plan.namespaces import Namespaces
    from stave.plan.program import Operation, Program


def open_root(program: Program, config: Config, bundle: str, namespaces: Namespaces) -> None:
    """The root file system is a mount of its own (or, without a mount namespace, the directory it is).

    Spec: config-linux.md#rootfs-mount-propagation
    """
    own_mounts = int(bool(namespaces.own & CLONE_NEWNS))
    isolate = own_mounts
    if namespaces.new & CLONE_NEWNS:
        propagation = _propagation(config)
        if propagation & MS_SHARED:
            # The host's mounts stay what they are, so that a shared bind reaches back to the host.
            flags = MS_SHARED
        elif propagation & (MS_PRIVATE | MS_UNBINDABLE):
            # An unbindable tree could not become a root; the root turns unbindable once it is one.
            flags = MS_PRIVATE
        else:
            flags = MS_SLAVE
        pointer = "/linux/rootfsPropagation" if propagation else ""
        program.add("set_propagation", pointer, flags | MS_REC)
        isolate = int(flags == MS_SHARED)
    program.add("open_root", "/root/path", _root_path(config, bundle), own_mounts, isolate)


def enter_root(program: Program, namespaces: Namespaces, no_pivot: bool) -> None:
    """The root file system is the process's root."""
    if not namespaces.own & CLONE_NEWNS:
        program.add("change_root", "/root/path")
    elif no_pivot:
        program.add("move_root", "/root/path")
    else:
        program.add("pivot_root", "/root/path")


def enter_host_root(program: Program, config: Config, bundle: str) -> None:
    """The container's root is the process's root, where the container shares the mounts of the host."""
    program.add("open_root", "/root/path", _root_path(config, bundle), 0, 0)
    program.add("change_root", "/root/path")


def close_up(
    program: Program,
    config: Config,
    namespaces: Namespaces,
    read_only: Sequence[Operation],
    label: str | None,
) -> None:
    """Masked paths are hidden; read-only paths, read-only mounts and a read-only root are read-only.

    Args:
        read_only: makes mounts read-only that had to be writable up to now.
        label: the SELinux label of the mounts that hide a directory.

    Raises:
        ConfigError: it would change the mounts of the host.
    """
    linux = config.get("linux", {})
    for index, path in enumerate(linux.get("maskedPaths", ())):
        program.add("mask_path", f"/linux/maskedPaths/{index}", clean(path), label)
    for index, path in enumerate(linux.get("readonlyPaths", ())):
        program.add("make_readonly", f"/linux/readonlyPaths/{index}", clean(path))
    program.operations += read_only
    attributes = MOUNT_ATTR_RDONLY if config["root"].get("readonly") else 0
    propagation = _propagation(config)
    pointer = "/root/readonly" if attributes else "/linux/rootfsPropagation" if propagation else ""
    if pointer and not namespaces.own & CLONE_NEWNS:
        raise ConfigError(pointer, "needs a mount namespace")
    if not propagation and namespaces.new & CLONE_NEWNS:
        # What the host mounts in the bundle later is not the container's; binds may still ask for it.
        propagation = MS_PRIVATE
    if not (attributes or propagation):
        return
    program.add("set_root", pointer, attributes, propagation)


def _root_path(config: Config, bundle: str) -> str:
    return from_bundle(bundle, config["root"]["path"])


def _propagation(config: Config) -> int:
    word = config.get("linux", {}).get("rootfsPropagation")
    return PROPAGATION[word] if word else 0
