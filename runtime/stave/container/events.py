"""events: what a container uses of the machine, and when it ran out of memory."""

from __future__ import annotations

import os
import select
import time

from stave.cgroups.oom import OomWatch
from stave.cgroups.statistics import parse_interfaces, statistics
from stave.container.state import STOPPED, Container
from stave.errors import NOT_RUNNING, StateError
from stave.host.facts import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_CLONE_NEWNET = 0x40000000


def stats(root: str, container_id: str) -> dict[str, Any]:
    """One event of type "stats".

    Raises:
        StateError: "container not running".
    """
    return _event("stats", container_id, _stats(_load(root, container_id)))


def events(root: str, container_id: str, interval_s: float) -> Iterator[dict[str, Any]]:
    """Events of type "stats", one per interval, and of type "oom" when there is one, until the container ends.

    Raises:
        StateError: "container not running", before the first one.
    """
    container = _load(root, container_id)
    try:
        process = os.pidfd_open(container.pid)
    except ProcessLookupError:
        raise StateError(NOT_RUNNING) from None
    watch = OomWatch(container.state["cgroups"])
    try:
        if not container.is_alive():  # whoever has the pid now is another one
            return
        yield from _until_the_end(container, process, watch, interval_s)
    finally:
        watch.close()
        os.close(process)


def _until_the_end(
    container: Container, process: int, watch: OomWatch, interval_s: float
) -> Iterator[dict[str, Any]]:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    if watch.descriptor >= 0:
        poll.register(watch.descriptor, watch.events)
    due = time.monotonic() + interval_s
    ended = False
    while not ended:
        ready = [descriptor for descriptor, _ in poll.poll(max(0.0, due - time.monotonic()) * 1000)]
        ended = process in ready
        # Also at the end: what killed the first process has happened before.
        if watch.happened():
            yield _event("oom", container.id)
        if watch.gone and watch.descriptor in ready:
            poll.unregister(watch.descriptor)
        if not ended and time.monotonic() >= due:
            due += interval_s
            try:
                data = _stats(container)
            except OSError:
                return  # it ends at this moment, and its groups are gone first
            yield _event("stats", container.id, data)


def _load(root: str, container_id: str) -> Container:
    container = Container.load(root, container_id)
    if container.status() == STOPPED:
        raise StateError(NOT_RUNNING)
    return container


def _stats(container: Container) -> dict[str, Any]:
    data = statistics(container.state["cgroups"])
    data["intel_rdt"] = {}
    data["network_interfaces"] = None
    if container.state["namespaces"] & _CLONE_NEWNET:
        data["network_interfaces"] = parse_interfaces(read_file(f"/proc/{container.pid}/net/dev"))
    return data


def _event(kind: str, container_id: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    event: dict[str, Any] = {"type": kind, "id": container_id}
    if data is not None:
        event["data"] = data
    return event
