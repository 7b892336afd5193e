"""What containers use of the machine. Memory is the working set: without what the kernel could drop at once."""

from __future__ import annotations

import os
import posix
import time

from cooper.cli.output import STDOUT, write
from cooper.cli.template import print_rows
from cooper.containers import record
from cooper.containers.cgroups import Groups, network_bytes
from cooper.containers.launch import cgroup_path
from cooper.containers.lookup import every, find, open_database
from cooper.containers.values import human_memory, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.cli.command import Invocation
    from cooper.containers.record import Container
    from cooper.settings import Settings

COLUMNS = {
    "Container": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS",
}  # fmt: skip
_INTERVAL = 1.0
_CLEAR = "\x1b[H\x1b[J"


def show(invocation: Invocation) -> int:
    """`cooper stats`."""
    given = invocation.options
    database = open_database(invocation.settings)
    before: dict[str, tuple[float, int]] = {}
    first = True
    while True:
        containers = (
            [find(invocation.settings, database, name) for name in invocation.arguments]
            if invocation.arguments
            else every(invocation.settings, database)
        )
        if not given["all"] and not invocation.arguments:
            containers = [each for each in containers if each.state == record.RUNNING]
        rows = [_row(invocation.settings, each, before, given["no-trunc"]) for each in containers]
        if first:  # processor time is known only after a while
            first = False
            time.sleep(_INTERVAL if not given["no-stream"] else 0.2)
            continue
        if posix.isatty(STDOUT) and not given["no-stream"]:
            write(STDOUT, _CLEAR)
        print_rows(rows, given["format"], COLUMNS)
        if given["no-stream"]:
            return 0
        time.sleep(_INTERVAL)


def _row(
    settings: Settings, container: Container, before: dict[str, tuple[float, int]], whole: bool
) -> dict[str, Any]:
    row = {
        "Container": container.id if whole else container.short_id,
        "ID": container.id if whole else container.short_id,
        "Name": container.name,
        **dict.fromkeys(("CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"), "--"),
    }
    if container.state != record.RUNNING or not container.pid:
        return row
    if not cgroup_path(settings, container, container.options):
        return row  # an ordinary user's: what its group counts is not the container's alone
    try:
        groups = Groups(container.pid)
        received, sent = network_bytes(container.pid)
    except OSError:
        return row
    now, used = time.monotonic(), groups.cpu_ns()
    then, used_then = before.get(container.id, (now, used))
    before[container.id] = (now, used)
    share = 100 * (used - used_then) / 1e9 / (now - then) if now > then else 0.0
    memory, limit = groups.memory()
    limit = limit or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    read, written = groups.block_bytes()
    return row | {
        "CPUPerc": f"{max(share, 0):.2f}%",
        "MemUsage": f"{human_memory(memory)} / {human_memory(limit)}",
        "MemPerc": f"{100 * memory / limit:.2f}%",
        "NetIO": f"{human_size(received)} / {human_size(sent)}",
        "BlockIO": f"{human_size(read)} / {human_size(written)}",
        "PIDs": str(groups.pids()),
    }
