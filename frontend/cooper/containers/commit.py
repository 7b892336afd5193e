"""`cooper commit`: what a container has changed becomes a layer on those of its image."""

from __future__ import annotations

from cooper.cli.output import warn
from cooper.containers import record, stop
from cooper.containers.images import open_store
from cooper.containers.launch import cgroup_path
from cooper.containers.locks import ContainerLock
from cooper.containers.lookup import find, find_locked
from ociimage.commit import commit as commit_snapshot
from ociimage.importing import import_directory
from ociimage.snapshots.snapshots import Snapshots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.cli.command import Invocation
    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database
    from ociimage.image import Image


def commit(invocation: Invocation, database: Database) -> str:
    """The id of the new image."""
    settings, given = invocation.settings, invocation.options
    container = find(settings, database, invocation.arguments[0])
    name = invocation.arguments[1] if len(invocation.arguments) > 1 else ""
    with ContainerLock(settings, container.id):
        container = find_locked(settings, database, container.id)
        options = container.options
        left_out = [mount["target"] for mount in options["mounts"] if mount["type"] != "tmpfs"]
        if left_out:
            warn(f"what is mounted is not part of the image: {', '.join(left_out)}")
        pausing = given["pause"] and container.state == record.RUNNING and not container.paused
        # Without a group of its own there is nothing that could be frozen.
        pausing = pausing and bool(cgroup_path(settings, container, options))
        if pausing:
            stop.pause(settings, database, container)
        try:
            if options["rootfs"]:
                image = _of_directory(settings, options, name, given)
            else:
                image = _of_snapshot(settings, container, options, name, given)
        finally:
            if pausing:
                stop.resume(settings, database, container)
    return image.id


def _of_directory(settings: Settings, options: dict[str, Any], name: str, given: dict[str, Any]) -> Image:
    return import_directory(
        open_store(settings), options["rootfs"], name, changes=given["change"], message=given["message"]
    )


def _of_snapshot(
    settings: Settings, container: Container, options: dict[str, Any], name: str, given: dict[str, Any]
) -> Image:
    return commit_snapshot(
        Snapshots(open_store(settings)),
        container.id,
        name,
        config=_container_config(options["image_config"], options),
        changes=given["change"],
        author=given["author"],
        message=given["message"],
        created_by=" ".join(options["command"]),
    )


def _container_config(image: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The image's, with what the container was given, as docker does."""
    config = dict(image)
    if options["args"] or options["entrypoint"] is not None:
        config["Cmd"] = options["args"]
    if options["entrypoint"] is not None:
        config["Entrypoint"] = options["entrypoint"]
    if options["env"]:
        variables = dict(line.split("=", 1) for line in image.get("Env") or () if "=" in line)
        variables |= dict(line.split("=", 1) for line in options["env"])
        config["Env"] = [f"{name}={value}" for name, value in variables.items()]
    for key, value in (("User", options["user"]), ("WorkingDir", options["workdir"])):
        if value:
            config[key] = value
    if options["labels"]:
        config["Labels"] = options["labels"]
    return config
