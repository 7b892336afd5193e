"""The host's own firewall has the last word, and where it stands in the way that is said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cooper.networks import firewall, iptables, manage, programs

from .world import BEYOND, HOST, HOST6, OUTSIDE, World, processes

INPUT_POLICY = """
table inet filter {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iifname "lo" accept
        icmp type echo-request accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
    }
}
"""
FORWARD_POLICY = """
table inet filter {
    chain forward { type filter hook forward priority filter; policy drop; }
}
"""


def load(world: World, rules: str) -> None:
    """The host's administrator loads rules."""
    status, _, errors = programs.run(programs.find("nft"), ["-f", "-"], rules)
    assert status == 0, errors


def test_a_published_port_does_not_walk_around_the_input_chain(world: World) -> None:
    """Where the host drops what comes in, a published port is open from outside when the host's rules say so."""
    load(world, INPUT_POLICY)
    web, _ = world.container("web", ports=("8080:80",))
    other, _ = world.container("other")
    with web.listen(80) as listener:
        for address in (HOST, HOST6):
            assert world.outside.is_refused(address, 8080)
        other.talk(HOST, 8080, listener)
        world.host.talk("127.0.0.1", 8080, listener)
        world.host.run("nft", "add", "rule", "inet", "filter", "input", "tcp", "dport", "8080", "accept")
        for address in (HOST, HOST6):
            assert world.outside.talk(address, 8080, listener) == "10.210.0.1"
    # The rules of a host that filters no more forward again, and the container sees who asks.
    world.host.run("nft", "delete", "table", "inet", "filter")
    manage.reload(world.database, world.settings)
    with web.listen(80) as listener:
        assert world.outside.talk(HOST, 8080, listener) == OUTSIDE


def test_a_published_port_does_not_walk_around_the_forward_chain(world: World) -> None:
    """A policy that drops is named with its cure, and obeyed; the cure works."""
    load(world, FORWARD_POLICY)
    (warning,) = world.network("front")
    assert (
        "the chain inet filter forward of this host drops what is forwarded: containers on front" in warning
    )
    web, _ = world.container("web", "front", ports=("8080:80",))
    with web.listen(80) as listener:
        assert world.outside.is_refused(HOST, 8080)
        assert not web.pings(BEYOND, 0.3)
        for command in warning.rpartition("(")[2].rstrip(")").split("; "):
            world.host.run(*command.split())
        assert web.pings(BEYOND)
        assert world.outside.talk(HOST, 8080, listener) == OUTSIDE


DOCKER = ("-N DOCKER-USER", "-A DOCKER-USER -j RETURN", "-A FORWARD -j DOCKER-USER", "-P FORWARD DROP")


def test_docker_that_comes_later(world: World) -> None:
    """What it has closed `network reload` opens."""
    web, _ = world.container("web")
    for command in DOCKER:
        world.host.run("iptables", *command.split())
    assert not web.pings(BEYOND, 0.3)
    assert manage.reload(world.database, world.settings) == []
    assert web.pings(BEYOND)


def test_dockers_policy(world: World) -> None:
    """Docker drops what is forwarded and leaves a chain to others: we use it, and leave it as it was."""
    for command in DOCKER:
        world.host.run("iptables", *command.split())
    before = world.state()
    assert world.network("front") == []
    web, _ = world.container("web", "front", ports=("8080:80",))
    neighbour, _ = world.container("neighbour", "front")
    with web.listen(80) as listener:
        assert web.pings(BEYOND)
        assert world.outside.talk(HOST, 8080, listener) == OUTSIDE
        neighbour.talk("10.210.0.2", 80, listener)
    world.clear()
    assert world.state() == before


@pytest.fixture(autouse=True)
def flushed(world: World) -> Iterator[None]:
    """The rules that the tests load for the host are gone in the end, and the tables that iptables makes."""
    yield
    world.clear()
    ours = world.host.run("nft", "list", "ruleset")
    world.host.run("nft", "flush", "ruleset")
    assert "cooper" not in ours.lower()


@pytest.fixture
def without_nft(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A host where nft is not installed."""

    def find(name: str, more: tuple[str, ...] = ()) -> str:
        return "" if name == "nft" else programs.find(name, more)

    for module in (firewall, iptables):
        monkeypatch.setattr(module, "find", find)
    return world


def test_iptables(without_nft: World) -> None:
    """Without nftables the same holds: outside, published ports, separation, internal networks; and all is removed."""
    world = without_nft
    before = world.host.run("iptables-save"), world.host.run("ip6tables-save")
    world.network("front", subnets=["10.1.1.0/24", "fd00:a::/64"])
    world.network("inside", subnets=["10.1.2.0/24"], internal=True)
    web, one = world.container("web", "front", ports=("8080:80", f"{HOST}:5300:53/udp"))
    neighbour, _ = world.container("neighbour", "front")
    inside, two = world.container("inside", "inside")
    with web.listen(80) as tcp, web.listen(53, protocol="udp") as udp, world.outside.listen(7) as out:
        assert web.talk(BEYOND, 7, out) == HOST
        assert world.outside.talk(HOST, 8080, tcp) == OUTSIDE
        world.outside.talk(HOST6, 8080, tcp)
        world.outside.exchange(HOST, 5300, udp)
        for place in (world.host, web, neighbour):
            place.talk(HOST, 8080, tcp)
        world.host.talk("127.0.0.1", 8080, tcp)
        world.host.talk("::1", 8080, tcp)
        neighbour.talk("10.1.1.2", 80, tcp)
        assert inside.is_refused("10.1.1.2", 80)
        assert inside.is_refused(HOST, 8080)
        assert inside.is_refused(OUTSIDE, 7)
        world.outside.run("ip", "route", "add", "10.1.1.0/24", "via", HOST)
        assert world.outside.is_refused("10.1.1.2", 80)
    world.clear()
    assert processes(world.settings) == []
    policies = world.host.run("iptables-save"), world.host.run("ip6tables-save")
    for was, text in zip(before, policies, strict=True):
        rules = [line for line in text.splitlines() if line.startswith("-") or "COOPER" in line]
        assert rules == [line for line in was.splitlines() if line.startswith("-")]


def test_iptables_sees_policies(without_nft: World) -> None:
    """The built-in chains are looked at as nftables' base chains are."""
    assert {str(chain) for chain in firewall.foreign_chains()} == {
        "ip filter INPUT", "ip filter FORWARD", "ip6 filter INPUT", "ip6 filter FORWARD",
    }  # fmt: skip
