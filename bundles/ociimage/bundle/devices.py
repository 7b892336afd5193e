"""Devices of the host in a container."""

from __future__ import annotations

import os
import stat

from ociimage.errors import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import Device, DeviceRule

# Every container may make nodes of all devices, and use those that lead nowhere: null, zero, full, random, urandom,
# tty, ptmx, and terminals.
DEFAULT_RULES: tuple[DeviceRule, ...] = (
    {"allow": False, "access": "rwm"},
    {"allow": True, "type": "c", "access": "m"},
    {"allow": True, "type": "b", "access": "m"},
    {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
    {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rwm"},
    {"allow": True, "type": "c", "major": 1, "minor": 7, "access": "rwm"},
    {"allow": True, "type": "c", "major": 1, "minor": 8, "access": "rwm"},
    {"allow": True, "type": "c", "major": 1, "minor": 9, "access": "rwm"},
    {"allow": True, "type": "c", "major": 5, "minor": 0, "access": "rwm"},
    {"allow": True, "type": "c", "major": 5, "minor": 1, "access": "rwm"},
    {"allow": True, "type": "c", "major": 5, "minor": 2, "access": "rwm"},
    {"allow": True, "type": "c", "major": 136, "access": "rwm"},
)
ALL_RULE: DeviceRule = {"allow": True, "access": "rwm"}
# What the runtime puts there itself.
_OWN = ("pts", "shm", "fd", "mqueue", "console", "ptmx", "core", "stdin", "stdout", "stderr", "hugepages")
_DEFAULT = ("null", "zero", "full", "random", "urandom", "tty")


def device(source: str, target: str = "", access: str = "rwm") -> list[tuple[Device, DeviceRule]]:
    """The host's device `source`, or all in a directory, as `target` of the container, with what is allowed.

    Raises: InvalidOption
    """
    if not access or not set(access) <= set("rwm"):
        raise InvalidOption(f"device {source}: the access {access!r} is not of r, w and m")
    try:
        found = os.stat(source)
    except OSError as error:
        raise InvalidOption(f"device {source}: {error.strerror}") from error
    target = target or source
    if stat.S_ISDIR(found.st_mode):
        return _below(source, target, access)
    node = _node(found, target, access)
    if node is None:
        raise InvalidOption(f"device {source} is none")
    return [node]


def host_devices() -> list[Device]:
    """All of the host's, for a privileged container; but for those that each container has of its own."""
    return [node for node, _ in _below("/dev", "/dev", "rwm")]


def _below(source: str, target: str, access: str) -> list[tuple[Device, DeviceRule]]:
    nodes = []
    with os.scandir(source) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if source == "/dev" and entry.name in (*_OWN, *_DEFAULT):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(found.st_mode):
                nodes += _below(entry.path, f"{target}/{entry.name}", access)
            elif node := _node(found, f"{target}/{entry.name}", access):
                nodes.append(node)
    return nodes


def _node(found: os.stat_result, target: str, access: str) -> tuple[Device, DeviceRule] | None:
    if stat.S_ISCHR(found.st_mode):
        kind = "c"
    elif stat.S_ISBLK(found.st_mode):
        kind = "b"
    else:
        return None
    major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
    node: Device = {
        "type": "c" if kind == "c" else "b",
        "path": target,
        "major": major,
        "minor": minor,
        "fileMode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
    }
    rule: DeviceRule = {
        "allow": True,
        "type": "c" if kind == "c" else "b",
        "major": major,
        "minor": minor,
        "access": access,
    }
    return node, rule
