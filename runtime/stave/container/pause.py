"""pause and resume: the freezer."""

from __future__ import annotations

from stave.cgroups.manage import freeze, thaw
from stave.container.state import CREATED, PAUSED, RUNNING, Container
from stave.errors import Error, StateError


def pause(root: str, container_id: str) -> None:
    """No process of the container runs until `resume`. Raises StateError if it is not created or running."""
    container = Container.load(root, container_id, lock=True)
    try:
        _check_group(container)
        status = container.status()
        if status not in (CREATED, RUNNING):
            raise StateError(f"cannot pause a container in the {status} state")
        freeze(container.state["cgroups"])
    finally:
        container.unlock()


def resume(root: str, container_id: str) -> None:
    """The container's processes run again. Raises StateError if it is not paused."""
    container = Container.load(root, container_id, lock=True)
    try:
        _check_group(container)
        if container.status() != PAUSED:
            raise StateError("container not paused")
        thaw(container.state["cgroups"])
    finally:
        container.unlock()


def _check_group(container: Container) -> None:
    if not container.state["cgroups"]:
        raise Error("the container has no cgroup, so it cannot be paused")
