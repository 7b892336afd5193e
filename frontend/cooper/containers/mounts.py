"""Mounts of a container: binds, volumes, file systems in memory, and the files that cooper gives to it.

When a container is made its mounts are completed (`complete`): unnamed volumes get names, those of the image and of
`--volumes-from` are added. When it starts they become entries of config.json (`entries`).
"""

from __future__ import annotations

import posix

from cooper.containers.names import new_id
from cooper.errors import Conflict, Error, UsageError
from cooper.settings import make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.containers.idmapped import Views
    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database

_PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable")
# Passed on to the runtime as they are.
_ATTRIBUTES = (
    "ro rw rro nosuid suid nodev dev noexec exec noatime atime relatime norelatime strictatime nostrictatime"
    " nodiratime diratime nosymfollow rnosuid rnodev rnoexec"
).split()
# `z` and `Z` relabel for SELinux, which is not here; docker and podman take them everywhere.
_IGNORED = ("z", "Z", "cached", "delegated", "consistent", "nocopy", "copy", "exec")


def complete(settings: Settings, database: Database, options: dict[str, Any]) -> None:
    """The options' mounts are all that the container will have; `mount_names` names its volumes.

    Raises: NotFound, UsageError
    """
    mounts: list[dict[str, Any]] = options["mounts"]
    targets = {mount["target"] for mount in mounts}
    for text in options["volumes_from"]:
        for mount in _of_other(settings, database, text):
            if mount["target"] not in targets:
                targets.add(mount["target"])
                mounts.append(mount)
    for target in sorted(options["image_config"].get("Volumes") or {}):
        target = "/" + target.strip("/")
        if target not in targets and target != "/" and ".." not in target.split("/"):
            mounts.append({"type": "volume", "source": "", "target": target, "options": []})
    for mount in mounts:
        _check(mount, options["userns"] not in ("", "host"))
        if mount["type"] == "volume" and not mount["source"]:
            mount["source"], mount["anonymous"] = new_id(), True
    options["mount_names"] = [mount["source"] for mount in mounts if mount["type"] == "volume"]


def _of_other(settings: Settings, database: Database, text: str) -> list[dict[str, Any]]:
    from cooper.containers.lookup import find

    name, _, mode = text.partition(":")
    if mode not in ("", "ro", "rw", "z", "Z"):
        raise UsageError(f"--volumes-from: {mode!r} is neither ro nor rw")
    mounts = [mount for mount in find(settings, database, name).options["mounts"] if mount["type"] != "tmpfs"]
    for mount in mounts:
        mount.pop("anonymous", None)  # it belongs to the other
        if mode == "ro":
            mount["options"] = [*mount["options"], "ro"]
    return mounts


def _check(mount: dict[str, Any], mapped: bool) -> None:
    for option in mount["options"]:
        if option == "U":
            raise UsageError(
                f"the mount on {mount['target']}: U would change owners on the host",
                "--userns maps them instead",
            )
        if option.partition("=")[0] == "idmap" and not mapped:
            raise UsageError(
                f"the mount on {mount['target']}: idmap is for a user namespace", "--userns auto or keep-id"
            )
        key = option.partition("=")[0]
        known = key in _ATTRIBUTES or key in _PROPAGATION or key in _IGNORED or key in ("readonly", "idmap")
        if not known and not (
            mount["type"] == "tmpfs" and key in ("size", "mode", "uid", "gid", "nr_inodes", "tmpcopyup")
        ):
            raise UsageError(f"the mount on {mount['target']}: unknown option {option}")


def make_volumes(settings: Settings, database: Database, options: dict[str, Any]) -> None:
    """The volumes among the mounts exist. The container's record names them already."""
    if not options["mount_names"]:
        return
    from cooper.volumes import store

    store.ensure(database)
    for mount in options["mounts"]:
        if mount["type"] == "volume":
            store.make(settings, database, mount["source"], anonymous=bool(mount.get("anonymous")))


def remove_anonymous(settings: Settings, database: Database, container: Container) -> None:
    """The container's unnamed volumes are gone, but for those that another has; its own record is gone already."""
    names = [mount["source"] for mount in container.options["mounts"] if mount.get("anonymous")]
    if not names:
        return
    from cooper.volumes import store

    store.ensure(database)
    users = store.used_by(database)
    for name in names:
        if name not in users and store.get(database, name) is not None:
            store.remove(settings, database, name, users)


def source_of(settings: Settings, mount: dict[str, Any]) -> str:
    """Where on the host the mount's content is, "" for a file system in memory."""
    if mount["type"] == "volume":
        from cooper.volumes.store import data_directory

        return data_directory(settings, mount["source"])
    return str(mount["source"])


def entries(
    settings: Settings,
    database: Database,
    container: Container,
    options: dict[str, Any],
    root: str,
    views: Views | None,
) -> list[dict[str, Any]]:
    """The mounts for config.json, in the order of their targets' depth.

    Raises: Error for a source that does not exist.
    """
    result = []
    for mount in sorted(options["mounts"], key=lambda each: each["target"].count("/")):
        if mount["type"] == "tmpfs":
            wanted = [option for option in mount["options"] if option not in _IGNORED or option == "exec"]
            defaults = [] if "exec" in wanted else ["noexec"]
            result.append(_entry(mount["target"], "tmpfs", "tmpfs", ["nosuid", "nodev", *defaults, *wanted]))
            continue
        source = source_of(settings, mount)
        if mount["type"] == "volume":
            _fill(settings, database, mount, options, root)
        else:
            _make_source(mount, source)
        flags = [option for option in mount["options"] if option in _ATTRIBUTES or option in _PROPAGATION]
        flags += ["ro"] if "readonly" in mount["options"] else []
        if not any(option in _PROPAGATION for option in flags):
            flags.append("rprivate")
        # A view has the mount itself, not those in it: their file systems may have no views.
        kind = "bind" if views else "rbind"
        result.append(_entry(mount["target"], "bind", views.of(source) if views else source, [kind, *flags]))
    return result


def _entry(target: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": options}


def _make_source(mount: dict[str, Any], source: str) -> None:
    """-v makes a directory that is missing, as docker does; --mount does not."""
    if posix.access(source, posix.F_OK):
        return
    if mount.get("strict"):
        raise Error(f"the mount on {mount['target']}: there is no {source}")
    make_directory(source, 0o755)


def _fill(
    settings: Settings, database: Database, mount: dict[str, Any], options: dict[str, Any], root: str
) -> None:
    """A new volume gets what the image has at its place, once."""
    from cooper.volumes import store

    store.ensure(database)
    volume = store.get(database, mount["source"])
    if volume is None:
        raise Conflict(f"the volume {mount['source']} was removed", "cooper volume create makes it again")
    if volume.filled:
        return
    directory = store.data_directory(settings, mount["source"])
    if "nocopy" not in mount["options"] and store.is_empty(directory):
        from cooper.volumes.fill import copy_up

        copy_up(root, mount["target"], directory, options)
    store.set_filled(database, mount["source"])
