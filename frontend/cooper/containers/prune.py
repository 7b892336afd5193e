"""What nobody uses is removed."""

from __future__ import annotations

import time

from cooper.containers import record
from cooper.containers.logs import parse_time, stamp
from cooper.containers.lookup import every, open_database
from cooper.containers.remove import remove_container
from cooper.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cooper.settings import Settings


def prune_containers(settings: Settings, filters: list[str]) -> list[str]:
    """Removes containers that do not run; returns their ids."""
    database = open_database(settings)
    accept = pruning(filters)
    removed = []
    for container in every(settings, database):
        if container.state not in (record.CREATED, record.EXITED):
            continue
        if not accept(container.created / 1e9, container.labels):
            continue
        try:
            remove_container(settings, database, container.id, False, False)
        except Error:  # started or removed meanwhile
            continue
        removed.append(container.id)
    return removed


def pruning(filters: list[str]) -> Callable[[float, dict[str, str]], bool]:
    """Whether what was made then (seconds since 1970) and has these labels passes all of ``--filter``.

    Raises: UsageError
    """
    now = time.time()
    tests: list[Callable[[float, dict[str, str]], bool]] = []
    for text in filters:
        key, _, value = text.partition("=")
        if key == "until":
            latest = parse_time(value, "--filter until", now)
            tests.append(lambda created, labels, latest=latest: stamp(created) <= latest)  # type: ignore[misc]
        elif key in ("label", "label!"):
            wanted = key == "label"
            tests.append(lambda created, labels, value=value, wanted=wanted: _has(labels, value) == wanted)  # type: ignore[misc]
        else:
            raise UsageError(f"--filter: {key!r} is none of label, until")
    return lambda created, labels: all(test(created, labels) for test in tests)


def _has(labels: dict[str, str], text: str) -> bool:
    name, equals, value = text.partition("=")
    return name in labels and (not equals or labels[name] == value)
