"""config.json of a container: stop-gap until ociimage.bundle has it."""

from __future__ import annotations

from cooper.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

CAPABILITIES = (
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SETFCAP"
    " CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL CAP_AUDIT_WRITE"
).split()
MASKED = "/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/sched_debug /proc/scsi /sys/firmware".split()
READONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()


def compile_config(
    options: dict[str, Any],
    image: dict[str, Any],
    *,
    rootfs: str,
    hostname: str,
    cgroup: str,
    mounts: Sequence[dict[str, Any]],
    network_namespace: str | None,
) -> dict[str, Any]:
    """The configuration. `image`: the image's own config (Env, Cmd, ...); `mounts`: ready for config.json."""
    entrypoint = options["entrypoint"]
    command = options["args"]
    if entrypoint is None:
        entrypoint = image.get("Entrypoint") or []
        command = command or image.get("Cmd") or []
    args = [*entrypoint, *command]
    if not args:
        raise Error("there is no command to run", "give one after the image")
    env = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME": hostname,
        "HOME": "/root",
    }
    if options["tty"]:
        env["TERM"] = "xterm"
    for line in (*(image.get("Env") or ()), *options["env"]):
        name, _, value = line.partition("=")
        env[name] = value
    user, _, group = (options["user"] or image.get("User") or "0").partition(":")
    namespaces = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
    if network_namespace is not None:
        namespaces.append({"type": "network", **({"path": network_namespace} if network_namespace else {})})
    capabilities = [
        name for name in CAPABILITIES if name not in options["cap_drop"] and "ALL" not in options["cap_drop"]
    ]
    capabilities += [name for name in options["cap_add"] if name not in capabilities]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": options["tty"],
            "user": {"uid": int(user), "gid": int(group or 0)},
            "args": args,
            "env": [f"{name}={value}" for name, value in env.items()],
            "cwd": options["workdir"] or image.get("WorkingDir") or "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        },
        "root": {"path": rootfs, "readonly": options["read_only"]},
        "hostname": hostname,
        "mounts": [
            {
                "destination": "/proc",
                "type": "proc",
                "source": "proc",
                "options": ["nosuid", "noexec", "nodev"],
            },
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
            },
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            },
            {
                "destination": "/sys",
                "type": "sysfs",
                "source": "sysfs",
                "options": ["nosuid", "noexec", "nodev", "ro"],
            },
            {
                "destination": "/sys/fs/cgroup",
                "type": "cgroup",
                "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", "ro"],
            },
            {
                "destination": "/dev/mqueue",
                "type": "mqueue",
                "source": "mqueue",
                "options": ["nosuid", "noexec", "nodev"],
            },
            {
                "destination": "/dev/shm",
                "type": "tmpfs",
                "source": "shm",
                "options": ["nosuid", "noexec", "nodev", "mode=1777", f"size={options['shm_size']}"],
            },
            *mounts,
        ],
        "annotations": options["annotations"],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": namespaces,
            "resources": {"devices": [{"allow": False, "access": "rwm"}], **resources(options["resources"])},
            "maskedPaths": MASKED,
            "readonlyPaths": READONLY,
        },
    }


def resources(limits: dict[str, Any]) -> dict[str, Any]:
    """linux.resources."""
    memory: dict[str, Any] = {}
    cpu: dict[str, Any] = {}
    if "memory" in limits:
        memory["limit"] = limits["memory"]
        memory["swap"] = limits.get("memory_swap", limits["memory"] * 2)
    if "memory_reservation" in limits:
        memory["reservation"] = limits["memory_reservation"]
    if "cpus" in limits:
        cpu |= {"period": 100000, "quota": int(limits["cpus"] * 100000)}
    for key, name in (
        ("cpu_shares", "shares"),
        ("cpu_period", "period"),
        ("cpu_quota", "quota"),
        ("cpuset_cpus", "cpus"),
        ("cpuset_mems", "mems"),
    ):
        if key in limits:
            cpu[name] = limits[key]
    result: dict[str, Any] = {}
    if memory:
        result["memory"] = memory
    if cpu:
        result["cpu"] = cpu
    if "pids_limit" in limits:
        result["pids"] = {"limit": limits["pids_limit"]}
    return result
