"""The control groups of containers under test, as the kernel shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ociconformance import machine
from ociconformance.container import Container

MIB = 1 << 20

v1_only = pytest.mark.skipif(machine.V2, reason="needs cgroup v1")
v2_only = pytest.mark.skipif(not machine.V2, reason="needs cgroup v2")


def need(controller: str) -> Path:
    """Where the controller's hierarchy is; the test is skipped without one."""
    found = machine.hierarchy(controller)
    if found is None:
        pytest.skip(f"the controller {controller} is not here")
    return found


def group_of(container: Container, controller: str) -> Path:
    """The cgroup of the container's process for a controller, as the kernel says."""
    top = need(controller)
    for line in Path(f"/proc/{container.pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if (machine.V2 and not controllers) or controller in controllers.split(","):
            return top / path.lstrip("/")
    raise AssertionError(f"the process is in no cgroup for {controller}")


def limits(container: Container, controller: str, *files: str) -> list[str]:
    """The contents of files of the container's cgroup, while it runs. A file that no cgroup here has is a skip."""
    need(controller)
    container.sleeps()
    group = group_of(container, controller)
    found = []
    for name in files:
        if not (group / name).exists():
            pytest.skip(f"the kernel has no {name}")
        found.append((group / name).read_text().strip())
    return found
