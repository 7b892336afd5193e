"""The scope's name and place, from linux.cgroupsPath in its form ``slice:prefix:name``. Pure."""

from __future__ import annotations

from stave.errors import ConfigError

POINTER = "/linux/cgroupsPath"
SYSTEM_SLICE, USER_SLICE = "system.slice", "user.slice"
_ROOT_SLICE = "-.slice"
_DEFAULT_PREFIX = "stave"
_UNIT_LIMIT = 255
_UNIT_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\@+")


def scope_of(path: str, container_id: str, rootless: bool) -> tuple[str, str]:
    """The slice and the scope's unit name.

    >>> scope_of("machine.slice:libpod:abc", "c", False)
    ('machine.slice', 'libpod-abc.scope')
    >>> scope_of("", "c", True)
    ('user.slice', 'stave-c.scope')

    Args:
        path: linux.cgroupsPath; "" if it is absent. An empty slice stands for the default one, an empty prefix for
            none.

    Raises:
        ConfigError: it has another form, or holds no valid unit names.
    """
    default = USER_SLICE if rootless else SYSTEM_SLICE
    parts = path.split(":") if path else [default, _DEFAULT_PREFIX, container_id]
    if len(parts) != 3:
        raise ConfigError(POINTER, f'must have the form "slice:prefix:name" for systemd, is {path!r}')
    slice_name, prefix, name = parts[0] or default, parts[1], parts[2]
    if name.endswith(".slice"):
        raise ConfigError(POINTER, f"{name} is a slice, which holds no processes; name a scope")
    unit = (f"{prefix}-{name}" if prefix else name) + ".scope"
    for text in (slice_name, unit):
        if not name or len(text) > _UNIT_LIMIT or not _UNIT_CHARACTERS.issuperset(text):
            raise ConfigError(POINTER, f"{text!r} cannot be the name of a systemd unit")
    slice_path(slice_name)
    return slice_name, unit


def slice_path(name: str) -> str:
    """A slice's group, below that of the manager: the dashes of its name are levels.

    >>> slice_path("a-b.slice")
    '/a.slice/a-b.slice'
    >>> slice_path("-.slice")
    ''

    Raises:
        ConfigError: it is no slice.
    """
    if name == _ROOT_SLICE:
        return ""
    parts = name.removesuffix(".slice").split("-")
    if not name.endswith(".slice") or "" in parts or name.startswith("."):
        raise ConfigError(POINTER, f"{name!r} is not the name of a slice, such as machine.slice")
    return "".join(f"/{'-'.join(parts[: level + 1])}.slice" for level in range(len(parts)))
