"""A container under test: its bundle, its configuration, and the five operations."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ociconformance.bundle import SETS, Config
from ociconformance.runtime import Outcome, Runtime


def eventually(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """The condition holds.

    Raises: AssertionError if it did not come to hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.005)


def fails(outcome: Outcome) -> None:
    """The command has ended with an error.

    Raises: AssertionError if it has not.
    """
    assert outcome.status != 0, str(outcome)


class Container:
    """A container to be. The configuration is a dictionary to be changed until `create`."""

    def __init__(self, runtime: Runtime, id: str, bundle: Path, config: Config) -> None:
        self.runtime = runtime
        self.id = id
        self.bundle = bundle
        self.rootfs = bundle / "rootfs"
        self.config = config
        self.process: Config = config["process"]
        self.linux: Config = config["linux"]
        self.created: Outcome | None = None
        self.status: int | None = None
        """How the container's process ended, once it is known: its exit status, or minus its signal."""
        self._pid_file = bundle / "pid"

    # The configuration.

    def script(self, text: str) -> None:
        """The program is a shell with this script, which ends at the first command that fails."""
        self.process["args"] = ["sh", "-ec", text]

    def mount(self, *mounts: Config) -> None:
        """More mounts, after those that are there."""
        self.config["mounts"] = [*self.config["mounts"], *mounts]

    def unmount(self, destination: str) -> None:
        """No mount there, after all."""
        self.config["mounts"] = [each for each in self.config["mounts"] if each["destination"] != destination]

    def namespace(self, type: str, path: str | Path | None = None) -> None:
        """The container has its own namespace of this type, or the one of this path."""
        others = [each for each in self.linux["namespaces"] if each["type"] != type]
        self.linux["namespaces"] = [*others, {"type": type, **({"path": str(path)} if path else {})}]

    def no_namespace(self, type: str) -> None:
        """The container has the host's namespace of this type."""
        self.linux["namespaces"] = [each for each in self.linux["namespaces"] if each["type"] != type]

    def user_namespace(self, host: int = 100_000, size: int = 65_536) -> None:
        """The container's IDs are those from `host` on."""
        self.namespace("user")
        for key in ("uidMappings", "gidMappings"):
            self.linux[key] = [{"containerID": 0, "hostID": host, "size": size}]

    def capabilities(self, *more: str) -> None:
        """The program has these capabilities as well."""
        for name in SETS:
            self.process["capabilities"][name] += more

    def resources(self, **resources: Any) -> None:
        """These resources are limited as well."""
        self.linux["resources"] = {**self.linux.get("resources", {}), **resources}

    def hooks(self, **kinds: list[Config]) -> None:
        """The container has these hooks."""
        self.config["hooks"] = kinds

    def write(self) -> None:
        """The bundle holds the configuration as it is now."""
        (self.bundle / "config.json").write_text(json.dumps(self.config))

    # The operations. None of them says whether it went well: look at the outcome, or use what follows below.

    def try_create(self, *flags: str | Path, **how: Any) -> Outcome:
        """`create` has ended."""
        self.write()
        self.created = self.runtime(
            "create", "--bundle", self.bundle, "--pid-file", self._pid_file, *flags, self.id, **how
        )
        return self.created

    def try_start(self, **how: Any) -> Outcome:
        """`start` has ended."""
        return self.runtime("start", self.id, **how)

    def try_kill(self, signal: str) -> Outcome:
        """`kill` has ended."""
        return self.runtime("kill", self.id, signal)

    def try_delete(self, *flags: str) -> Outcome:
        """`delete` has ended."""
        return self.runtime("delete", *flags, self.id)

    def try_state(self) -> Outcome:
        """`state` has ended."""
        return self.runtime("state", self.id)

    # The operations, done well.

    def create(self, *flags: str | Path, **how: Any) -> Container:
        """The container is created."""
        outcome = self.try_create(*flags, **how)
        assert outcome.status == 0, str(outcome)
        return self

    def start(self) -> Container:
        """The container is started."""
        outcome = self.try_start()
        assert outcome.status == 0, str(outcome)
        return self

    def kill(self, signal: str = "KILL") -> Container:
        """The signal is sent."""
        outcome = self.try_kill(signal)
        assert outcome.status == 0, str(outcome)
        return self

    def delete(self) -> None:
        """The container is deleted."""
        outcome = self.try_delete()
        assert outcome.status == 0, str(outcome)

    def state(self) -> dict[str, Any]:
        """What `state` says."""
        outcome = self.try_state()
        assert outcome.status == 0, str(outcome)
        state = json.loads(outcome.output)
        assert isinstance(state, dict), outcome.output
        return state

    def run(self) -> int:
        """The container has run to its end: its exit status, or minus the signal that ended it."""
        self.create()
        self.start()
        return self.wait()

    def says(self, script: str) -> str:
        """What the script writes in the container, without the last line's end. It ends well."""
        self.script(script)
        status = self.run()
        assert status == 0, f"the script ended with {status}: {self.errors}{self.output}"
        return self.output

    def sleeps(self) -> Container:
        """The container runs until it is killed."""
        self.script("exec sleep 1000")
        self.create()
        return self.start()

    def listen(self, name: str) -> socket.socket:
        """A socket of this name in the bundle, that listens."""
        server = socket.socket(socket.AF_UNIX)
        # The path of a socket is limited to 107 bytes.
        here = os.getcwd()
        os.chdir(self.bundle)
        try:
            server.bind(name)
        finally:
            os.chdir(here)
        server.listen(4)
        return server

    # What can be seen from outside.

    @property
    def pid(self) -> int:
        """The PID of the container's process, also after its end."""
        return int(self._pid_file.read_text())

    @property
    def output(self) -> str:
        """What the container has written until now, without the last line's end."""
        assert self.created is not None, "not created"
        return self.created.output.removesuffix("\n")

    @property
    def errors(self) -> str:
        """What the container and its `create` have written to standard error until now."""
        assert self.created is not None, "not created"
        return self.created.errors

    def wait(self, seconds: float = 60) -> int:
        """The container's process has ended: its exit status, or minus the signal that ended it."""
        if self.status is not None:
            return self.status
        descriptor = os.pidfd_open(self.pid)
        try:
            ended = select.select([descriptor], [], [], seconds)[0]
        finally:
            os.close(descriptor)
        assert ended, f"the container's process has not ended in {seconds:g} s: {self.output}{self.errors}"
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def exists(self) -> bool:
        """Whether the runtime knows the container."""
        return self.try_state().status == 0

    def alive(self) -> bool:
        """Whether the container's process has not ended."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        return False

    def refused(self) -> str:
        """`create` fails, and no container comes to be. Returns what the runtime says."""
        outcome = self.try_create()
        fails(outcome)
        assert not self.exists(), f"there is a container although create has failed: {outcome}"
        return outcome.errors

    def refused_or_not_run(self, *flags: str | Path) -> str:
        """As refused, or `start` fails and the program doesn't run: properties of process may wait for `start`."""
        self.process.setdefault("args", ["true"])
        marker = self.rootfs / "tmp" / "the-program-has-run"
        if self.process["args"]:
            self.process["args"] = ["touch", "/tmp/the-program-has-run"]
        outcome = self.try_create(*flags)
        if outcome.status != 0:
            assert not self.exists(), f"there is a container although create has failed: {outcome}"
            return outcome.errors
        outcome = self.try_start()
        assert outcome.status != 0, "create and start ended with status 0"
        assert not marker.exists(), "the program has run"
        return outcome.errors
