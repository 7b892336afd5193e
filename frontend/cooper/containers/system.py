"""The commands of `cooper system`."""

from __future__ import annotations

import os

import cooper
from cooper.cli.output import STDERR, STDOUT, print_line, table, warn, write
from cooper.containers import record
from cooper.containers.lookup import every, open_database
from cooper.containers.values import human_memory, human_size
from cooper.errors import Error, UsageError
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.cli.command import Invocation
    from cooper.settings import Settings


def show_info(invocation: Invocation) -> int:
    """`cooper system info`."""
    settings, form = invocation.settings, invocation.options["format"]
    info = _info(settings)
    if form and form != "json":
        from cooper.cli.template import Template

        print_line(Template(form).render(info))
    elif form:
        print_line(jsontext.dumps(info))
    else:
        write(STDOUT, "".join(f"{key}: {value}\n" for key, value in info.items()))
    return 0


def _info(settings: Settings) -> dict[str, Any]:
    from cooper.containers.images import open_store
    from cooper.containers.runtime import Runtime

    containers = every(settings, open_database(settings))
    try:
        runtime = Runtime(settings, settings.runtime).path
    except Error as error:
        runtime = str(error)
    store = open_store(settings)
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    system = os.uname()
    return {
        "ServerVersion": cooper.__version__,
        "Containers": len(containers),
        "ContainersRunning": sum(each.status in ("running", "restarting") for each in containers),
        "ContainersPaused": sum(each.status == "paused" for each in containers),
        "ContainersStopped": sum(each.state in (record.CREATED, record.EXITED) for each in containers),
        "Images": len(store.images()),
        "Root": settings.root,
        "RunRoot": settings.run,
        "Runtime": runtime,
        "Rootless": settings.rootless,
        "StorageDriver": "overlay",
        "CgroupVersion": "2" if unified else "1",
        "CgroupDriver": "cgroupfs",
        "KernelVersion": system.release,
        "Architecture": system.machine,
        "NCPU": len(os.sched_getaffinity(0)),
        "MemTotal": human_memory(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")),
        "Name": system.nodename,
    }


def df(invocation: Invocation) -> int:
    """`cooper system df`."""
    from cooper.cli.template import print_rows
    from cooper.containers.images import open_store
    from cooper.containers.rootfs import written_bytes
    from cooper.volumes import store as volumes
    from ociimage.collect import usage

    settings = invocation.settings
    database = open_database(settings)
    volumes.ensure(database)
    containers = every(settings, database)
    images = usage(open_store(settings), {each.image_id for each in containers})
    sizes = {each.id: written_bytes(settings, each) for each in containers}
    users = volumes.used_by(database, containers)
    volume_sizes = {each.name: volumes.size(settings, each.name) for each in volumes.every(database)}
    if invocation.options["verbose"]:
        _details(containers, sizes, volume_sizes, users)
        return 0
    stopped = sum(sizes[each.id] for each in containers if each.state != record.RUNNING)
    unused = sum(size for name, size in volume_sizes.items() if name not in users)
    running = sum(each.state == record.RUNNING for each in containers)
    rows = [
        _row("Images", images["images"], images["active"], images["size"], images["reclaimable"]),
        _row("Containers", len(containers), running, sum(sizes.values()), stopped),
        _row("Volumes", len(volume_sizes), len(users), sum(volume_sizes.values()), unused),
    ]
    columns = {
        "Type": "TYPE",
        "TotalCount": "TOTAL",
        "Active": "ACTIVE",
        "Size": "SIZE",
        "Reclaimable": "RECLAIMABLE",
    }
    print_rows(rows, invocation.options["format"], columns)
    return 0


def _row(kind: str, total: int, active: int, size: int, reclaimable: int) -> dict[str, Any]:
    share = f" ({100 * reclaimable // size}%)" if size else ""
    return {
        "Type": kind,
        "TotalCount": total,
        "Active": active,
        "Size": human_size(size),
        "Reclaimable": human_size(reclaimable) + share,
    }


def _details(
    containers: list[Any], sizes: dict[str, int], volume_sizes: dict[str, int], users: dict[str, list[str]]
) -> None:
    rows = [[each.short_id, each.name, each.status, human_size(sizes[each.id])] for each in containers]
    write(STDOUT, table(["CONTAINER ID", "NAME", "STATUS", "SIZE"], rows))
    rows = [[name, str(len(users.get(name, ()))), human_size(size)] for name, size in volume_sizes.items()]
    write(STDOUT, "\n" + table(["VOLUME NAME", "CONTAINERS", "SIZE"], rows))


def prune(invocation: Invocation) -> int:
    """`cooper system prune`."""
    from cooper.cli.output import confirm
    from cooper.containers.images import open_store
    from cooper.containers.prune import prune_containers
    from cooper.images.listing import prunable
    from cooper.networks.manage import prune as prune_networks
    from ociimage.collect import prune as prune_images

    settings, given = invocation.settings, invocation.options
    filters = given["filter"]
    if filters and given["volumes"]:
        raise UsageError("--filter and --volumes exclude each other", "cooper volume prune has filters")
    accept = prunable(filters)
    what = "all containers that do not run, and networks and images that none uses"
    if not given["force"] and not confirm(f"remove {what}{', and volumes' if given['volumes'] else ''}"):
        return 1
    for name in prune_containers(settings, filters):
        print_line(f"container {name}")
    database = open_database(settings)
    for name in prune_networks(database, settings) if not filters else ():
        print_line(f"network {name}")
    if given["volumes"]:
        from cooper.volumes import store as volumes

        volumes.ensure(database)
        users = volumes.used_by(database)
        for volume in volumes.every(database):
            if volume.name not in users:
                volumes.remove(settings, database, volume.name, users)
                print_line(f"volume {volume.name}")
    used = {each.image_id for each in every(settings, database)}
    names, ids, freed = prune_images(
        open_store(settings), all_unused=given["all"], in_use=used, accept=accept
    )
    for name in (*names, *ids):
        print_line(f"image {name}")
    print_line(f"{human_size(freed)} freed in images")
    return 0


def restart(invocation: Invocation) -> int:
    """`cooper system restart`: starts what was running when the machine went down and is to run always."""
    from cooper.containers.attached import start_container

    settings = invocation.settings
    database = open_database(settings)
    status = 0
    for container in reversed(every(settings, database)):
        if container.state == record.EXITED and _is_to_run(container):
            try:
                start_container(settings, database, container.id)
            except Error as error:
                write(STDERR, f"cooper: {error}\n")
                status = 1
            else:
                print_line(container.name)
    _reconcile_networks(settings)
    return status


def stop(invocation: Invocation) -> int:
    """`cooper system stop`: all containers have ended; for their restart policies nobody has stopped them."""
    from cooper.containers.stop import Stopping

    settings = invocation.settings
    database = open_database(settings)
    asked = [
        (each, Stopping(settings, database, each))
        for each in every(settings, database)
        if each.state == record.RUNNING
    ]
    for container, _ in asked:
        record.update(database, container.id, stopped=0)
    for container, stopping in asked:
        stopping.wait()
        print_line(container.name)
    return 0


def _is_to_run(container: record.Container) -> bool:
    """Whether its restart policy wants it up after a reboot."""
    policy = container.options["restart"]["name"]
    if policy == "always":
        return True
    if policy == "unless-stopped":
        return not container.stopped
    return policy == "on-failure" and not container.stopped and container.exit_status != 0


def _reconcile_networks(settings: Settings) -> None:
    from cooper.networks.attach import reconcile

    database = open_database(settings)

    def alive() -> list[str]:
        states = (record.CREATING, record.RUNNING)
        return [each.id for each in record.select(database) if each.state in states]

    try:
        reconcile(database, settings, alive)
    except Error as error:
        warn(str(error))
