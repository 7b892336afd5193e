"""What many containers cost, and one with many processes: all at once, where `subjects` has one at a time."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from profiles import config
from subjects import SLEEPER, Failed, Runtime, reap, spawn, wait_for_end

# In the order in which they are measured.
AT_ONCE, CROWDED, LISTED = (
    "{} containers created at once",
    "delete with {} processes",
    "list of {} containers",
)
_SPAWNER = "i=0; while [ $i -lt {} ]; do sleep 1000000 & i=$((i+1)); done; echo ready; wait"
_SECONDS = 60
_BATCH = 50  # how many are created at once where it is not measured


@dataclass(frozen=True)
class Crowd:
    """Many containers of one runtime, that share its root file system."""

    runtime: Runtime
    names: tuple[str, ...]

    @classmethod
    def of(cls, runtime: Runtime, count: int) -> Crowd:
        """Each has a bundle, with a control group of its own."""
        crowd = cls(runtime, tuple(f"{runtime.id}-{number}" for number in range(count)))
        for name in crowd.names:
            made = config(runtime.profile, name, SLEEPER)
            made["root"]["path"] = str(runtime.directory / "rootfs")
            crowd.bundle(name).mkdir(parents=True)
            (crowd.bundle(name) / "config.json").write_text(json.dumps(made))
        return crowd

    def bundle(self, name: str) -> Path:
        """The directory of one."""
        return self.runtime.directory / "crowd" / name

    def create(self, names: tuple[str, ...]) -> float:
        """They have been created, all at the same time; returns how long it took in ms.

        Raises:
            Failed: one was not.
        """
        before = time.perf_counter_ns()
        started = {name: self._begin(name) for name in names}
        failed = [name for name, pid in started.items() if os.waitpid(pid, 0)[1]]
        took = (time.perf_counter_ns() - before) / 1e6
        if failed:
            raise Failed(f"{failed[0]}: {(self.bundle(failed[0]) / 'output').read_text().strip()}")
        return took

    def _begin(self, name: str) -> int:
        bundle = self.bundle(name)
        words = ["create", f"--bundle={bundle}", f"--pid-file={bundle}/pid", name]
        command = [self.runtime.path, f"--root={self.runtime.directory}/state", *words]
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(bundle / "output"), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        return os.posix_spawn(command[0], command, os.environ, file_actions=actions)

    def end(self, names: tuple[str, ...]) -> None:
        """Their processes are gone, they themselves are stopped."""
        for name in names:
            pid = int((self.bundle(name) / "pid").read_text())
            self.runtime.command("kill", name, "KILL")
            wait_for_end(pid)

    def remove(self) -> None:
        """Nothing is left of them."""
        for name in self.names:
            with contextlib.suppress(Failed):
                self.runtime.command("delete", "--force", name)
            reap()


@contextlib.contextmanager
def crowd_of(runtime: Runtime, count: int) -> Iterator[Crowd]:
    """So many containers to be, of which nothing is left in the end."""
    crowd = Crowd.of(runtime, count)
    try:
        yield crowd
    finally:
        crowd.remove()
        spawn(["/bin/rm", "-r", str(runtime.directory / "crowd")], runtime.directory / "output")


def created_at_once(runtime: Runtime, count: int) -> float:
    """Returns how many ms it takes until so many containers are created, all started at the same time."""
    with crowd_of(runtime, count) as crowd:
        return crowd.create(crowd.names)


def listed(runtime: Runtime, count: int, runs: int) -> list[float]:
    """Returns how many ms `list` takes with so many stopped containers, several times."""
    with crowd_of(runtime, count) as crowd:
        for first in range(0, count, _BATCH):
            batch = crowd.names[first : first + _BATCH]
            crowd.create(batch)
            crowd.end(batch)
        return [runtime.command("list").wall for _ in range(runs)]


def crowded_deleted(runtime: Runtime, count: int) -> float:
    """Returns how many ms `delete --force` takes of a container that runs so many processes."""
    runtime.configure(["/bin/sh", "-c", _SPAWNER.format(count)], pids=4 * count)
    output = runtime.directory / "output"
    runtime.make("create")
    pid = runtime.first_process()
    runtime.command("start", runtime.id, output="started")
    deadline = time.monotonic() + _SECONDS
    while "ready" not in output.read_text():
        if time.monotonic() > deadline:
            raise Failed(f"the processes do not start: {output.read_text()}")
        time.sleep(0.01)
    spent = runtime.command("delete", "--force", runtime.id, output="deleted")
    wait_for_end(pid)
    return spent.wall
