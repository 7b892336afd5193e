"""Namespaces that exist before a container does, kept by a process that does nothing else."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .host import alive, children, eventually

FLAGS = {"user": "--user", "pid": "--pid", "network": "--net", "mount": "--mount", "ipc": "--ipc", "uts": "--uts",
         "cgroup": "--cgroup", "time": "--time"}  # fmt: skip
NAMES = {kind: kind for kind in FLAGS} | {"network": "net", "mount": "mnt"}


@contextlib.contextmanager
def held(*kinds: str) -> Iterator[dict[str, str]]:
    """New namespaces of these kinds exist: their paths by kind. A user namespace has ids from 100000 on."""
    flags = [FLAGS[kind] for kind in kinds]
    command = ["unshare", "--fork", "--kill-child", *flags, "sh", "-c", "echo; exec sleep 1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            (child,) = _children(process.pid)
            if "user" in kinds:
                for file in ("uid_map", "gid_map"):
                    Path(f"/proc/{child}/{file}").write_text("0 100000 65536")
            yield {kind: f"/proc/{child}/ns/{NAMES[kind]}" for kind in kinds}
        finally:
            process.kill()
    # The first process of a PID namespace ends when all others of it have been collected.
    eventually(lambda: child not in children() and not alive(child), "the holder ends")


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []
