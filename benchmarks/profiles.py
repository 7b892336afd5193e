"""The two kinds of container that are measured.

`minimal` is what `spec` writes, without a terminal. `full` is what an engine such as Docker asks for: a
seccomp profile with a few hundred system calls, limits, device rules, capabilities and bind mounts. Both
say `ociVersion` 1.0.2, which old runtimes accept, too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PROFILES = ("minimal", "full")

_UNISTD = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")

# What an ordinary container has no business with; the rest of the kernel's calls is allowed.
_REFUSED = """
    _sysctl acct add_key bpf clock_adjtime clock_settime create_module delete_module finit_module
    fsconfig fsmount fsopen fspick get_kernel_syms init_module ioperm iopl kexec_file_load kexec_load
    keyctl lookup_dcookie mount mount_setattr move_mount move_pages name_to_handle_at nfsservctl
    open_by_handle_at open_tree perf_event_open pivot_root process_vm_readv process_vm_writev ptrace
    query_module quotactl quotactl_fd reboot request_key setns settimeofday swapoff swapon sysfs umount2
    unshare uselib userfaultfd ustat vhangup
"""
_NEW_NAMESPACES = 0x7E020000

_MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"]
_MASKED += ["/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"]
_READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

_FEW_CAPABILITIES = "AUDIT_WRITE KILL NET_BIND_SERVICE"
_ENGINE_CAPABILITIES = """
    CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
    SYS_CHROOT KILL AUDIT_WRITE
"""

Config = dict[str, Any]


def config(
    profile: str, name: str, program: list[str], memory: int | None = None, pids: int | None = None
) -> Config:
    """Returns the configuration of a container with this name, in a control group of the same name.

    `memory` is a limit in bytes and `pids` one in processes, for either profile.

    Raises:
        FileNotFoundError: the list of system calls for `full`, which Debian has in `linux-libc-dev`.
    """
    made = _minimal(name, program)
    if profile == "full":
        _make_full(made)
    if memory is not None:
        made["linux"]["resources"].setdefault("memory", {})["limit"] = memory
    if pids is not None:
        made["linux"]["resources"]["pids"] = {"limit": pids}
    return made


def _minimal(name: str, program: list[str]) -> Config:
    return {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs", "readonly": True},
        "hostname": name,
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": program,
            "env": ["PATH=/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": _capabilities(_FEW_CAPABILITIES),
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "mounts": [
            _mount("/proc", "proc", "proc"),
            _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            _mount(
                "/dev/pts",
                "devpts",
                "devpts",
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
            ),
            _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
            _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
        ],
        "linux": {
            "cgroupsPath": f"/{name}",
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": _MASKED,
            "readonlyPaths": _READONLY,
        },
    }


def _make_full(made: Config) -> None:
    made["process"]["capabilities"] = _capabilities(_ENGINE_CAPABILITIES)
    made["process"]["oomScoreAdj"] = 100
    made["process"]["env"] += [f"SETTING_{number}=some value" for number in range(20)]
    made["mounts"] += [
        _mount(f"/etc/{file}", "bind", f"/etc/{file}", "rbind", "rprivate")
        for file in ("hosts", "hostname", "resolv.conf")
    ]
    made["annotations"] = {f"org.example.label.{number}": "some value" for number in range(10)}
    made["linux"]["sysctl"] = {"net.ipv4.ping_group_range": "0 0", "net.ipv4.ip_unprivileged_port_start": "0"}
    made["linux"]["resources"] = {
        "memory": {"limit": 512 << 20, "swap": 512 << 20},
        "cpu": {"shares": 512, "quota": 150000, "period": 100000},
        "pids": {"limit": 256},
        "devices": [{"allow": False, "access": "rwm"}, *_device_rules()],
    }
    made["linux"]["seccomp"] = _seccomp()


def _mount(destination: str, kind: str, source: str, *options: str) -> Config:
    return {"destination": destination, "type": kind, "source": source, "options": [*options]}


def _capabilities(names: str) -> Config:
    return {
        kind: [f"CAP_{name}" for name in names.split()] for kind in ("bounding", "effective", "permitted")
    }


def _device_rules() -> list[Config]:
    rules: list[Config] = [{"allow": True, "type": kind, "access": "m"} for kind in "cb"]
    for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (136, -1)):
        rule = {"allow": True, "type": "c", "major": major, "access": "rwm"}
        rules.append(rule if minor < 0 else rule | {"minor": minor})
    return rules


def _seccomp() -> Config:
    known = re.findall(r"#define __NR_(\w+)", _UNISTD.read_text())
    allowed = sorted(set(known) - set(_REFUSED.split()) - {"clone", "clone3", "personality"})
    plain = {"names": allowed, "action": "SCMP_ACT_ALLOW"}
    no_namespaces = {"index": 0, "value": _NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    conditional = [{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [no_namespaces]}]
    for personality in (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF):
        equal = {"index": 0, "value": personality, "op": "SCMP_CMP_EQ"}
        conditional.append({"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [equal]})
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [plain, *conditional, {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}],
    }
