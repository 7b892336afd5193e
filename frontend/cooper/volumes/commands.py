"""The commands of `cooper volume`."""

from __future__ import annotations

from cooper.cli.output import confirm, print_line
from cooper.containers.lookup import for_each, open_database
from cooper.containers.names import new_id
from cooper.containers.values import accepting, check_name, human_size, parse_pairs
from cooper.errors import NotFound, UsageError
from cooper.volumes import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cooper.cli.command import Invocation
    from cooper.state.database import Database
    from cooper.volumes.store import Volume


def _database(invocation: Invocation) -> Database:
    database = open_database(invocation.settings)
    store.ensure(database)
    return database


def create(invocation: Invocation) -> int:
    """The volumes are there; their names are printed."""
    given = invocation.options
    if given["driver"] != "local":
        raise UsageError(f"--driver: there is no driver {given['driver']}", "local is the only one")
    database = _database(invocation)
    if given["opt"]:
        raise UsageError("--opt: the driver local takes no options", "-v DIRECTORY:TARGET binds a directory")
    labels = parse_pairs(given["label"], "--label")
    for name in invocation.arguments or [new_id()]:
        check_name(name, "volume")
        store.make(invocation.settings, database, name, labels, not invocation.arguments)
        print_line(name)
    return 0


def list_volumes(invocation: Invocation) -> int:
    """The volumes are listed."""
    from cooper.cli.template import print_rows

    given, database = invocation.options, _database(invocation)
    users = store.used_by(database)
    accept = accepting(given["filter"], lambda text: _filter(text, users))
    rows: list[dict[str, Any]] = []
    for volume in store.every(database):
        if not accept(volume):
            continue
        rows.append(
            {
                "Driver": "local",
                "Name": volume.name,
                "Labels": ",".join(f"{key}={value}" for key, value in volume.labels.items()),
                "Mountpoint": store.data_directory(invocation.settings, volume.name),
                "Scope": "local",
            }
        )
    columns = {"Driver": "DRIVER", "Name": "VOLUME NAME"}
    print_rows(rows, given["format"], columns, "Name" if given["quiet"] else "")
    return 0


def _filter(text: str, users: dict[str, list[str]]) -> Callable[[Volume], bool]:
    key, equals, value = text.partition("=")
    name, has_value, wanted = value.partition("=")
    tests: dict[str, Callable[[Volume], bool]] = {
        "name": lambda volume: value in volume.name,
        "dangling": lambda volume: (volume.name not in users) == (value in ("true", "1")),
        "label": lambda volume: name in volume.labels and (not has_value or volume.labels[name] == wanted),
        "driver": lambda volume: value == "local",
    }
    if not equals or key not in tests:
        raise UsageError(f"--filter: {text!r} is none of {', '.join(tests)} with a value")
    return tests[key]


def inspect(invocation: Invocation) -> int:
    """The volumes are printed."""
    from cooper.containers.inspection import inspect_objects

    if not invocation.arguments:
        raise UsageError("cooper volume inspect takes NAME ...")
    invocation.options["size"] = False
    return inspect_objects(invocation, "volume")


def remove(invocation: Invocation) -> int:
    """The volumes are gone."""
    if not invocation.arguments:
        raise UsageError("cooper volume rm takes NAME ...")
    database = _database(invocation)
    users = store.used_by(database)

    def remove_one(name: str) -> None:
        try:
            store.remove(invocation.settings, database, name, users)
        except NotFound:
            if not invocation.options["force"]:
                raise
            return
        print_line(name)

    return for_each(invocation.arguments, remove_one)


def prune(invocation: Invocation) -> int:
    """Volumes that no container has are gone."""
    given, database = invocation.options, _database(invocation)
    users = store.used_by(database)
    accept = accepting(given["filter"], lambda text: _filter(text, users))
    unused = [
        volume
        for volume in store.every(database)
        if volume.name not in users and (volume.anonymous or given["all"]) and accept(volume)
    ]
    if unused and not given["force"] and not confirm(f"remove {len(unused)} volumes and all in them"):
        return 1
    freed = 0
    for volume in unused:
        freed += store.size(invocation.settings, volume.name)
        store.remove(invocation.settings, database, volume.name, users)
        print_line(volume.name)
    print_line(f"{human_size(freed)} freed")
    return 0
