"""What nobody uses is removed."""

from __future__ import annotations

import time

from cooper.containers import record
from cooper.containers.lookup import every, open_database
from cooper.containers.remove import remove_container
from cooper.containers.values import parse_duration
from cooper.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cooper.containers.record import Container
    from cooper.settings import Settings


def prune_containers(settings: Settings, filters: list[str]) -> list[str]:
    """Removes containers that do not run; returns their ids."""
    database = open_database(settings)
    removed = []
    for container in every(settings, database):
        if container.state not in (record.CREATED, record.EXITED) or not _accepted(container, filters):
            continue
        try:
            remove_container(settings, database, container.id, False, False)
        except Error:  # started or removed meanwhile
            continue
        removed.append(container.id)
    return removed


def _accepted(container: Container, filters: list[str]) -> bool:
    for text in filters:
        key, _, value = text.partition("=")
        if key == "until":
            if container.created > time.time_ns() - parse_duration(value, "--filter until") * 1e9:
                return False
        elif key in ("label", "label!"):
            name, equals, wanted = value.partition("=")
            labels = container.labels
            has = name in labels and (not equals or labels[name] == wanted)
            if has == (key == "label!"):
                return False
        else:
            raise UsageError(f"--filter: {key!r} is none of label, until")
    return True
