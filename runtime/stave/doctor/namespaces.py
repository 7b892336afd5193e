"""The eight kinds of namespaces, each made once, and what an ordinary user needs for one of users."""

from __future__ import annotations

import errno
import os
import shutil
import stat

from stave.doctor._probe import lib
from stave.doctor.finding import Finding, reason, setting
from stave.host.rootless import subordinate_ids
from stave.plan.constants import CLONE_NEWUSER
from stave.plan.namespaces import NAMESPACES

GROUP = "namespaces"

# What may forbid namespaces to ordinary users: file, the value that does, the cure.
_SWITCHES = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "an AppArmor profile for stave that allows userns, or sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)


def examine() -> list[Finding]:
    """The namespaces' part of the report."""
    privileged = os.geteuid() == 0
    findings = [_namespace(name, flag, link, privileged) for name, (flag, link) in NAMESPACES.items()]
    findings += [_id_mapper(f"new{kind}map", f"/etc/sub{kind}", privileged) for kind in ("uid", "gid")]
    return findings


def _namespace(name: str, flag: int, link: str, privileged: bool) -> Finding:
    if not os.path.exists(f"/proc/self/ns/{link}"):
        return Finding(GROUP, name, False, "the kernel was built without it", "a kernel that has it")
    # Without root's power every namespace takes a user namespace around it, as in a rootless container.
    error = -lib.probe_namespaces(flag if privileged else flag | CLONE_NEWUSER)
    if not error:
        return Finding(GROUP, name, True)
    why, cure = _refusal(error, link, privileged)
    return Finding(GROUP, name, False, why, cure, required=name == "mount")


def _refusal(error: int, link: str, privileged: bool) -> tuple[str, str]:
    limit = f"/proc/sys/user/max_{link}_namespaces"
    if error == errno.ENOSPC:
        return f"{limit} is {setting(limit)}", f"write a larger number to {limit}"
    for file, value, cure in () if privileged else _SWITCHES:
        if setting(file) == value:
            return f"{file} is {value}", cure
    return reason(error), "root, or CAP_SYS_ADMIN in this user namespace" if error == errno.EPERM else ""


def _id_mapper(program: str, table: str, privileged: bool) -> Finding:
    name = f"{program} for rootless use"
    path = shutil.which(program)
    if path is None:
        return Finding(
            GROUP, name, False, "not installed", "install uidmap (shadow-utils); until then one id is mapped"
        )
    if not os.stat(path).st_mode & stat.S_ISUID and "security.capability" not in os.listxattr(path):
        cure = f"chmod u+s {path}, or install it anew"
        return Finding(
            GROUP, name, False, f"{path} has neither the set-user-id bit nor file capabilities", cure
        )
    if not privileged and not subordinate_ids(table, os.getuid()):
        cure = f"add one, such as {os.getuid()}:100000:65536"
        return Finding(GROUP, name, False, f"{table} has no line for this user", cure)
    return Finding(GROUP, name, True, path)
