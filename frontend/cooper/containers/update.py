"""`cooper update`: the options that are kept, and the live container by the runtime's `update`."""

from __future__ import annotations

import posix

from cooper.cli.output import print_line
from cooper.containers import record
from cooper.containers.limits import resources
from cooper.containers.locks import ContainerLock
from cooper.containers.lookup import find, find_locked
from cooper.containers.options import parse_restart, read_resources
from cooper.containers.runtime import Runtime
from cooper.errors import Error, UsageError
from cooper.supervisor import client
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.cli.command import Invocation
    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database


def update(invocation: Invocation, database: Database, name: str) -> None:
    """One container. The kernel is asked first: what it refuses is not kept."""
    settings, given = invocation.settings, invocation.options
    restart = parse_restart(given["restart"]) if given["restart"] else None
    # A new limit alone may be below the swap limit that is kept: the sum is checked with all limits together.
    changed = read_resources({**given, "memory-swap": ""}, invocation.given)
    if given["memory-swap"]:
        changed |= {"memory_swap": _swap(given["memory-swap"])}
    if not changed and restart is None:
        raise UsageError("nothing to change", "see cooper update --help")
    container = find(settings, database, name)
    with ContainerLock(settings, container.id):
        container = find_locked(settings, database, container.id)
        options = container.options
        limits = {**options["resources"], **changed}
        if "memory" in changed and "memory_swap" not in changed and "memory_swap" in limits:
            limits["memory_swap"] = (
                max(limits["memory_swap"], changed["memory"]) if limits["memory_swap"] >= 0 else -1
            )
        options["resources"] = limits
        if restart is not None:
            if options["remove"] and restart["name"] != "no":
                raise UsageError("a container that is removed at its end cannot be restarted")
            options["restart"] = restart
        if container.state == record.RUNNING:
            if changed:
                _apply(settings, container, options)
            supervisor = client.connect(settings, container.id)
            if restart is not None and supervisor is not None:
                supervisor.send(client.POLICY, f"{restart['name']} {restart['maximum']}".encode())
        record.update(database, container.id, options=jsontext.dumps(options))
    print_line(name)


def _apply(settings: Settings, container: Container, options: dict[str, Any]) -> None:
    """The limits hold for the running container, and for its next lives with the same supervisor."""
    wanted = resources(options["resources"])
    directory = settings.run_directory(container.id)
    record.write_file(f"{directory}/update.json", jsontext.dumps(wanted).encode())
    runtime = Runtime(settings, options["runtime"])
    path = f"{settings.container_directory(container.id)}/config.json"
    before = record.read_file(path)
    _write_limits(path, before, wanted)
    words = ("update", "--resources", f"{directory}/update.json", container.id)
    record.live(settings, container)
    try:
        runtime.call(f"{directory}/command.log", *words)
    except Error:
        # Between two lives there is nothing to update, and the next one has the limits from the beginning.
        if _still_lives(settings, container):
            record.write_file(path, before)
            raise


def _still_lives(settings: Settings, container: Container) -> bool:
    status = record.supervisor_status(settings, container.id)
    try:
        posix.kill(container.pid, 0)
    except ProcessLookupError:
        return False
    return status.get("state") == "running" and status.get("started") == str(container.started)


def _write_limits(path: str, config: bytes, wanted: dict[str, Any]) -> None:
    document: dict[str, Any] = jsontext.loads(config)  # type: ignore[assignment]
    kept = document["linux"].setdefault("resources", {})
    for name, value in wanted.items():
        kept[name] = {**kept.get(name, {}), **value}
    record.write_file(path, jsontext.dumps(document).encode())


def _swap(text: str) -> int:
    from cooper.containers.values import parse_size

    return -1 if text == "-1" else parse_size(text, "--memory-swap")
