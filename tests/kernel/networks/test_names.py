"""Containers of a network find each other by name, and the rest of the world as the host does."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cooper.networks import attach, names
from cooper.networks.requests import DNS, parse_networks

from .. import host
from .world import BEYOND, World, name_server

pytestmark = pytest.mark.skipif(not names.is_installed(), reason="aardvark-dns is not installed")


@contextlib.contextmanager
def host_resolver(world: World, text: str) -> Iterator[None]:
    """The host's resolv.conf has this text."""
    file = Path(world.settings.root) / "resolv.conf"
    file.write_text(text)
    with host.mounted(Path("/etc/resolv.conf"), "--bind", file):
        yield


def test_names_come_and_go(world: World) -> None:
    """Name, alias and id lead to the addresses on the common network, for as long as the container is there."""
    world.network("front", subnets=["10.1.1.0/24", "fd00:a::/64"])
    asker, attachment = world.container("asker", "front")
    assert "nameserver 10.1.1.1\n" in attachment.resolv_conf
    assert asker.look_up("10.1.1.1", "web") == []
    _, web = world.container("web", "front:alias=www")
    for name in ("web", "www", "WEB"):
        host.eventually(lambda name=name: asker.look_up("10.1.1.1", name) == ["10.1.1.3"], name)  # type: ignore[misc]
    assert asker.look_up("fd00:a::1", "www", 28) == [web.endpoints[0].addresses[1]]
    world.remove("web")
    host.eventually(lambda: asker.look_up("10.1.1.1", "web") == [], "web is forgotten")
    world.container("web", "front")
    host.eventually(lambda: asker.look_up("10.1.1.1", "web") == ["10.1.1.4"], "the new web is known")
    assert asker.look_up("10.1.1.1", "www") == []


def test_names_are_known_on_common_networks_only(world: World) -> None:
    """A container sees those on its networks: on all of them, whichever server it asks; others do not."""
    world.network("a", subnets=["10.1.1.0/24"])
    world.network("b", subnets=["10.1.2.0/24"])
    one, _ = world.container("one", "a")
    two, _ = world.container("two", "b")
    both, _ = world.container("both", "a", "b")
    host.eventually(lambda: one.look_up("10.1.1.1", "both") == ["10.1.1.3"], "one sees both")
    host.eventually(lambda: two.look_up("10.1.2.1", "both") == ["10.1.2.3"], "two sees both")
    assert both.look_up("10.1.1.1", "two") == ["10.1.2.2"]
    assert one.look_up("10.1.1.1", "two") == []
    attach.connect(world.database, world.settings, "one", parse_networks(["b"]).requests[0])
    host.eventually(lambda: one.look_up("10.1.1.1", "two") == ["10.1.2.2"], "one sees two")


def test_names_of_the_outside(world: World) -> None:
    """They are asked of the host's servers, on its loopback address too, or of those of `--dns`; never from inside."""
    listener, thread = name_server(world.host, "127.0.0.53", "192.0.2.77")
    other, second = name_server(world.outside, BEYOND, "192.0.2.88")
    try:
        with host_resolver(world, "nameserver 127.0.0.53\nsearch example.com\n"):
            world.network("inside", subnets=["10.1.1.0/24"], internal=True)
            plain, attachment = world.container("plain")
            assert attachment.resolv_conf == "search example.com\nnameserver 10.210.0.1\n"
            host.eventually(
                lambda: plain.look_up("10.210.0.1", "example.org") == ["192.0.2.77"], "host's server"
            )
            asked, _ = world.container("asked", dns=DNS([BEYOND]))
            host.eventually(lambda: asked.look_up("10.210.0.1", "example.org") == ["192.0.2.88"], "--dns")
            assert plain.look_up("10.210.0.1", "example.org") == ["192.0.2.77"]
            inside, _ = world.container("inside", "inside")
            host.eventually(lambda: inside.look_up("10.1.1.1", "inside") == ["10.1.1.2"], "its own name")
            assert inside.look_up("10.1.1.1", "example.org", seconds=0.3) == []
            world.clear()
    finally:
        for address, socket, server in (("127.0.0.53", listener, thread), (BEYOND, other, second)):
            with world.host.socket(2, 2) as client:
                client.sendto(b"", (address, 53))
            server.join()
            socket.close()


def test_a_container_that_is_a_name_server(world: World) -> None:
    """Port 53 of the host can be published, and its containers still find each other."""
    server, _ = world.container("server", ports=("53:53/udp",))
    asker, _ = world.container("asker")
    with server.listen(53, protocol="udp") as listener:
        world.outside.exchange("192.0.2.2", 53, listener)
        host.eventually(lambda: asker.look_up("10.210.0.1", "server") == ["10.210.0.2"], "names are answered")


def test_without_a_name_server(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers are told that they will not find each other, and ask the servers of the host."""
    monkeypatch.setattr(names, "DIRECTORIES", ())
    assert shutil.which("aardvark-dns") is None
    with host_resolver(world, "nameserver 127.0.0.53\nnameserver 192.0.2.53\n"):
        _, attachment = world.container("web")
    assert attachment.warnings == ["containers do not find each other by name: aardvark-dns is not installed"]
    assert attachment.resolv_conf == "nameserver 192.0.2.53\n"


def test_a_port_that_the_name_server_needs(world: World) -> None:
    """What else listens there is named as a warning, and the container still runs."""
    world.network("front", subnets=["10.1.1.0/24"])
    with world.host.listen(5533, "0.0.0.0", "udp"):
        _, attachment = world.container("web", "front")
        assert len(attachment.warnings) == 1
        assert "port 5533 of 10.1.1.1: Address already in use" in attachment.warnings[0]
