"""The configured mounts, in their order."""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.cgroup_mounts import CgroupMounts
from stave.plan.constants import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUSER,
    MOUNT_ATTR_RDONLY,
    MS_PRIVATE,
    MS_REC,
)
from stave.plan.mount_options import parse_options
from stave.plan.operations import (
    MOUNT_COPY_LINK,
    MOUNT_COPY_UP,
    MOUNT_KEEP_MODE,
    MOUNT_LINK_SOURCE,
    MOUNT_LINK_TARGET,
    MOUNT_MAPPED,
    MOUNT_ON_PROC,
    MOUNT_OPENED,
    MOUNT_REAL_TARGET,
    MOUNT_RECURSIVE,
    SOURCE_LINK,
    SOURCE_MAP_ALL,
    SOURCE_RECURSIVE,
)
from stave.plan.paths import clean, from_bundle
from stave.plan.program import Operation, Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocispec.types import Config, Mount
    from stave.host.facts import Facts
    from stave.plan.mapped_mounts import MappedMounts
    from stave.plan.mount_options import MountOptions
    from stave.plan.namespaces import Namespaces

# What may be replaced in a container's /proc: files that tell of the machine, so that they tell of the
# container instead (lxcfs). Anything else there is trusted by the runtime or by the container's programs.
ON_PROC = frozenset(
    (
        "/proc/cpuinfo",
        "/proc/diskstats",
        "/proc/loadavg",
        "/proc/meminfo",
        "/proc/net/dev",
        "/proc/slabinfo",
        "/proc/stat",
        "/proc/swaps",
        "/proc/sys/crypto/fips_enabled",
        "/proc/sys/kernel/ns_last_pid",
        "/proc/uptime",
    )
)

# "ro" is only the mount's business for these; a file system on a device must not be written to either.
VIRTUAL = frozenset(("proc", "sysfs", "tmpfs", "ramfs", "mqueue", "devpts", "cgroup", "cgroup2", "bpf"))


_UNMAPPABLE = (
    "idmap of a new file system is for the host's root to do: not of cgroups, and not in a container with a user"
    " namespace of its own, whose ids the file system has anyhow"
)


class Mounts:
    """The operations of `mounts`, before they are put into a Program.

    Attributes:
        steps: the mounts themselves, for the container's side.
        sources: what the runtime opens for them beforehand.
        read_only: what makes read-only those mounts that still have to be filled: they are writable up to then.
    """

    __slots__ = ("read_only", "sources", "steps")

    def __init__(self) -> None:
        self.steps = Program()
        self.sources: list[Operation] = []
        self.read_only: list[Operation] = []


def add_mounts(
    program: Program,
    config: Config,
    bundle: str,
    namespaces: Namespaces,
    facts: Facts,
    cgroup_paths: Mapping[str, str],
    label: str | None = None,
) -> list[Operation]:
    """Every entry of `mounts` is in place below the root.

    Args:
        label: the SELinux label of new file systems.

    Returns:
        What makes read-only those mounts that still have to be filled: they are writable up to then.

    Raises:
        ConfigError: an entry that would hide the container's /proc, or that cannot be honoured.

    Spec: config.md#mounts
    """
    # Root of a user namespace may not read what root may: a source in another user's private directory.
    opened = bool(namespaces.own & CLONE_NEWUSER and namespaces.own & CLONE_NEWNS) and not facts.rootless
    planned = plan_mounts(config, bundle, namespaces, facts, cgroup_paths, label, opened)
    if planned.sources:
        program.add("wait_for_runtime", "/mounts")
    program.operations += [*planned.sources, *planned.steps]
    return planned.read_only


def plan_mounts(
    config: Config,
    bundle: str,
    namespaces: Namespaces,
    facts: Facts,
    cgroup_paths: Mapping[str, str],
    label: str | None,
    opened: bool,
) -> Mounts:
    """The operations of `mounts`; see `add_mounts`.

    Args:
        opened: the runtime opens the sources of all binds, not only where it has to.
    """
    planned = Mounts()
    steps, linux = planned.steps, config.get("linux", {})
    cgroups = CgroupMounts(steps, namespaces, facts, cgroup_paths)
    # sysfs can only be mounted by the owner of the network namespace whose devices it shows.
    sysfs_refused = bool(namespaces.new & CLONE_NEWUSER) and not namespaces.new & CLONE_NEWNET
    mapped: MappedMounts | None = None
    for index, entry in enumerate(config.get("mounts", ())):
        pointer = f"/mounts/{index}"
        options = parse_options(entry.get("options", ()))
        target = clean(entry["destination"])
        kind = entry.get("type", "")
        if options.remount:
            _add_remount(steps, pointer, target, options)
            continue
        _finish_covered(planned, target)
        is_bind = options.bind or kind == "bind"
        ids = None
        if options.idmap or entry.get("uidMappings"):
            if not is_bind and (kind == "cgroup" or namespaces.own & CLONE_NEWUSER):
                raise ConfigError(f"{pointer}/options", _UNMAPPABLE)
            from stave.plan.mapped_mounts import MappedMounts

            mapped = mapped or MappedMounts(linux, namespaces, facts)
            ids = mapped.name(pointer, entry, options)
        if is_bind:
            if not namespaces.own & CLONE_NEWNS:
                # Among the caller's own mounts, what is mounted in a bind must not appear in its source.
                options.propagation = options.propagation or MS_PRIVATE | MS_REC
            source = _bind_source(pointer, entry, bundle)
            if opened or ids:
                planned.sources.append(_open_source(pointer, source, target, options, ids))
            _add_bind(steps, pointer, source, target, options, MOUNT_OPENED if opened or ids else 0)
        elif options.copy_link or options.link_source or options.link_target:
            raise ConfigError(f"{pointer}/options", "what is said of links is for bind mounts only")
        elif kind == "cgroup":
            cgroups.add(pointer, target, options)
        elif kind == "sysfs" and sysfs_refused:
            _add_host_sysfs(steps, pointer, target, options)
        else:
            if (kind == "tmpfs" or target == "/dev") and options.attributes & MOUNT_ATTR_RDONLY:
                later = Operation("remount", pointer, (target, MOUNT_ATTR_RDONLY, 0, 0, [], 0))
                planned.read_only.append(later)
                options.set &= ~MOUNT_ATTR_RDONLY
                options.recursive_set &= ~MOUNT_ATTR_RDONLY
            if label:
                from stave.plan.labels import label_mounted, label_options

                options.parameters += label_options(label, kind)
            if ids:
                planned.sources.append(Operation("send_user_namespace", pointer, (ids, target)))
            _add_mount(steps, pointer, entry, target, options, MOUNT_MAPPED if ids else 0)
            if label:
                label_mounted(steps, pointer, label, kind, target)
    if mapped:
        planned.sources[:0] = mapped.made
    return planned


