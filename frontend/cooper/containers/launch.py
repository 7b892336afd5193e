"""A container is started: its root mounted, its networks attached, config.json written, the supervisor run.

What is done here is undone in `settle`, in whatever state a killed command leaves it: the record says ``running`` from
before the first step.
"""

from __future__ import annotations

import posix
import time

from cooper.containers import events, network, record, rootfs
from cooper.containers.configuration import compile_config
from cooper.containers.health import check_settings, health_check
from cooper.containers.mounts import entries
from cooper.containers.runtime import Runtime, last_error, own_program, start_error
from cooper.containers.settle import clear_run_directory, settle_locked
from cooper.errors import Conflict
from cooper.settings import PATIENCE_S, make_directory
from cooper.supervisor import client
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database

STOP_SECONDS = 10
# Hooks and big images take their time, but no start takes longer.
START_SECONDS = 300


def launch(
    settings: Settings,
    database: Database,
    container: Container,
    wants: int = 0,
    size: tuple[int, int] = (0, 0),
) -> client.Supervisor:
    """The container's program runs; returns a connection to its supervisor.

    The caller holds the container's lock. Args: `wants`: of the connection; `size`: rows and columns of the terminal.

    Raises: ProgramNotFound, NotExecutable, Error; the container is not running then.
    """
    if container.state == record.RUNNING:
        raise Conflict(f"the container {container.name} is already running")
    options = container.options
    before = container.state
    record.update(
        database, container.id, state=record.RUNNING, started=time.time_ns(), finished=0, exit_status=0, oom=0,
        error="", stopped=0,
    )  # fmt: skip
    container.state = record.RUNNING
    try:
        runtime = Runtime(settings, options["runtime"])
        process = _write_bundle(settings, database, container, options, size)
        values = _values(settings, runtime, container, options, size)
        check = health_check(options)
        if check:
            directories = (settings.container_directory(container.id), settings.run_directory(container.id))
            values |= check_settings(runtime, container.id, *directories, process, check)
        clear_run_directory(settings, container.id)
        make_directory(settings.run_directory(container.id))
        make_directory(runtime.state)
        supervisor = client.start(settings, container.id, values, wants)
        kind, data = _await_start(supervisor)
    except BaseException:
        settle_locked(settings, database, container)
        raise
    if kind == client.STARTED:
        return supervisor
    if not kind:
        data = _failure(settings, container.id)
    error = start_error(f"start {container.name}", last_error(data.decode("utf-8", "replace")))
    supervisor.send(client.DONE)
    supervisor.close()
    container.error = str(error)
    settle_locked(settings, database, container, before)
    raise error


def _await_start(supervisor: client.Supervisor) -> tuple[bytes, bytes]:
    """The packet that says how it went. A start that takes too long is broken off, and has failed."""
    try:
        return supervisor.wait(client.STARTED, client.FAILED, seconds=START_SECONDS)
    except TimeoutError:
        supervisor.send(client.STOP, b"SIGKILL 0")
    try:
        supervisor.wait(client.FAILED, client.FINISHED, seconds=PATIENCE_S)
    except TimeoutError:
        supervisor.kill()
    return client.FAILED, f"the runtime has not started it in {START_SECONDS} s".encode()


def _failure(settings: Settings, container_id: str) -> bytes:
    try:
        return record.read_file(f"{settings.run_directory(container_id)}/failure")
    except OSError:
        return b"the supervisor ended"


