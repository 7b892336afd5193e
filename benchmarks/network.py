"""Networks of cooper, podman and docker side by side: the time of a container on a bridge, throughput and latency.

    benchmarks/network.py [--runs N] [--seconds S] [ENGINE ...]

Runs as root, in network and mount namespaces of its own that play the host, with a second one for the outside. All
engines run the same busybox; each uses its own default runtime. Throughput is one TCP connection of a plain socket
each, latency the time of a byte to the other end and back.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cooper.networks.namespaces import Inside

INSIDE = "COOPER_BENCHMARK_INSIDE"
HOST, OUTSIDE = "192.0.2.2", "192.0.2.1"
CHUNK = bytes(1 << 18)
ROUND_TRIPS = 2000
WAIT_SECONDS = 30


def sh(script: str) -> str:
    """The output of a shell script, which must succeed."""
    done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script}: {done.stderr}")
    return done.stdout.strip()


class Engine:
    """A docker-like program with state of its own below a directory."""

    def __init__(self, name: str, directory: Path, rootfs: Path) -> None:
        self.name = name
        self.rootfs = rootfs
        self.daemon: subprocess.Popen[bytes] | None = None
        self.image = ["busybox"]
        flags: list[str] = []
        if name == "cooper":
            self.command = [str(Path(sys.executable).with_name("cooper")), f"--root={directory}/cooper"]
            self.image = ["--rootfs", str(rootfs)]
        elif name == "podman":
            self.command = ["podman", f"--root={directory}/podman", f"--runroot={directory}/podman-run"]
            self.command += [
                f"--tmpdir={directory}/podman-tmp",
                "--cgroup-manager=cgroupfs",
                "--storage-driver=vfs",
            ]
            flags = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--log-driver=k8s-file"]
        else:
            self.command = ["docker", f"--host=unix://{directory}/docker.sock"]
            words = [
                "dockerd", f"--data-root={directory}/docker", f"--exec-root={directory}/docker-run",
                f"--pidfile={directory}/docker.pid", f"--host=unix://{directory}/docker.sock",
                "--exec-opt=native.cgroupdriver=cgroupfs", "--storage-driver=vfs",
            ]  # fmt: skip
            log = (directory / "docker.log").open("wb")
            self.daemon = subprocess.Popen(words, stdout=log, stderr=log)
            deadline = time.monotonic() + WAIT_SECONDS
            while subprocess.run([*self.command, "version"], capture_output=True, check=False).returncode:
                if time.monotonic() > deadline or self.daemon.poll() is not None:
                    sys.exit(f"dockerd does not answer: {(directory / 'docker.log').read_text()[-1000:]}")
                time.sleep(0.05)
        self.flags = flags
        if name != "cooper":
            sh(f"tar -C {rootfs} -c . | {' '.join(self.command)} import - busybox >/dev/null")

    def __call__(self, *words: str) -> str:
        """A command's output."""
        done = subprocess.run([*self.command, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{self.name} {' '.join(words)}: {done.stderr}")
        return done.stdout.strip()

    def run_seconds(self, *flags: str) -> float:
        """How long a container takes that does nothing and is removed."""
        started = time.perf_counter()
        self("run", "--rm", *self.flags, *flags, *self.image, "true")
        return time.perf_counter() - started

    def start(self, *flags: str) -> str:
        """A container that sleeps; returns the path of its network namespace."""
        container = self("run", "-d", *self.flags, *flags, *self.image, "sleep", "1000").splitlines()[-1]
        pid = self("inspect", "--format", "{{.State.Pid}}", container)
        return f"/proc/{pid}/ns/net"

    def close(self) -> None:
        """Its containers and its daemon are gone."""
        for container in self("ps", "-aq").split():
            subprocess.run([*self.command, "rm", "-f", container], capture_output=True, check=False)
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait()


def address_of(namespace: str) -> str:
    """The IPv4 address of eth0."""
    with Inside(namespace):
        return sh("ip -4 -o addr show eth0 | awk '{print $4}' | cut -d/ -f1")


def connection(
    server: str, client: str, address: str, port: int, listen: int
) -> tuple[socket.socket, socket.socket]:
    """A TCP connection from a namespace to an address, and its other end; "" is this one."""

    def placed(namespace: str, work: Callable[[], socket.socket]) -> socket.socket:
        if not namespace:
            return work()
        with Inside(namespace):
            return work()

    listener = placed(server, lambda: socket.create_server(("0.0.0.0", listen)))
    with listener:
        near = placed(client, lambda: socket.create_connection((address, port), 5))
        far, _ = listener.accept()
    for each in (near, far):
        each.settimeout(10)
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def measure(near: socket.socket, far: socket.socket, seconds: float) -> tuple[float, float]:
    """Gbit/s from near to far, and the median round trip in µs."""

    def echo() -> None:
        for _ in range(ROUND_TRIPS):
            far.sendall(far.recv(1))

    thread = threading.Thread(target=echo)
    thread.start()
    trips = []
    for _ in range(ROUND_TRIPS):
        started = time.perf_counter()
        near.sendall(b"x")
        near.recv(1)
        trips.append(time.perf_counter() - started)
    thread.join()
    received = 0

    def drain() -> None:
        nonlocal received
        buffer = bytearray(1 << 20)
        while count := far.recv_into(buffer):
            received += count

    thread = threading.Thread(target=drain)
    thread.start()
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        near.sendall(CHUNK)
    near.shutdown(socket.SHUT_WR)
    thread.join()
    spent = time.perf_counter() - started
    return received * 8 / spent / 1e9, statistics.median(trips) * 1e6


def paths(engine: Engine, outside: str, seconds: float) -> dict[str, tuple[float, float]]:
    """Path -> Gbit/s and µs."""
    web = engine.start("-p", "8080:80")
    other = engine.start()
    inside = address_of(web)
    found = {}
    for name, client, address, port in (
        ("host to container", "", inside, 80),
        ("container to container", other, inside, 80),
        ("outside to published port", outside, HOST, 8080),
        ("127.0.0.1 to published port", "", "127.0.0.1", 8080),
        ("::1 to published port", "", "::1", 8080),
    ):
        try:
            near, far = connection(web, client, address, port, 80)
        except OSError:
            found[name] = (0.0, 0.0)  # it cannot
            continue
        with near, far:
            found[name] = measure(near, far, seconds)
    near, far = connection("", web, HOST, 7007, 7007)
    with near, far:
        found["container to host"] = measure(near, far, seconds)
    return found


def world(directory: Path) -> str:
    """This network namespace is a host with an uplink; returns the path of the outside's."""
    sh(
        f"mount -t tmpfs none /run; mkdir /run/netns; ip link set lo up; ip netns add outside;"
        f"ip link add uplink type veth peer name eth0 netns outside; ip addr add {HOST}/24 dev uplink;"
        f"ip link set uplink up; ip route add default via {OUTSIDE}; ip -n outside addr add {OUTSIDE}/24 dev eth0;"
        f"ip -n outside link set eth0 up; ip -n outside link set lo up; sysctl -qw net.ipv4.ip_forward=1"
    )
    return "/run/netns/outside"


def make_rootfs(directory: Path) -> Path:
    """A root file system of busybox."""
    rootfs = directory / "rootfs"
    for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp"):
        (rootfs / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or sys.exit("busybox is not installed"), rootfs / "bin/busybox")
    for name in ("true", "sleep", "sh"):
        (rootfs / "bin" / name).symlink_to("busybox")
    return rootfs


def main() -> None:
    """Tables on standard output."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engines", nargs="*", metavar="ENGINE", default=["podman", "docker", "cooper"])
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=1.0)
    given = parser.parse_args()
    if not os.environ.get(INSIDE):
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv])
    with tempfile.TemporaryDirectory(prefix="networks-") as text:
        directory = Path(text)
        outside, rootfs = world(directory), make_rootfs(directory)
        results, times = {}, {}
        for name in given.engines:
            engine = Engine(name, directory, rootfs)
            try:
                network = [engine.run_seconds() for _ in range(given.runs)]
                port = [engine.run_seconds("-p", "8080:80") for _ in range(given.runs)]
                alone = [engine.run_seconds("--network", "none") for _ in range(given.runs)]
                times[name] = [statistics.median(each) * 1e3 for each in (alone, network, port)]
                results[name] = paths(engine, outside, given.seconds)
            finally:
                engine.close()
        sh(f"umount -R {directory}/* 2>/dev/null || true")
        print("ms, median of run --rm: without a network, on a bridge, with a published port")
        for name, values in times.items():
            print(f"  {name:8}" + "".join(f"{value:9.0f}" for value in values))
        print("Gbit/s and µs per round trip")
        for path in next(iter(results.values())):
            cells = [f"{results[name][path][0]:7.1f} {results[name][path][1]:6.0f}" for name in results]
            print(f"  {path:30}" + "   ".join(cells))


if __name__ == "__main__":
    main()
