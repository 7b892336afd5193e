"""Which security modules label processes on this machine."""

from __future__ import annotations

from stave.host.facts import read_file

_APPARMOR = "/sys/module/apparmor/parameters/enabled"
# Readable wherever SELinux is on and its file system mounted, as libselinux wants it.
_SELINUX = "/sys/fs/selinux/enforce"


def security_modules(apparmor: str = _APPARMOR, selinux: str = _SELINUX) -> frozenset[str]:
    """Those of "apparmor" and "selinux" that are enabled.

    Source: security/apparmor/lsm.c, libselinux is_selinux_enabled(3)
    """
    enabled = set()
    if _read(apparmor).startswith("Y"):
        enabled.add("apparmor")
    if _read(selinux):
        enabled.add("selinux")
    return frozenset(enabled)


def _read(path: str) -> str:
    try:
        return read_file(path)
    except OSError:
        return ""
