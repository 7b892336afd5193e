"""What the planner needs to know of the machine; everything it decides from stands in `Facts`."""

from __future__ import annotations

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocispec.types import Config, Process


class CgroupLayout:
    """Where the cgroup hierarchies are mounted.

    Attributes:
        unified: mount point of the cgroup v2 hierarchy, or None. It carries controllers only if `v1` is empty.
        v1: mount point of each v1 controller ("memory", "cpu" ...) and named hierarchy ("name=systemd").
            Controllers mounted together share one mount point.
    """

    __slots__ = ("unified", "v1")

    def __init__(self, unified: str | None, v1: Mapping[str, str]) -> None:
        self.unified = unified
        self.v1 = v1

    @property
    def is_v2(self) -> bool:
        """Whether limits are set through cgroup v2 (pure v2; in a hybrid set-up the controllers are v1's)."""
        return not self.v1 and self.unified is not None


class Facts:
    """The machine as the planner sees it.

    Attributes:
        cgroups: the hierarchies.
        euid: effective user id of the runtime in its own user namespace.
        egid: its effective group id there.
        groups_denied: whether the runtime's own user namespace has given up setgroups(2), as those in it do then.
        id_mappers: for an ordinary user, the paths of newuidmap and newgidmap; None unless both are there.
        delegated: for a runtime that is not root on the host, the group of cgroup v2 below which it may make
            groups, relative to the mount point; "" if there is none.
        rootless: whether the runtime lacks root's power over the host (not uid 0, or uid 0 of a user namespace).
        last_capability: highest capability number that the kernel knows.
        held_capabilities: bit mask of the capabilities in the runtime's own bounding set; others cannot be granted.
        resctrl: mount point of the resctrl file system, "" if there is none; read only for a configuration with intelRdt.
        security_modules: those of "apparmor" and "selinux" that are enabled; read only where a configuration has labels.
    """

    __slots__ = (
        "cgroups",
        "euid",
        "rootless",
        "last_capability",
        "held_capabilities",
        "security_modules",
        "egid",
        "groups_denied",
        "id_mappers",
        "delegated",
        "resctrl",
    )

    def __init__(
        self,
        cgroups: CgroupLayout,
        euid: int = 0,
        rootless: bool = False,
        last_capability: int = 40,
        held_capabilities: int = (1 << 41) - 1,
        security_modules: frozenset[str] = frozenset(),
        egid: int = 0,
        groups_denied: bool = False,
        id_mappers: tuple[str, str] | None = None,
        delegated: str = "",
        resctrl: str = "",
    ) -> None:
        self.cgroups = cgroups
        self.euid = euid
        self.rootless = rootless
        self.last_capability = last_capability
        self.held_capabilities = held_capabilities
        self.security_modules = security_modules
        self.egid = egid
        self.groups_denied = groups_denied
        self.id_mappers = id_mappers
        self.delegated = delegated
        self.resctrl = resctrl


def read_facts(config: Config | None = None, process: Process | None = None) -> Facts:
    """The facts of this machine that matter to this configuration and this process in it, from /proc and /sys.

    Raises:
        OSError: /proc is not mounted.
    """
    status = read_file("/proc/self/status")
    euid = posix.geteuid()
    facts = Facts(
        cgroups=parse_mountinfo(read_file("/proc/self/mountinfo")),
        euid=euid,
        rootless=euid != 0 or not _owns_all_ids(read_file("/proc/self/uid_map")),
        last_capability=int(read_file("/proc/sys/kernel/cap_last_cap")),
        held_capabilities=int(status.partition("\nCapBnd:\t")[2].partition("\n")[0], 16),
        egid=posix.getegid(),
    )
    if facts.rootless:
        from stave.host.rootless import delegated_group, id_mappers

        facts.groups_denied = read_file("/proc/self/setgroups") == "deny\n"
        facts.id_mappers = id_mappers() if euid else None
        facts.delegated = delegated_group(facts.cgroups.unified or "") if facts.cgroups.is_v2 else ""
    if _has_labels(config or {}, process or {}):  # type: ignore[arg-type]
        from stave.host.security import security_modules

        facts.security_modules = security_modules()
    if config and "intelRdt" in config.get("linux", {}):
        from stave.host.resctrl import resctrl_mount

        facts.resctrl = resctrl_mount()
    return facts


def _has_labels(config: Config, process: Process) -> bool:
    own = config.get("process", process)
    return bool(
        any(each.get("apparmorProfile") or each.get("selinuxLabel") for each in (own, process))
        or config.get("linux", {}).get("mountLabel")
    )


def read_file(path: str) -> str:
    """The whole of a small file; undecodable bytes survive as surrogates."""
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        data = b""
        while chunk := posix.read(descriptor, 65536):
            data += chunk
        return data.decode("utf-8", "surrogateescape")
    finally:
        posix.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """The whole of the data has been written. Raises: OSError"""
    view = memoryview(data)
    while view:
        view = view[posix.write(descriptor, view) :]


def parse_mountinfo(text: str) -> CgroupLayout:
    """The cgroup hierarchies among the mounts of proc_pid_mountinfo(5); the first mount of each counts.

    A mount that shows only part of a hierarchy (a bind mount in a nested container) serves as well: paths
    are always taken relative to the mount point.
    """
    unified: str | None = None
    v1: dict[str, str] = {}
    for line in text.splitlines():
        if " - cgroup" not in line:
            continue
        before, _, after = line.partition(" - ")
        kind, _, options = after.partition(" ")
        mount_point = _unescape(before.split(" ")[4])
        if kind == "cgroup2":
            unified = unified or mount_point
        elif kind == "cgroup":
            for option in options.rpartition(" ")[2].split(","):
                if option not in _MOUNT_OPTIONS and "=" not in option or option.startswith("name="):
                    v1.setdefault(option, mount_point)
    return CgroupLayout(unified, v1)


# Super block options of a v1 hierarchy that are not controllers.
_MOUNT_OPTIONS = frozenset(
    ("rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "favordynmods")
)


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def _owns_all_ids(uid_map: str) -> bool:
    return uid_map.split() == ["0", "0", "4294967295"]
