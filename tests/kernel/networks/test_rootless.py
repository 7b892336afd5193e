"""An ordinary user's container reaches the outside and is reached."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from socket import socket as Socket

import pytest

from cooper.errors import Conflict, Error
from cooper.networks import rootless
from cooper.networks.requests import parse_publish
from cooper.settings import Settings

from .. import host
from .test_names import host_resolver
from .world import BEYOND, HOST, OUTSIDE, SECONDS, Place, World

USER = 65534
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")


@pytest.fixture
def settings(world: World) -> Iterator[Settings]:
    """The user's directories, and a /dev/net/tun as it is on most machines."""
    if shutil.which("pasta") is None:
        pytest.skip("pasta is not installed")
    devices = Path(world.settings.root) / "net"
    devices.mkdir()
    os.mknod(devices / "tun", 0o020666, os.makedev(10, 200))
    (devices / "tun").chmod(0o666)
    for directory in (Path(world.settings.root).parent, Path(world.settings.root), devices):
        directory.chmod(0o755)
    run = Path(world.settings.root).parent / "user"
    (run / "pasta").mkdir(parents=True)
    for directory in (run, run / "pasta"):
        os.chown(directory, USER, USER)
    if not Path("/dev/net").exists():
        Path("/dev/net").mkdir()
    with host.mounted(Path("/dev/net"), "--bind", devices):
        made = Settings(str(run), str(run))
        yield made
        rootless.end(made, "web")


@pytest.fixture
def container(world: World) -> Iterator[int]:
    """A process of the user's in namespaces of its own."""
    words = [
        *AS_USER,
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "sh",
        "-c",
        "echo ready; exec sleep 1000",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        yield process.pid
        process.kill()


def run_hook(plan: rootless.Plan, pid: int) -> subprocess.CompletedProcess[str]:
    """The hook has run as the OCI runtime would run it, which is the user's."""
    state = json.dumps({"ociVersion": "1.3.0", "id": "web", "status": "creating", "pid": pid, "bundle": "/1"})
    words = [*AS_USER, plan.hook["path"], *plan.hook["args"][1:]]
    return subprocess.run(words, input=state, capture_output=True, text=True, check=False)


def ask(place: Place, address: str, port: int, listener: Socket) -> None:
    """A question is answered over TCP. It comes first: pasta of 2023 tells the container of a client when it speaks."""
    with place.connect(address, port) as client:
        client.sendall(b"question")
        server, _ = listener.accept()
        with server:
            server.settimeout(SECONDS)
            assert server.recv(100) == b"question"
            server.sendall(b"answer")
            assert client.recv(100) == b"answer"


def test_rootless(world: World, settings: Settings, container: int) -> None:
    """TCP and UDP out and in, from where it is published, and the port is free again when the container has ended."""
    with host_resolver(world, "nameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch example.com\n"):
        plan = rootless.plan(
            settings, "web", ["web"], parse_publish(["8080:80", f"{HOST}:5300:53/udp", "81"])
        )
    assert plan.resolv_conf == "search example.com\nnameserver 192.0.2.53\n"
    assert plan.ports[2].host_port > 1023
    done = run_hook(plan, container)
    assert done.returncode == 0, done.stderr
    web = Place(f"/proc/{container}/ns/net")
    with web.listen(80) as tcp, web.listen(53, protocol="udp") as udp, world.outside.listen(7) as out:
        assert web.talk(BEYOND, 7, out) == HOST
        ask(world.outside, HOST, 8080, tcp)
        world.outside.exchange(HOST, 5300, udp)
        ask(world.host, "127.0.0.1", 8080, tcp)
        assert world.host.is_refused("127.0.0.1", 5301)
    with pytest.raises(Conflict, match="8080"):
        rootless.plan(settings, "other", ["other"], parse_publish(["8080:80"]))
    rootless.end(settings, "web")
    rootless.end(settings, "web")
    assert world.outside.is_refused(HOST, 8080)
    assert os.listdir(f"{settings.run}/pasta") == []


def test_the_hosts_loopback_is_out_of_reach(world: World, settings: Settings, container: int) -> None:
    """What listens on 127.0.0.1 of the host is not reached by the gateway's address, nor by the container's own."""
    plan = rootless.plan(settings, "web", ["web"])
    assert run_hook(plan, container).returncode == 0
    web = Place(f"/proc/{container}/ns/net")
    with world.host.listen(9, "127.0.0.1"):
        for address in ("127.0.0.1", OUTSIDE, HOST):
            assert web.is_refused(address, 9)
    rootless.end(settings, "web")


def test_without_pasta(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named, with what to do."""
    monkeypatch.setattr(rootless, "find", lambda name: "")
    with pytest.raises(Error, match="need pasta .install passt"):
        rootless.plan(settings, "web", ["web"])
