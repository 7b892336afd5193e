"""cooper, podman and Docker side by side: `run --rm` of a program that ends at once, `ps -a`, and what stays in memory.

    python benchmarks/frontend/containers.py --cooper .venv/bin/cooper [--rounds 20] [--containers 1000]

Every engine has storage of its own, and the same image of one static busybox. In each round the engines take turns. The
containers have no network. Docker is left out with `--without docker`. Needs root.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from report import table  # noqa: E402

LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


class Engine:
    """One engine's command line, on storage below a directory.

    Attributes:
        monitor: the program that stays with each container.
    """

    def __init__(self, name: str, command: list[str], monitor: str, flags: Sequence[str] = ()) -> None:
        self.name = name
        self.command = command
        self.monitor = monitor
        self.flags = [*flags, "--network", "none"]

    def __call__(self, *words: str) -> str:
        """The output of a command that has succeeded."""
        done = subprocess.run([*self.command, *words], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{self.name} {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def timed(self, *words: str) -> float:
        """Milliseconds that the command takes."""
        start = time.perf_counter()
        self(*words)
        return (time.perf_counter() - start) * 1000

    def remove_all(self) -> None:
        """No container is left."""
        names = self("ps", "-aq").split()
        for first in range(0, len(names), 200):
            self("rm", "-f", *names[first : first + 200])


@contextlib.contextmanager
def docker(directory: Path) -> Iterator[Engine]:
    """Docker, with a daemon of its own."""
    socket = f"unix://{directory}/docker.sock"
    settings = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=overlay2"]
    places = [f"--data-root={directory}/data", f"--exec-root={directory}/exec", f"--pidfile={directory}/pid"]
    with (directory / "log").open("wb") as log:
        daemon = subprocess.Popen(["dockerd", f"--host={socket}", *settings, *places], stdout=log, stderr=log)
    try:
        engine = Engine("docker", ["docker", f"--host={socket}"], "containerd-shim")
        while subprocess.run([*engine.command, "info"], capture_output=True).returncode:
            if daemon.poll() is not None:
                raise SystemExit((directory / "log").read_text()[-2000:])
            time.sleep(0.1)
        yield engine
    finally:
        daemon.terminate()
        daemon.wait()


def podman(directory: Path) -> Engine:
    """podman, with storage of its own."""
    places = ["--root", f"{directory}/root", "--runroot", f"{directory}/run", "--tmpdir", f"{directory}/tmp"]
    own = ["--cgroup-manager", "cgroupfs", "--events-backend", "file", "--storage-driver", "overlay"]
    return Engine("podman", ["podman", *places, *own], "conmon", LIMITS)


def proportional_set_size(program: str, containers: Sequence[str]) -> float:
    """Kilobytes of the processes of this program that look after these containers, per container."""
    total = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else [b""]
            if not os.path.basename(words[0]).decode().startswith(program):
                continue
            if any(name.encode() in b" ".join(words) for name in containers):
                for line in (entry / "smaps_rollup").read_text().splitlines():
                    total += int(line.split()[1]) if line.startswith("Pss:") else 0
    return total / len(containers)


def memory(engine: Engine) -> float:
    """Kilobytes that stay for each of five idle containers."""
    names = [
        engine("run", "-d", *engine.flags, "busybox", "sleep", "1000").strip().splitlines()[-1]
        for _ in range(5)
    ]
    time.sleep(1)
    size = proportional_set_size(engine.monitor, names)
    engine("rm", "-f", *names)
    return size


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cooper", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--containers", type=int, default=1000, help="how many `ps -a` lists (0: leave it out)"
    )
    parser.add_argument("--without", action="append", default=[], choices=["docker", "podman"])
    return parser.parse_args()


def image(directory: Path) -> Path:
    """The tar of a root file system that is one static busybox."""
    root = directory / "rootfs/bin"
    root.mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "busybox", root / "busybox")
    for name in ("true", "sleep"):
        (root / name).symlink_to("busybox")
    file = directory / "rootfs.tar"
    subprocess.run(["tar", "-C", directory / "rootfs", "-cf", file, "."], check=True)
    return file


def main() -> None:
    """Measures and prints Markdown."""
    arguments = parse_arguments()
    directory = Path(tempfile.mkdtemp(prefix="frontend-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        engines = [Engine("cooper", [arguments.cooper, "--root", f"{directory}/cooper"], "cooper-supervisor")]
        if "podman" not in arguments.without:
            engines.append(podman(directory))
        if "docker" not in arguments.without:
            (directory / "docker").mkdir()
            engines.append(stack.enter_context(docker(directory / "docker")))
        archive = image(directory)
        for engine in engines:
            engine("import", str(archive), "busybox")
            stack.callback(engine.remove_all)
        names = [engine.name for engine in engines]
        run: dict[str, list[float]] = {name: [] for name in names}
        listing: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(arguments.rounds):
            for engine in engines:
                run[engine.name].append(engine.timed("run", "--rm", *engine.flags, "busybox", "true"))
        stay = {engine.name: [memory(engine)] for engine in engines}
        for engine in engines if arguments.containers else []:
            for _ in range(arguments.containers):
                engine("create", *engine.flags, "busybox", "true")
        for _ in range(arguments.rounds if arguments.containers else 0):
            for engine in engines:
                listing[engine.name].append(engine.timed("ps", "-a"))
        rows = {"run --rm true": run, f"ps -a, {arguments.containers} containers": listing}
        print(table("command", rows, names, "ms"))
        print()
        print(table("stays for each container", {"PSS of the monitor": stay}, names, "kB"))


if __name__ == "__main__":
    main()
