"""The configuration that the `spec` command prints: a shell in a read-only `rootfs`, ready to be edited."""

from __future__ import annotations

from ocispec import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import Config, Mount, Namespace, Process

_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
_NAMESPACES: tuple[Namespace, ...] = (
    {"type": "pid"},
    {"type": "network"},
    {"type": "ipc"},
    {"type": "uts"},
    {"type": "mount"},
)
_MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/proc/scsi",
)
_DEVPTS_OPTIONS = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
_READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def default_config(
    rootless: bool = False,
    uid: int = 0,
    gid: int = 0,
    *,
    hostname: str = "stave",
    cgroup_namespace: bool = True,
) -> Config:
    """A new, valid configuration with the content of runc's `spec`, but for the ambient capabilities.

    (The kernel takes ambient capabilities only together with inheritable ones, which that content lacks.)

    With `rootless` it runs without privileges: a user namespace maps 0 to this uid and gid, the host's
    /sys is bound instead of mounted, and no resources are set. A cgroup namespace is for hosts with
    cgroup v2 (`cgroup_namespace`).
    """
    namespaces = [namespace.copy() for namespace in _NAMESPACES]
    if cgroup_namespace:
        namespaces.append({"type": "cgroup"})
    config: Config = {
        "ociVersion": VERSION,
        "process": _process(),
        "root": {"path": "rootfs", "readonly": True},
        "hostname": hostname,
        "mounts": _mounts(),
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": namespaces,
            "maskedPaths": list(_MASKED_PATHS),
            "readonlyPaths": list(_READONLY_PATHS),
        },
    }
    if rootless:
        _make_rootless(config, uid, gid)
    return config


def _process() -> Process:
    return {
        "terminal": True,
        "user": {"uid": 0, "gid": 0},
        "args": ["sh"],
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
        "cwd": "/",
        "capabilities": {
            "bounding": list(_CAPABILITIES),
            "effective": list(_CAPABILITIES),
            "permitted": list(_CAPABILITIES),
        },
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "noNewPrivileges": True,
    }


def _mounts() -> list[Mount]:
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", *_DEVPTS_OPTIONS),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
    ]


def _mount(destination: str, kind: str, source: str, *options: str) -> Mount:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def _make_rootless(config: Config, uid: int, gid: int) -> None:
    """What needs privileges is replaced: the network stays the host's, and so does its view in /sys."""
    linux = config["linux"]
    linux["namespaces"] = [item for item in linux["namespaces"] if item["type"] != "network"]
    linux["namespaces"].append({"type": "user"})
    linux["uidMappings"] = [{"containerID": 0, "hostID": uid, "size": 1}]
    linux["gidMappings"] = [{"containerID": 0, "hostID": gid, "size": 1}]
    del linux["resources"]
    sys_mount = _mount("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro")
    config["mounts"] = [sys_mount if mount["destination"] == "/sys" else mount for mount in config["mounts"]]
    for mount in config["mounts"]:
        # The group tty, 5, is not mapped.
        mount["options"] = [option for option in mount.get("options", ()) if not option.startswith("gid=")]
        if not mount["options"]:
            del mount["options"]
