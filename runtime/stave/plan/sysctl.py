"""Kernel parameters of the container's namespaces."""

from __future__ import annotations

from stave.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from stave.plan.program import Program


def add_sysctls(program: Program, sysctls: Mapping[str, str]) -> None:
    """Every parameter of linux.sysctl has its value.

    Raises:
        ConfigError: a key that is no path below /proc/sys.
    """
    for key, value in sysctls.items():
        pointer = "/linux/sysctl/" + key.replace("~", "~0").replace("/", "~1")
        path = path_of(key)
        if not all(part not in ("", ".", "..") for part in path.split("/")):
            raise ConfigError(pointer, "not the name of a kernel parameter")
        program.add("write_sysctl", pointer, path, value)


def path_of(key: str) -> str:
    """The path below /proc/sys. Whichever of "." and "/" comes first separates, the other is an ordinary
    character, as in sysctl(8).

    >>> path_of("net.ipv4.conf.eth0/100.forwarding")
    'net/ipv4/conf/eth0.100/forwarding'
    """
    dot, slash = key.find("."), key.find("/")
    if dot < 0 or 0 <= slash < dot:
        return key
    return key.translate({ord("."): "/", ord("/"): "."})
