"""pause and resume: the freezer."""

from __future__ import annotations

from stave.cgroups.manage import freeze, thaw
from stave.container.state import CREATED, PAUSED, RUNNING, Container
from stave.errors import Error, StateError


def pause(root: str, container_id: str) -> None:
    """No process of the container runs until `resume`. Raises StateError if it is not created or running."""
    container = _load(root, container_id)
    status = container.status()
    if status not in (CREATED, RUNNING):
        raise StateError(f"cannot pause a container in the {status} state")
    freeze(container.state["cgroups"])


def resume(root: str, container_id: str) -> None:
    """The container's processes run again. Raises StateError if it is not paused."""
    container = _load(root, container_id)
    if container.status() != PAUSED:
        raise StateError("container not paused")
    thaw(container.state["cgroups"])


def _load(root: str, container_id: str) -> Container:
    container = Container.load(root, container_id, lock=True)
    if not container.state["cgroups"]:
        raise Error("the container has no cgroup, so it cannot be paused")
    return container