def _open_source(pointer: str, source: str, target: str, options: MountOptions, ids: str | None) -> Operation:
    bits = SOURCE_RECURSIVE if options.recursive else 0
    if options.link_source or options.copy_link:
        bits |= SOURCE_LINK
    if options.idmap_recursive:
        bits |= SOURCE_MAP_ALL
    return Operation("open_source", pointer, (source, target, bits, ids))


def _finish_covered(planned: Mounts, target: str) -> None:
    """Mounts that one on `target` hides turn read-only now: later their paths lead elsewhere."""
    covered = [each for each in planned.read_only if f"{each.arguments[0]}/".startswith(f"{target}/")]
    planned.steps.operations += covered
    planned.read_only = [each for each in planned.read_only if each not in covered]


def _add_mount(
    program: Program, pointer: str, entry: Mount, target: str, options: MountOptions, flags: int
) -> None:
    kind = entry.get("type")
    if not kind:
        raise ConfigError(f"{pointer}/type", "missing, and neither bind nor rbind is among the options")
    flags |= _place(pointer, target, hides_proc=kind != "proc")
    if kind in ("proc", "sysfs"):
        flags |= MOUNT_REAL_TARGET
    if kind == "tmpfs" and not any(word.startswith("mode=") for word in options.parameters):
        flags |= MOUNT_KEEP_MODE
    if options.copy_up:
        if kind != "tmpfs":
            raise ConfigError(f"{pointer}/options", "tmpcopyup is for tmpfs only")
        flags |= MOUNT_COPY_UP
    parameters = options.parameters
    if options.attributes & MOUNT_ATTR_RDONLY and kind not in VIRTUAL:
        parameters = ["ro", *parameters]
    program.add(
        "mount",
        pointer,
        kind,
        entry.get("source") or "none",
        target,
        options.attributes,
        options.propagation,
        parameters,
        flags,
    )


def _bind_source(pointer: str, entry: Mount, bundle: str) -> str:
    source = entry.get("source")
    if not source:
        raise ConfigError(f"{pointer}/source", "missing: a bind mount needs one")
    return from_bundle(bundle, source)


def _add_bind(
    program: Program, pointer: str, source: str, target: str, options: MountOptions, flags: int
) -> None:
    # The host's own procfs may take the place of the container's: that is sharing the pid namespace.
    flags |= _place(pointer, target, hides_proc=clean(source) != "/proc")
    if options.recursive:
        flags |= MOUNT_RECURSIVE
    if options.copy_link:
        flags |= MOUNT_COPY_LINK
    if options.link_source:
        flags |= MOUNT_LINK_SOURCE
    if options.link_target:
        flags |= MOUNT_LINK_TARGET
    program.add(
        "bind",
        pointer,
        source,
        target,
        options.set,
        options.clear,
        options.recursive_set,
        options.recursive_clear,
        options.propagation,
        flags,
    )


def _add_remount(program: Program, pointer: str, target: str, options: MountOptions) -> None:
    if options.recursive_set or options.recursive_clear:
        raise ConfigError(f"{pointer}/options", "a remount changes one mount, not all below it")
    parameters = [] if options.bind else options.parameters
    program.add("remount", pointer, target, options.set, options.clear, options.propagation, parameters, 0)


def _add_host_sysfs(program: Program, pointer: str, target: str, options: MountOptions) -> None:
    recursive_set = options.attributes | MOUNT_ATTR_RDONLY
    flags = MOUNT_RECURSIVE | MOUNT_REAL_TARGET
    program.add("bind", pointer, "/sys", target, 0, 0, recursive_set, 0, options.propagation, flags)


def _place(pointer: str, target: str, hides_proc: bool) -> int:
    """MOUNT_* bits that the target calls for."""
    if target == "/proc":
        if hides_proc:
            raise ConfigError(f"{pointer}/destination", "only a procfs may be mounted on /proc")
        return MOUNT_REAL_TARGET | MOUNT_ON_PROC
    if not target.startswith("/proc/"):
        return 0
    if target in ON_PROC:
        return MOUNT_ON_PROC
    raise ConfigError(f"{pointer}/destination", f"{target} is part of /proc, nothing may be mounted there")
