"""checkpoint: the state of a container's processes is in files, from which `restore` makes them again."""

from __future__ import annotations

import os
from subprocess import DEVNULL
from typing import Any

from ocispec.jsontext import dumps
from ocispec.types import Config
from stave.container.criu_options import DESCRIPTORS, CheckpointOptions, Directories, external_key, fill
from stave.container.delete import destroy
from stave.container.external_mounts import external_mounts
from stave.container.state import PAUSED, RUNNING, Container
from stave.criu.client import Criu, CriuError, with_excerpt
from stave.criu.messages import DUMP, PRE_DUMP
from stave.errors import Error, KernelError, StateError
from stave.host.facts import Facts, read_facts
from stave.plan.create import plan_create

_LOG = "dump.log"
# Namespaces that were there before the container, and stay: criu does not look into these.
_EXTERNAL = {"network": "net", "pid": "pid"}


def checkpoint(root: str, container_id: str, options: CheckpointOptions) -> None:
    """The container's state is in the images; unless it is to be left running, the container is gone.

    Raises:
        StateError: it is not running (or paused).
        Error: criu is not there, or failed; the container runs on as before.
    """
    container = Container.load(root, container_id, lock=True)
    try:
        status = container.status()
        if status not in (RUNNING, PAUSED):
            raise StateError(f"Container cannot be checkpointed in {status} state")
        _dump(container, options)
        if not (options.leave_running or options.pre_dump):
            destroy(container, options.log_warning)
    finally:
        container.unlock()


def _dump(container: Container, options: CheckpointOptions) -> None:
    config = container.config()
    facts = read_facts(config)
    if facts.rootless:
        raise Error("checkpoint needs root's power over the host: criu can do nothing without")
    criu = Criu(options.executable)
    if options.pre_dump or options.parent:
        criu.require("mem_track", "--pre-dump" if options.pre_dump else "--parent-path")
    if options.lazy_pages:
        criu.require("lazy_pages", "--lazy-pages")
    directories = Directories(options, _LOG, make=True)
    try:
        _check(options)
        request = criu.request(PRE_DUMP if options.pre_dump else DUMP)
        _fill(request.opts, container, options, directories)
        if not options.pre_dump:
            _add_external(request.opts, container, config, facts)
            streams = _streams(container.pid)
            request.opts.external.extend(each for each in streams if each.startswith("file["))
            _write(directories.images, DESCRIPTORS, dumps(streams).encode())
        process = criu.begin(stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
        try:
            process.carry_out(request, lambda script, _, __: _notice(script, options))
        except CriuError as error:
            raise with_excerpt(error, "checkpoint", directories.log) from error
        finally:
            process.end()
    finally:
        directories.close()


def _check(options: CheckpointOptions) -> None:
    """What criu would stumble over without saying so. Raises Error."""
    if options.parent:
        if os.path.isabs(options.parent):
            raise Error("--parent-path must be relative to --image-path")
        if not os.path.isdir(os.path.join(options.images, options.parent)):
            raise Error(f"invalid --parent-path: there is no directory {options.images}/{options.parent}")
    if options.status_fd >= 0:
        try:
            os.write(options.status_fd, b"")
        except OSError as error:
            raise Error(f"invalid --status-fd {options.status_fd}: {error.strerror}") from error


def _fill(target: Any, container: Container, options: CheckpointOptions, directories: Directories) -> None:
    fill(target, options, directories, container.state["rootfs"], container.state["annotations"])
    target.pid = container.pid
    target.leave_running = options.leave_running
    target.link_remap = options.link_remap
    target.tcp_skip_in_flight = options.tcp_skip_in_flight
    if options.parent:
        target.parent_img = options.parent
        target.track_mem = True
    if options.page_server:
        target.ps.address, target.ps.port = options.page_server
    groups = container.state["cgroups"]
    if freezer := groups.get("freezer") or groups.get(""):
        target.freeze_cgroup = freezer


def _add_external(target: Any, container: Container, config: Config, facts: Facts) -> None:
    """criu knows what of the container's world lies outside: mounts, and namespaces that were there before."""
    for namespace in config.get("linux", {}).get("namespaces", ()):
        if namespace.get("path") and (name := _EXTERNAL.get(namespace["type"])):
            inode = os.stat(f"/proc/{container.pid}/ns/{name}").st_ino
            target.external.append(f"{name}[{inode}]:{external_key(name)}")
    target.ext_masters = True  # some of the mounts get what the host mounts below their sources
    plan = plan_create(
        config,
        container_id=container.id,
        bundle=container.state["bundle"],
        facts=facts,
        cgroup_setup=(),
        cgroup_join=(),
        cgroup_paths=container.state["cgroups"],
        hook_state=container.hook_state,
    )
    for mount in external_mounts(plan.program, container.pid):
        target.ext_mnt.add(key=mount.target, val=mount.key)


def _streams(pid: int) -> list[str]:
    """What the first process has as standard input, output and error, each in criu's form for what is not its own.

    Pipes, and files of the host, are the caller's: `restore` puts the caller's own in their place.
    """
    with open(f"/proc/{pid}/mountinfo") as file:
        own = {line.split(" ", 1)[0] for line in file}
    found = []
    for number in range(3):
        try:
            name = os.readlink(f"/proc/{pid}/fd/{number}")
        except OSError:
            found.append("")
            continue
        if name.startswith("/"):
            with open(f"/proc/{pid}/fdinfo/{number}") as file:
                mount = next(line.split()[1] for line in file if line.startswith("mnt_id:"))
            if mount not in own:
                inode = os.stat(f"/proc/{pid}/fd/{number}").st_ino
                name = f"file[{int(mount):x}:{inode:x}]"
        found.append(name)
    return found


def _write(directory: int, name: str, data: bytes) -> None:
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=directory)
        with open(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise KernelError(f"write {name} of the images", error.errno or 0) from error


def _notice(script: str, options: CheckpointOptions) -> None:
    if script == "status-ready" and options.status_fd >= 0:
        os.write(options.status_fd, b"\0")
        os.close(options.status_fd)
