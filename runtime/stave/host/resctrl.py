"""Where Intel's Resource Director Technology is set up: the resctrl file system."""

from __future__ import annotations

from stave.host.facts import read_file


def resctrl_mount(mountinfo: str = "/proc/self/mountinfo") -> str:
    """The mount point of resctrl; "" if it is not mounted. Source: proc_pid_mountinfo(5)"""
    for line in read_file(mountinfo).splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("resctrl "):
            return before.split(" ")[4]
    return ""
