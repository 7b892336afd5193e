"""The kernel's version and the system calls that stave is built on."""

from __future__ import annotations

import errno
import os
import re
import tempfile

from stave.doctor._probe import lib
from stave.doctor.finding import Finding, reason, setting

GROUP = "kernel"
FLOOR = (5, 12)

# Name, trial, whether nothing works without it, what happens without it.
_CALLS = (
    ("new mount API", lib.probe_new_mounts, True, ""),
    ("pidfd_open", lib.probe_pidfd, True, ""),
    ("close_range", lib.probe_close_range, True, ""),
    ("openat2", lib.probe_openat2, False, "paths are resolved component by component instead"),
    ("clone3", lib.probe_clone3, False, "clone is used instead"),
    ("idmapped mounts", lib.probe_idmapped_mount, False, "mounts with the options idmap and ridmap fail"),
)


def examine() -> list[Finding]:
    """The kernel's part of the report."""
    findings = [_version(os.uname().release)]
    for name, trial, required, otherwise in _CALLS:
        error = -trial()
        findings.append(Finding(GROUP, name, not error, error and reason(error) or "", otherwise, required))
    findings.append(_memfd(-lib.probe_memfd_exec(), setting("/proc/sys/vm/memfd_noexec")))
    findings.append(_overlay())
    return findings


def _version(release: str) -> Finding:
    """
    >>> _version("5.4.0-42-generic").works
    False
    """
    numbers = tuple(int(number) for number in re.findall(r"\d+", release)[:2])
    wanted = ".".join(map(str, FLOOR))
    return Finding(GROUP, f"Linux {wanted} or newer", numbers >= FLOOR, release, "a newer kernel", True)


def _memfd(error: int, policy: str | None) -> Finding:
    why = (
        f"vm.memfd_noexec is {policy}"
        if error and policy not in (None, "0")
        else error and reason(error) or ""
    )
    return Finding(
        GROUP, "executable memfd", not error, why, "a private, unlinked copy of stave-init is executed"
    )


def _overlay() -> Finding:
    with tempfile.TemporaryDirectory(prefix="stave-doctor-") as directory:
        error = -lib.probe_overlay_in_user_namespace(directory.encode())
    why = "the kernel has no overlay file system" if error == errno.ENODEV else error and reason(error) or ""
    cure = "fuse-overlayfs serves rootless front-ends instead"
    return Finding(GROUP, "overlay in a user namespace", not error, why, cure)
