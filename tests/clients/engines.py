"""podman and Docker, each on private directories, with the runtime under test as their only one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from .host import clear, eventually, overlay_works, status_field
from .image import IMAGE
from .terminal import Terminal

GROUP = f"runtime-tests-{os.getpid()}"
"""The top-level control group of everything that the tests start."""

_SYS_RESOURCE = 24

Completed = subprocess.CompletedProcess[str]

# Docker and podman set limits of a million, which root without CAP_SYS_RESOURCE may not.
_CONTAINERS_CONF = """
[containers]
netns = "none"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
conmon_env_vars = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR={directory}"]
events_logger = "file"
lock_type = "file"
runtime_supports_json = ["{runtime}"]
[network]
network_backend = "netavark"
"""


class Engine:
    """A docker-like command line: what both podman and docker understand."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self.directory = directory  # where conmon leaves a file when a container runs out of memory
        self.command = [*command]
        self.env = {**os.environ, **env}
        self._run_flags = [f"--cgroup-parent=/{GROUP}"]

    def __call__(self, *arguments: str, text: str = "") -> Completed:
        """The command has ended, whatever its exit code. `text` is its standard input."""
        return self._finish([*self.command, *arguments], text)

    def ok(self, *arguments: str, text: str = "") -> str:
        """The command has succeeded; returns its standard output without the last line's end."""
        done = self(*arguments, text=text)
        assert done.returncode == 0, f"{self.name} {' '.join(arguments)}: {done.returncode}: {done.stderr}"
        return done.stdout.rstrip("\n")

    def from_shell(self, script: str, *arguments: str) -> Completed:
        """The shell script, for which the engine's whole command is `"$@"`, has ended."""
        command = ["sh", "-c", script, "sh", *self.command, *arguments]
        return self._finish(command, "")

    def _finish(self, command: Sequence[str], text: str) -> Completed:
        return subprocess.run(
            command,
            env=self.env,
            cwd=self.directory,
            check=False,
            input=text,
            capture_output=True,
            text=True,
            timeout=180,
        )

    def run(self, *arguments: str, text: str = "") -> Completed:
        """A container has run in the foreground and is gone. The arguments are flags, then the program's."""
        flags, program = _split(arguments)
        return self("run", "--rm", *self._run_flags, *flags, IMAGE, *program, text=text)

    def start(self, *arguments: str) -> str:
        """A container runs in the background; returns its id. The arguments are flags, then the program's."""
        flags, program = _split(arguments)
        return self.ok("run", "--detach", *self._run_flags, *flags, IMAGE, *program)

    def create(self, *arguments: str) -> str:
        """A container was made but not started; returns its id."""
        flags, program = _split(arguments)
        return self.ok("create", *self._run_flags, *flags, IMAGE, *program)

    def run_terminal(self, *arguments: str, rows: int = 24, columns: int = 80) -> Terminal:
        """A container's program starts on a terminal of this size."""
        flags, program = _split(arguments)
        command = [*self.command, "run", "--rm", "-it", *self._run_flags, *flags, IMAGE, *program]
        return Terminal(command, self.env, rows, columns)

    def terminal(self, *arguments: str, rows: int = 24, columns: int = 80) -> Terminal:
        """The engine's own command runs on a terminal of this size."""
        return Terminal([*self.command, *arguments], self.env, rows, columns)

    def inspect(self, container: str, template: str) -> str:
        """Returns what the Go template makes of the container's description."""
        return self.ok("container", "inspect", f"--format={{{{{template}}}}}", container)

    def status(self, container: str) -> str:
        """Returns the container's status, in the engine's word."""
        return self.inspect(container, ".State.Status")

    def pid(self, container: str) -> int:
        """Returns the host's number of the container's first process, 0 when it has none."""
        return int(self.inspect(container, ".State.Pid"))

    def remove_all(self) -> None:
        """No container is left."""
        flags = ["--time=0"] if self.name == "podman" else []

        def removed() -> bool:
            containers = self.ok("ps", "--all", "--quiet").split()
            return not containers or self("rm", "--force", *flags, *containers).returncode == 0

        # It fails where a container is just being removed because of --rm.
        eventually(removed, "containers removed")


