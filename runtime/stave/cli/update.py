"""stave update."""

from __future__ import annotations

import re

from stave.cli.input import named, read_input
from stave.cli.log import Log
from stave.cli.root import state_root
from stave.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ocispec.types import Resources
    from stave.cli.parser import Invocation

# Flag, and the property below linux.resources.
_BYTES = {
    "memory": "memory/limit",
    "memory-reservation": "memory/reservation",
    "memory-swap": "memory/swap",
}
_NUMBERS = {
    "cpu-share": "cpu/shares",
    "cpu-quota": "cpu/quota",
    "cpu-period": "cpu/period",
    "cpu-burst": "cpu/burst",
    "cpu-rt-runtime": "cpu/realtimeRuntime",
    "cpu-rt-period": "cpu/realtimePeriod",
    "cpu-idle": "cpu/idle",
    "blkio-weight": "blockIO/weight",
    "pids-limit": "pids/limit",
}
_TEXTS = {"cpuset-cpus": "cpu/cpus", "cpuset-mems": "cpu/mems"}
_SCHEMATA = {"l3-cache-schema": "l3CacheSchema", "mem-bw-schema": "memBwSchema"}
_IGNORED = ("kernel-memory", "kernel-memory-tcp")


def run(invocation: Invocation) -> int:
    """The container has other limits."""
    from stave.container.update import update

    options = invocation.options
    for name in _IGNORED:
        if options[name]:
            Log(invocation).warning(f"--{name} has no effect: the kernel has no such limit any more")
    given = [name for name in (*_BYTES, *_NUMBERS, *_TEXTS) if options[name]]
    if options["resources"]:
        if given:
            raise Error(f"--resources states all changes: it excludes --{given[0]}")
        changes = _read_resources(options["resources"])
    else:
        changes = resources_of(options)
    schemata = {member: options[name] for name, member in _SCHEMATA.items() if options[name]}
    update(state_root(invocation), invocation.container_id, changes, schemata)
    return 0


def resources_of(options: Mapping[str, Any]) -> Resources:
    """The resources that the flags stand for.

    Raises:
        Error: a flag's value is not of its form.
        InvalidConfig: it is out of range.
    """
    from ocispec.config import check

    found: dict[str, dict[str, int | str]] = {}
    for kinds, read in ((_BYTES, parse_bytes), (_NUMBERS, _parse_number), (_TEXTS, lambda _, text: text)):
        for flag, place in kinds.items():
            if options[flag]:
                section, _, name = place.partition("/")
                found.setdefault(section, {})[name] = read(flag, options[flag])
    check("resources", found)
    return found  # type: ignore[return-value]


def parse_bytes(flag: str, text: str) -> int:
    """A number of bytes, with a binary unit or without; -1 is unlimited.

    >>> parse_bytes("memory", "1.5GiB")
    1610612736
    """
    if text == "-1":
        return -1
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", text, re.ASCII | re.IGNORECASE)
    if match is None:
        raise Error(f'invalid value "{text}" for --{flag}: write a number of bytes, as 512m, or -1')
    power = " kmgtp".index(match[2].lower() or " ")
    whole, _, fraction = match[1].partition(".")
    return (int(whole + fraction) << 10 * power) // int("1" + "0" * len(fraction))


def _parse_number(flag: str, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,20}", text, re.ASCII):
        raise Error(f'invalid value "{text}" for --{flag}: write a whole number')
    return int(text)


def _read_resources(file: str) -> Resources:
    from ocispec.config import parse_resources
    from ocispec.errors import InvalidConfig, InvalidJSON

    data = read_input(file)
    try:
        return parse_resources(data)
    except InvalidConfig as error:
        error.path = named(file)
        raise
    except InvalidJSON as error:
        raise InvalidJSON(f"{named(file)}: {error}") from error
