"""Devices and links in the container's /dev."""

from __future__ import annotations

from stave.plan.constants import CLONE_NEWUSER, S_IFBLK, S_IFCHR, S_IFIFO
from stave.plan.paths import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import Config
    from stave.host.facts import Facts
    from stave.plan.namespaces import Namespaces
    from stave.plan.program import Program

TYPES = {"c": S_IFCHR, "u": S_IFCHR, "b": S_IFBLK, "p": S_IFIFO}

# Spec: config-linux.md#default-devices
DEFAULT_DEVICES = (
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
)

# Spec: runtime-linux.md#dev-symbolic-links
DEFAULT_LINKS = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("pts/ptmx", "/dev/ptmx"),
)


def add_devices(program: Program, config: Config, namespaces: Namespaces, facts: Facts) -> None:
    """The configured devices, those that every container has, and the links in /dev exist.

    To be planned after the mounts. Where /dev is a bind it is left as it is: what lies there is somebody else's.
    """
    if _dev_is_bound(program):
        return
    # The kernel makes no device nodes for those who are only root in a user namespace.
    bind = bool(namespaces.own & CLONE_NEWUSER) or facts.rootless
    configured = set()
    for index, device in enumerate(config.get("linux", {}).get("devices", ())):
        path = clean(device["path"])
        configured.add(path)
        mode = TYPES[device["type"]] | device.get("fileMode", 0o666) & 0o7777
        numbers = (device.get("major", 0), device.get("minor", 0))
        owner = (device.get("uid", 0), device.get("gid", 0))
        _add_node(program, f"/linux/devices/{index}", path, mode, numbers, owner, bind)
    for path, major, minor in DEFAULT_DEVICES:
        if path not in configured:
            _add_node(program, "", path, S_IFCHR | 0o666, (major, minor), (0, 0), bind)
    for contents, link in DEFAULT_LINKS:
        if link not in configured:
            program.add("make_symlink", "", contents, link)


def _add_node(
    program: Program,
    pointer: str,
    path: str,
    mode: int,
    numbers: tuple[int, int],
    owner: tuple[int, int],
    bind: bool,
) -> None:
    if bind and mode & ~0o7777 != S_IFIFO:
        program.add("bind_node", pointer, path, path)
    else:
        program.add("make_node", pointer, path, mode, *numbers, *owner)


def _dev_is_bound(program: Program) -> bool:
    return any(step.name == "bind" and step.arguments[1] == "/dev" for step in program)
