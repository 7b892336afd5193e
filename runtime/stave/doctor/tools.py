"""Programs, libraries and hardware that single features need."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess

from stave.doctor.finding import Finding, setting

GROUP = "tools"
_CRIU_TIMEOUT_S = 20


def examine() -> list[Finding]:
    """The report's part on what else is installed."""
    findings = [_criu()]
    for module, purpose in (
        ("pyroute2", "linux.netDevices"),
        ("jsonschema", "the text of configuration errors"),
    ):
        found = importlib.util.find_spec(module) is not None
        why = "" if found else "not installed"
        findings.append(Finding(GROUP, module, found, why, f"pip install {module}, for {purpose}"))
    resctrl = "resctrl" in (setting("/proc/filesystems") or "").split()
    mounted = os.path.exists("/sys/fs/resctrl/schemata")
    why = "" if mounted else "not mounted" if resctrl else "the processor or the kernel has none"
    cure = "mount -t resctrl resctrl /sys/fs/resctrl" if resctrl else "linux.intelRdt cannot be used"
    return [*findings, Finding(GROUP, "resctrl (intelRdt)", mounted, why, cure)]


def _criu() -> Finding:
    path = shutil.which("criu")
    if path is None:
        return Finding(GROUP, "criu", False, "not installed", "install criu for checkpoint and restore")
    try:
        checked = subprocess.run([path, "check"], capture_output=True, text=True, timeout=_CRIU_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return Finding(GROUP, "criu", False, f"{path} check takes longer than {_CRIU_TIMEOUT_S} s", "")
    said = [line for line in checked.stderr.splitlines() if "Error" in line] or checked.stderr.splitlines()
    detail = path if checked.returncode == 0 else f"{path} check: {said[0] if said else checked.returncode}"
    return Finding(GROUP, "criu", checked.returncode == 0, detail, "run criu check --all for the whole list")