def _write_bundle(
    settings: Settings,
    database: Database,
    container: Container,
    options: dict[str, Any],
    size: tuple[int, int],
) -> dict[str, Any]:
    """Everything that config.json names is there; returns its process."""
    directory = settings.container_directory(container.id)
    root = rootfs.mount(settings, container, options)
    if network.leaves_traces(options):
        # Noted first: what a killed command has made is found by it.
        record.set_network(database, container, {"made": True})
    attachment = network.attach(settings, database, container, options)
    if attachment.kept:
        record.set_network(database, container, attachment.kept)
    own_name = options["hostname"] or container.short_id
    host_name = posix.uname().nodename if options["uts"] == "host" else own_name
    files = network.write_files(directory, attachment, host_name)
    mapped_root = root
    if options["id_maps"]:
        from cooper.containers.idmapped import Views, remove_views

        remove_views(directory)  # of a start that was killed
        with Views(directory, options) as views:
            mounts = entries(settings, database, container, options, root, views)
            if options["rootfs"]:
                mapped_root = views.of(root)
    else:
        mounts = entries(settings, database, container, options, root, None)
    config = compile_config(
        settings,
        database,
        options,
        root=root,
        mapped_root=mapped_root,
        hostname=own_name,
        cgroup=cgroup_path(settings, container, options),
        mounts=[*files, *mounts],
        network=attachment.namespace,
        size=size,
    )
    record.write_file(f"{directory}/config.json", jsontext.dumps(config).encode())
    process: dict[str, Any] = config["process"]
    return process


def cgroup_path(settings: Settings, container: Container, options: dict[str, Any]) -> str:
    """linux.cgroupsPath; "" where there is none: an ordinary user has no group but what was handed on."""
    if settings.rootless and not options["cgroup_parent"]:
        return ""
    return f"{options['cgroup_parent'] or '/cooper'}/{container.id}"


def cgroup_directories(settings: Settings, container: Container, options: dict[str, Any]) -> list[str]:
    """Where the container's memory is accounted for, in a unified and in a v1 hierarchy."""
    path = cgroup_path(settings, container, options)
    return [f"/sys/fs/cgroup/memory{path}", f"/sys/fs/cgroup{path}"] if path else []


def _log(container: Container, options: dict[str, Any], directory: str) -> dict[str, str]:
    driver = options["log"]["driver"]
    if driver == "journald":
        from cooper.containers import journal

        return {"journal": journal.fields(container, options)}
    return {"log": f"{directory}/log" if driver != "none" else ""}


def clean_up_command(settings: Settings, container_id: str) -> list[str]:
    """What the supervisor becomes in the end, unless a client takes care."""
    return [
        *(own_program("cooper"), "--root", settings.root, "--run-root", settings.run),
        *("container", "cleanup", container_id),
    ]


def _values(
    settings: Settings, runtime: Runtime, container: Container, options: dict[str, Any], size: tuple[int, int]
) -> dict[str, Any]:
    """What the supervisor is told."""
    run_directory = settings.run_directory(container.id)
    directory = settings.container_directory(container.id)
    log = f"{run_directory}/runtime.log"
    run = ["run", "--detach", "--bundle", directory, "--pid-file", f"{run_directory}/pid"]
    if options["tty"]:
        # The supervisor puts its own name of the socket there: that path may be longer than an address holds.
        run += ["--console-socket", "@console"]
    return {
        "id": container.id,
        "run": runtime.command(log, *run, container.id),
        "kill": runtime.command(log, "kill", container.id),
        "pause": runtime.command(log, "pause", container.id),
        "resume": runtime.command(log, "resume", container.id),
        "remove": runtime.command(log, "delete", "--force", container.id),
        "clean-up": clean_up_command(settings, container.id),
        "cgroup": cgroup_directories(settings, container, options),
        **_log(container, options, directory),
        "log-size": options["log"]["size"],
        "log-files": options["log"]["files"],
        "event": events.attributes(container),
        "event-log": events.path(settings),
        "restart": options["restart"]["name"],
        "restart-maximum": options["restart"]["maximum"],
        "stop-signal": options["stop_signal"],
        "stop-seconds": options["stop_timeout"],
        "terminal": int(options["tty"]),
        "input": int(options["interactive"]),
        "input-once": int(options["interactive"] and not options["detached"]),
        "rows": size[0],
        "columns": size[1],
    }
