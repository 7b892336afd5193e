"""Kernel parameters of the container's namespaces."""

from __future__ import annotations

from ocispec.sysctl import sysctl_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from stave.plan.program import Program


def add_sysctls(program: Program, sysctls: Mapping[str, str]) -> None:
    """Every parameter of linux.sysctl has its value."""
    for name, value in sysctls.items():
        pointer = "/linux/sysctl/" + name.replace("~", "~0").replace("/", "~1")
        program.add("write_sysctl", pointer, sysctl_path(name), value)
