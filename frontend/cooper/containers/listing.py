"""The rows of `cooper ps`, and its filters."""

from __future__ import annotations

import time

from cooper.containers import record
from cooper.containers.lookup import every, open_database
from cooper.containers.values import accepting, human_duration
from cooper.errors import UsageError
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cooper.cli.command import Invocation
    from cooper.containers.record import Container

COLUMNS = {
    "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "RunningFor": "CREATED", "Status": "STATUS",
    "Ports": "PORTS", "Names": "NAMES",
}  # fmt: skip
STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
_COMMAND_WIDTH = 20


def list_containers(invocation: Invocation) -> int:
    """`cooper ps`."""
    settings, given = invocation.settings, invocation.options
    database = open_database(settings)
    containers = every(settings, database)
    every_state = given["all"] or any(
        text.partition("=")[0] in ("status", "exited") for text in given["filter"]
    )
    accept = accepting(given["filter"], lambda text: _filter(text, containers))
    found = [each for each in containers if accept(each)]
    count = 1 if given["latest"] else given["last"]
    if count > 0:
        found = found[:count]
    elif not every_state:
        found = [each for each in found if each.state == record.RUNNING]
    if given["quiet"]:
        from cooper.cli.output import STDOUT, write

        write(STDOUT, "".join(f"{each.id if given['no-trunc'] else each.short_id}\n" for each in found))
        return 0
    rows = [row(each, given["no-trunc"]) for each in found]
    columns = dict(COLUMNS)
    if given["size"]:
        from cooper.containers.rootfs import written

        columns["Size"] = "SIZE"
        for each, cells in zip(found, rows, strict=True):
            cells["Size"] = written(settings, each)
    if not given["format"]:
        from cooper.cli.output import STDOUT, table, write

        write(STDOUT, table(list(columns.values()), [[cells[key] for key in columns] for cells in rows]))
        return 0
    from cooper.cli.template import print_rows

    print_rows(rows, given["format"], columns)
    return 0


def row(container: Container, whole: bool) -> dict[str, Any]:
    """What is known of the container, by docker's names."""
    command = " ".join(_quoted(word) for word in jsontext.loads(container.command.encode()))  # type: ignore[attr-defined]
    if not whole and len(command) > _COMMAND_WIDTH:
        command = f"{command[: _COMMAND_WIDTH - 1]}…"
    labels = container.labels
    return {
        "ID": container.id if whole else container.short_id,
        "Image": container.image,
        "Command": f'"{command}"',
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(container.created // 10**9)),
        "RunningFor": f"{human_duration((time.time_ns() - container.created) / 1e9)} ago",
        "Status": status(container),
        "State": container.status,
        "Ports": _ports(container.network),
        "Names": container.name,
        "Labels": ",".join(f"{name}={value}" for name, value in labels.items()),
        "Label": lambda name: labels.get(name, ""),
        "Mounts": ",".join(container.options.get("mount_names", [])),
        "Networks": ",".join(_networks(container)),
        "Size": "",
        "Pid": container.pid,
        "ExitCode": container.exit_status,
        "Restarts": container.restarts,
    }


def status(container: Container) -> str:
    """As docker words it: ``Up 5 minutes (healthy)``, ``Exited (0) 3 hours ago``."""
    now = time.time_ns()
    if container.state == record.RUNNING:
        if container.restarting:
            return f"Restarting ({container.restarts} times)"
        text = f"Up {human_duration((now - container.started) / 1e9)}"
        if container.paused:
            return f"{text} (Paused)"
        health = "health: starting" if container.health == "starting" else container.health
        return f"{text} ({health})" if health else text
    if container.state == record.EXITED:
        return f"Exited ({container.exit_status}) {human_duration((now - container.finished) / 1e9)} ago"
    return container.state.title()


def _quoted(word: str) -> str:
    return word if word and not any(character in word for character in " \t\n\"'\\$") else f"'{word}'"


def _networks(container: Container) -> list[str]:
    return container.options["network"].get("networks") or ["default"]


def _ports(network: dict[str, Any]) -> str:
    return ", ".join(
        f"{outside}->{port['container_port']}/{port['protocol']}"
        for port in network.get("ports", [])
        for outside in host_ends(port)
    )


def host_ends(port: dict[str, Any]) -> list[str]:
    """Where a published port is on the host, as URLs write it: in both families, if no address was named."""
    from cooper.networks.requests import Port, bracketed

    return [f"{bracketed(address)}:{port['host_port']}" for address in Port(**port).host_addresses()]


def _filter(text: str, containers: list[Container]) -> Callable[[Container], bool]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--filter: {text!r} is not KEY=VALUE")
    if key == "status":
        if value not in STATUSES:
            raise UsageError(f"--filter: status={value} is none of {', '.join(STATUSES)}")
        return lambda each: each.status == value
    if key in ("before", "since"):
        other = [each for each in containers if value in (each.name, each.id) or each.id.startswith(value)]
        if not other:
            raise UsageError(f"--filter: {key}: there is no container {value}")
        return lambda each: (each.created < other[0].created) == (key == "before") and each.id != other[0].id
    tests: dict[str, Callable[[Container], bool]] = {
        "id": lambda each: each.id.startswith(value),
        "name": lambda each: _matches(value, each.name),
        "label": lambda each: _has_label(each.labels, value),
        "exited": lambda each: each.state == record.EXITED and str(each.exit_status) == value,
        "ancestor": lambda each: (
            value in (each.image, each.image.partition(":")[0], each.image_id)
            or each.image_id.removeprefix("sha256:").startswith(value)
        ),
        "network": lambda each: value in _networks(each),
        "volume": lambda each: (
            value in each.options.get("mount_names", [])
            or any(value == mount["target"] for mount in each.options["mounts"])
        ),
        "health": lambda each: (each.health or "none") == value,
        "restart-policy": lambda each: each.options["restart"]["name"] == value,
        "runtime": lambda each: each.options["runtime"] == value,
    }
    if key not in tests:
        raise UsageError(
            f"--filter: unknown key {key}",
            f"there are {', '.join(sorted((*tests, 'status', 'before', 'since')))}",
        )
    return tests[key]


def _matches(pattern: str, name: str) -> bool:
    """As docker: a regular expression that may match anywhere."""
    if pattern.replace("_", "").replace("-", "").isalnum():
        return pattern in name
    import re

    try:
        return re.search(pattern, name) is not None
    except re.error as error:
        raise UsageError(f"--filter: name={pattern}: {error}") from error


def _has_label(labels: dict[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)