def require_privileges(engine: Engine) -> None:
    """The test is skipped where the engine asks for a capability that root here does not have."""
    if engine.name == "docker" and not int(status_field(os.getpid(), "CapBnd"), 16) & 1 << _SYS_RESOURCE:
        pytest.skip("root here lacks CAP_SYS_RESOURCE, and Docker's --privileged asks for every capability")


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parts flags, each one word beginning with `-`, from the program and its arguments."""
    count = next((i for i, argument in enumerate(arguments) if not argument.startswith("-")), len(arguments))
    return [*arguments[:count]], [*arguments[count:]]


@contextlib.contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A directory for an engine; afterwards no process, mount, control group or file of it is left."""
    with tempfile.TemporaryDirectory(prefix=f"runtime-tests-{name}-") as text:
        directory = Path(text)
        directory.chmod(0o711)  # a container's root may be another user here
        try:
            yield directory
        finally:
            clear(directory, GROUP)


@contextlib.contextmanager
def daemon(command: Sequence[str], directory: Path, ready: Sequence[str]) -> Iterator[None]:
    """A daemon runs with a `/run` and mounts of its own, and the command `ready` has succeeded.

    Its output goes to `log` in the directory, the end of which is told if it does not come up.
    """
    log = directory / "log"
    inside = 'mount -t tmpfs -o mode=755 tmpfs /run && exec "$@"'
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation=private", "sh", "-c", inside, "sh", *command],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip

    def is_ready() -> bool:
        assert process.poll() is None, f"{command[0]} ended: {log.read_text()[-2000:]}"
        return subprocess.run(ready, check=False, capture_output=True, timeout=60).returncode == 0

    try:
        eventually(is_ready, f"{command[0]} answers", seconds=120)
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


@contextlib.contextmanager
def podman(executable: str, runtime: Path, archive: Path) -> Iterator[Engine]:
    """A podman without any state of the machine's own, with the image loaded."""
    with scratch("podman") as directory:
        conf = directory / "containers.conf"
        conf.write_text(_CONTAINERS_CONF.format(runtime=runtime.name, directory=directory))
        driver = "overlay" if overlay_works(_made(directory / "probe")) else "vfs"
        command = [
            executable, f"--root={directory}/storage", f"--runroot={directory}/run",
            f"--tmpdir={directory}/tmp", f"--storage-driver={driver}", f"--runtime={runtime}",
        ]  # fmt: skip
        engine = Engine("podman", command, {"CONTAINERS_CONF": str(conf)}, directory)
        engine.ok("load", f"--input={archive}")
        yield engine
        engine.remove_all()


@contextlib.contextmanager
def docker(executables: Mapping[str, str], runtime: Path, archive: Path) -> Iterator[Engine]:
    """A docker daemon and the containerd that it starts, with the image loaded."""
    with scratch("docker") as directory:
        driver = "overlay2" if overlay_works(_made(directory / "probe")) else "vfs"
        runtimes = {"runtimes": {"tested": {"path": str(runtime)}}, "default-runtime": "tested"}
        (directory / "daemon.json").write_text(json.dumps(runtimes))
        server = [
            # Checkpoints are an experiment of the daemon's.
            executables["dockerd"], "--experimental",
            f"--config-file={directory}/daemon.json", f"--data-root={directory}/data",
            f"--exec-root={directory}/exec", f"--pidfile={directory}/pid", f"--host=unix://{directory}/sock",
            "--bridge=none", "--iptables=false", "--ip6tables=false", f"--storage-driver={driver}",
            "--exec-opt=native.cgroupdriver=cgroupfs", f"--cgroup-parent=/{GROUP}",
            "--shutdown-timeout=5",
        ]  # fmt: skip
        client = [executables["docker"], f"--host=unix://{directory}/sock"]
        with daemon(server, directory, [*client, "version"]):
            engine = Engine("docker", client, {"DOCKER_CONFIG": str(directory)}, directory)
            engine.ok("load", f"--input={archive}")
            yield engine
            engine.remove_all()


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
