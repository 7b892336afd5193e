"""Plug-ins: installed packages that change a configuration before it is planned.

=================== ===================================== ==================================================
entry point group   asked for by                          called with, and answers
=================== ===================================== ==================================================
``stave.payloads``  the annotation ``stave.payload: NAME`` (config, bundle): the configuration to use instead
``stave.mounts``    a mount of the type ``x-NAME``        (mount, bundle): the mounts to make in its place
=================== ===================================== ==================================================

What they answer is checked like any configuration, and kept with the container: later commands see that one.
Loaded only for a configuration that asks for one.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ocispec.config import check
from ocispec.types import Config
from stave.errors import ConfigError, Error

PAYLOAD = "stave.payload"
PAYLOADS, MOUNTS = "stave.payloads", "stave.mounts"
MOUNT_PREFIX = "x-"


def apply(config: Config, bundle: str) -> Config:
    """The configuration with the plug-ins' changes.

    Raises:
        ConfigError: a plug-in is not installed, or is broken.
        InvalidConfig: what a plug-in made of the configuration is not valid.
        Error: whatever else a plug-in raised, with its name and the property that asked for it.
    """
    changed: Any = config
    if name := config.get("annotations", {}).get(PAYLOAD):
        changed = _call(PAYLOADS, name, f"/annotations/{PAYLOAD}", config, bundle)
    mounts: list[object] = []
    for index, mount in enumerate(changed.get("mounts", ())):
        kind = mount.get("type", "")
        if kind.startswith(MOUNT_PREFIX):
            name = kind.removeprefix(MOUNT_PREFIX)
            mounts += _call(MOUNTS, name, f"/mounts/{index}/type", mount, bundle)
        else:
            mounts.append(mount)
    changed = {**changed, "mounts": mounts}
    check("config", changed)
    return changed  # type: ignore[no-any-return]


def _call(group: str, name: str, pointer: str, *arguments: object) -> Any:
    found = {entry.name: entry for entry in entry_points(group=group)}
    if name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise ConfigError(pointer, f'no plug-in "{name}" is installed (entry points of {group}: {there})')
    plugin = _load(found[name], pointer)
    try:
        return plugin(*arguments)
    except Error:
        raise
    except Exception as error:
        # Whatever it is, it is the plug-in's: a person has to learn which one, not where in our code.
        raise ConfigError(pointer, f'plug-in "{name}": {type(error).__name__}: {error}') from error


def _load(entry: EntryPoint, pointer: str) -> Callable[..., Any]:
    try:
        plugin: Callable[..., Any] = entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(pointer, f'plug-in "{entry.name}" cannot be loaded: {error}') from error
    return plugin
