"""The commands of `cooper network`."""

from __future__ import annotations

from cooper.cli.output import print_line, warn
from cooper.containers.lookup import for_each, open_database
from cooper.containers.values import accepting, parse_duration, parse_pairs
from cooper.errors import Error, NotFound, UsageError
from cooper.networks import manage
from cooper.networks.requests import DEFAULT, HOST, NONE
from cooper.networks.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cooper.cli.command import Invocation
    from cooper.networks.store import Network

SHORT = 12


def _need_root(invocation: Invocation) -> None:
    """Raises: Error."""
    if invocation.settings.rootless:
        raise Error(
            "networks need root", "an ordinary user's containers are on one of their own: docs/networking.md"
        )


def create(invocation: Invocation) -> int:
    """The networks are there; their ids are printed, with warnings of what stands in their way."""
    _need_root(invocation)
    given = invocation.options
    if not invocation.arguments:
        raise UsageError("cooper network create takes NAME ...")
    database = open_database(invocation.settings)
    for name in invocation.arguments:
        network, warnings = manage.create(
            database,
            invocation.settings,
            manage.Specification(
                name, given["driver"], given["subnet"], given["gateway"], given["ip-range"], given["internal"],
                given["ipv6"], parse_pairs(given["opt"], "--opt"), parse_pairs(given["label"], "--label"),
            ),
        )  # fmt: skip
        for warning in warnings:
            warn(warning)
        print_line(network.id)
    return 0


def list_networks(invocation: Invocation) -> int:
    """The networks are listed."""
    from cooper.cli.template import print_rows

    given = invocation.options
    store = Store(open_database(invocation.settings), invocation.settings)
    rows: list[dict[str, Any]] = []
    accept = accepting(given["filter"], lambda text: _filter(store, text))
    for network in [*store.networks(), *manage.BUILT_IN]:
        if accept(network):
            rows.append(
                {
                    "ID": network.id if given["no-trunc"] else network.id[:SHORT],
                    "Name": network.name,
                    "Driver": network.driver,
                    "Scope": "local",
                    "Subnets": ", ".join(str(lease.subnet) for lease in network.subnets),
                    "Internal": network.internal,
                    "Labels": ",".join(f"{key}={value}" for key, value in network.labels.items()),
                }
            )
    columns = {
        "ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "Subnets": "SUBNETS",
    }  # fmt: skip
    print_rows(rows, given["format"], columns, "ID" if given["quiet"] else "")
    return 0


def _filter(store: Store, text: str) -> Callable[[Network], bool]:
    key, equals, value = text.partition("=")
    label, has_value, wanted = value.partition("=")
    if key == "until":
        import time

        latest = time.time() - parse_duration(value, "--filter until")
        return lambda network: network.created <= latest
    tests: dict[str, Callable[[Network], bool]] = {
        "name": lambda network: value in network.name,
        "id": lambda network: network.id.startswith(value),
        "driver": lambda network: network.driver == value,
        "scope": lambda _: value == "local",
        "type": lambda network: (network.name in (DEFAULT, HOST, NONE)) == (value == "builtin"),
        "label": lambda network: (
            label in network.labels and (not has_value or network.labels[label] == wanted)
        ),
        "dangling": lambda network: _is_unused(store, network) == (value in ("true", "1")),
    }
    if not equals or key not in tests:
        raise UsageError(f"--filter: {text!r} is none of {', '.join(tests)}, until with a value")
    return tests[key]


def _is_unused(store: Store, network: Network) -> bool:
    return network not in manage.BUILT_IN and not store.endpoints("network", network.id)


def inspect(invocation: Invocation) -> int:
    """The networks are printed."""
    from cooper.containers.inspection import inspect_objects

    if not invocation.arguments:
        raise UsageError("cooper network inspect takes NETWORK ...")
    invocation.options["size"] = False
    return inspect_objects(invocation, "network")


def remove(invocation: Invocation) -> int:
    """The networks are gone."""
    if not invocation.arguments:
        raise UsageError("cooper network rm takes NETWORK ...")
    database, force = open_database(invocation.settings), invocation.options["force"]

    def remove_one(name: str) -> None:
        try:
            manage.remove(database, invocation.settings, name, force)
        except NotFound:
            if not force:
                raise
            return
        print_line(name)

    return for_each(invocation.arguments, remove_one)


def prune(invocation: Invocation) -> int:
    """Networks that no container is on are gone."""
    from cooper.cli.output import confirm

    database = open_database(invocation.settings)
    store = Store(database, invocation.settings)
    accept = accepting(invocation.options["filter"], lambda text: _filter(store, text))
    unused = [network.id for network in store.networks() if _is_unused(store, network) and accept(network)]
    if unused and not invocation.options["force"] and not confirm(f"remove {len(unused)} networks"):
        return 1
    for name in manage.prune(database, invocation.settings, unused):
        print_line(name)
    return 0


def connect(invocation: Invocation) -> int:
    """The container is on the network, now if it runs, and whenever it is started."""
    from cooper.containers.network import connect as connect_container

    _need_root(invocation)
    network, container = _network_and_container(invocation)
    given = invocation.options
    parts = [
        f"{key}={given[flag]}"
        for key, flag in (("ip", "ip"), ("ip6", "ip6"), ("mac", "mac-address"))
        if given[flag]
    ]
    parts += [f"alias={alias}" for alias in given["alias"]]
    text = f"{network}:{','.join(parts)}" if parts else network
    connect_container(invocation.settings, open_database(invocation.settings), container, text)
    return 0


def disconnect(invocation: Invocation) -> int:
    """The container is not on the network, neither now nor when it is started again."""
    from cooper.containers.network import disconnect as disconnect_container

    _need_root(invocation)
    network, container = _network_and_container(invocation)
    disconnect_container(invocation.settings, open_database(invocation.settings), container, network)
    return 0


def _network_and_container(invocation: Invocation) -> tuple[str, str]:
    if len(invocation.arguments) != 2:
        raise UsageError(f"cooper {invocation.command} takes NETWORK CONTAINER")
    return invocation.arguments[0], invocation.arguments[1]


def reload(invocation: Invocation) -> int:
    """Interfaces, rules and names are as they should be."""
    _need_root(invocation)
    for warning in manage.reload(open_database(invocation.settings), invocation.settings):
        warn(warning)
    return 0
