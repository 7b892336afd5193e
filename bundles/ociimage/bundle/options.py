"""What the caller wants of a container, beyond what the image says."""

from __future__ import annotations

from ociimage.bundle.users import User

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ocispec.types import Device, DeviceRule, Hooks, IDMapping, Mount, Resources, Rlimit, Seccomp


class Options:
    """Everything that `ociimage.bundle.config.make_config` is told. Each attribute may be given by its name.

    The process:
        command: arguments that replace the image's Cmd; None for the image's own.
        entrypoint: replaces the image's Entrypoint, and its Cmd; None for the image's own, [] for none.
        env: "NAME=VALUE", which go before the image's.
        workdir: "" for the image's.
        user: as resolved in the root file system (`ociimage.bundle.users.resolve_user`).
        terminal, console_size: (height, width) or None.
        umask: or None.
        init: path of a host's program that becomes PID 1 and runs the command after "--"; "" for none.
        oom_score_adj, rlimits, no_new_privileges, apparmor_profile, selinux_label: as config.json has them.

    Names and namespaces:
        hostname, domainname
        namespaces: by type (pid, network, ipc, uts, mount, cgroup, user, time): "private", "host", or the path of one.
            Absent: a new one; of cgroup only on cgroup v2; of user only with mappings; no time namespace.
        uid_mappings, gid_mappings: with them the container has a user namespace.

    Privileges:
        privileged, cap_add, cap_drop
        available_capabilities: bits of those that the caller can give.
        seccomp: a profile; None for our own; "unconfined".
        masked_paths, readonly_paths: instead of the usual ones ([] for none), or None.
        writable_cgroups

    Files:
        read_only
        mounts: after the usual ones, and in place of those with the same destination.
        shm_size: bytes.
        devices: with their rules (`ociimage.bundle.devices`).
        device_rules: more rules.

    Resources:
        resources: config.json's, without devices.
        cgroups_path: "" leaves it to the runtime.
        sysctl, annotations, hooks

    The host:
        cgroup_v2, architecture (Go's name)
        rootless: the caller's user namespace, which is the container's, too, is not the host's.
        tty_group: whether it has the group tty.
    """

    __slots__ = (
        *("command", "entrypoint", "env", "workdir", "user", "terminal", "console_size", "umask", "init"),
        *("oom_score_adj", "rlimits", "no_new_privileges", "apparmor_profile", "selinux_label"),
        *("hostname", "domainname", "namespaces", "uid_mappings", "gid_mappings"),
        *("privileged", "cap_add", "cap_drop", "available_capabilities", "seccomp"),
        *("masked_paths", "readonly_paths", "writable_cgroups", "read_only", "mounts", "shm_size"),
        *("devices", "device_rules", "resources", "cgroups_path", "sysctl", "annotations", "hooks"),
        *("cgroup_v2", "rootless", "tty_group", "architecture"),
    )

    command: list[str] | None
    entrypoint: list[str] | None
    env: list[str]
    workdir: str
    user: User
    terminal: bool
    console_size: tuple[int, int] | None
    umask: int | None
    init: str
    oom_score_adj: int | None
    rlimits: list[Rlimit]
    no_new_privileges: bool
    apparmor_profile: str
    selinux_label: str
    hostname: str
    domainname: str
    namespaces: dict[str, str]
    uid_mappings: list[IDMapping]
    gid_mappings: list[IDMapping]
    privileged: bool
    cap_add: list[str]
    cap_drop: list[str]
    available_capabilities: int
    seccomp: Seccomp | str | None
    masked_paths: list[str] | None
    readonly_paths: list[str] | None
    writable_cgroups: bool
    read_only: bool
    mounts: list[Mount]
    shm_size: int
    devices: list[tuple[Device, DeviceRule]]
    device_rules: list[DeviceRule]
    resources: Resources
    cgroups_path: str
    sysctl: dict[str, str]
    annotations: dict[str, str]
    hooks: Hooks
    cgroup_v2: bool
    rootless: bool
    tty_group: bool
    architecture: str

    def __init__(self, **given: Any) -> None:
        values: dict[str, Any] = {
            **dict.fromkeys(("command", "entrypoint", "console_size", "umask", "oom_score_adj", "seccomp")),
            **dict.fromkeys(("masked_paths", "readonly_paths")),
            **dict.fromkeys(
                ("workdir", "init", "apparmor_profile", "selinux_label", "hostname", "domainname"), ""
            ),
            **dict.fromkeys(
                ("terminal", "no_new_privileges", "privileged", "writable_cgroups", "read_only"), False
            ),
            **{
                name: []
                for name in ("env", "rlimits", "cap_add", "cap_drop", "mounts", "devices", "device_rules")
            },
            **{name: [] for name in ("uid_mappings", "gid_mappings")},
            **{name: {} for name in ("namespaces", "resources", "sysctl", "annotations", "hooks")},
            "user": User(),
            "available_capabilities": (1 << 41) - 1,
            "shm_size": 64 << 20,
            "cgroups_path": "",
            "cgroup_v2": True,
            "rootless": False,
            "tty_group": True,
            "architecture": "amd64",
            **given,
        }
        for name, value in values.items():
            setattr(self, name, value)
