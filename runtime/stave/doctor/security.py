"""Seccomp, security modules, capabilities."""

from __future__ import annotations

from stave.doctor.finding import Finding, setting
from stave.host.facts import Facts
from stave.host.security import security_modules
from stave.plan.capabilities import NAMES

GROUP = "security"

# What goes missing without a capability that engines ask for or the runtime uses.
_LACKS = {
    "CAP_SYS_ADMIN": "mounts and namespaces outside a user namespace fail",
    "CAP_SYS_RESOURCE": "limits (rlimits) cannot be raised, nor oomScoreAdj lowered",
    "CAP_MKNOD": "devices are bound from the host instead of made",
    "CAP_NET_ADMIN": "network devices cannot be moved",
    "CAP_BPF": "",
}


def examine(facts: Facts) -> list[Finding]:
    """The report's part on security."""
    return [*_seccomp(), *_modules(), _capabilities(facts)]


def _seccomp() -> list[Finding]:
    from stave.seccomp.features import supported

    actions = setting("/proc/sys/kernel/seccomp/actions_avail")
    if actions is None:
        cure = "a kernel with CONFIG_SECCOMP_FILTER; until then configurations with linux.seccomp fail"
        return [Finding(GROUP, "seccomp", False, "the kernel was built without it", cure)]
    features = supported()
    findings = [Finding(GROUP, "seccomp", True, f"actions: {actions}")]
    notify = "user_notif" in actions.split()
    findings.append(Finding(GROUP, "seccomp notify", notify, "", "Linux 5.0 or newer"))
    taken = features["supportedFlags"]
    known = features["knownFlags"]
    assert isinstance(taken, list) and isinstance(known, list)
    for flag in known:
        name = flag.removeprefix("SECCOMP_FILTER_FLAG_")
        works = flag in taken
        findings.append(
            Finding(
                GROUP,
                f"seccomp flag {name}",
                works,
                "" if works else "the kernel refuses it",
                "a newer kernel",
            )
        )
    return findings


def _modules() -> list[Finding]:
    enabled = security_modules()
    apparmor, selinux = "apparmor" in enabled, "selinux" in enabled
    off = "not enabled in this kernel"
    return [
        Finding(GROUP, "AppArmor", apparmor, "" if apparmor else off, "boot with lsm=...,apparmor"),
        Finding(GROUP, "SELinux", selinux, "" if selinux else off, "boot with lsm=...,selinux"),
    ]


def _capabilities(facts: Facts) -> Finding:
    missing = [
        name
        for number, name in enumerate(NAMES[: facts.last_capability + 1])
        if not facts.held_capabilities >> number & 1
    ]
    effects = [_LACKS[name] for name in missing if _LACKS.get(name)]
    cure = "; ".join([*effects, "the others cannot be granted to a container: give them to the runtime"])
    return Finding(
        GROUP, "all capabilities", not missing, f"missing: {', '.join(missing)}" if missing else "", cure
    )
