"""Networks and containers come and go, and so does everything that was made for them."""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

import cooper
import ocispec
from cooper.errors import Conflict, NotFound, UsageError
from cooper.networks import attach, firewall, manage, names, namespaces, netlink, programs, proxy
from cooper.networks import processes as helpers
from cooper.networks.drivers import NoDriver
from cooper.networks.requests import parse_networks
from cooper.state.database import Database, connect

from .. import host
from .world import HOST, HOST6, OUTSIDE, Place, World, batch, processes, routes


def test_a_container_leaves_nothing(world: World) -> None:
    """After the container and its network are removed the host is as it was, to the last rule and address."""
    before = world.state()
    world.network("front", ipv6=True, labels={"a": "b"})
    quiet = world.state()
    world.container("web", "front", "default", ports=("8080:80", "53:53/udp"))
    host.eventually(lambda: sorted(processes(world.settings)) == ["aardvark-dns", "cooper-proxy"], "they run")
    world.remove("web")
    manage.remove(world.database, world.settings, "default")
    after = world.state()
    for volatile in ("rows",):  # the address given out last
        quiet.pop(volatile), after.pop(volatile)
    assert after == quiet
    manage.remove(world.database, world.settings, "front")
    assert world.state() == before


def test_connecting_imports_little(world: World) -> None:
    """What comes with every container costs as little as it can: no pyroute2, nor what slows commands down."""
    world.network("front", ipv6=True)
    roots = [str(Path(module.__file__ or "").parents[1]) for module in (cooper, ocispec)]
    roots.append(sysconfig.get_path("platlib"))
    program = f"""
import sys
sys.path[:0] = {roots!r}
from cooper.settings import Settings
from cooper.state.database import connect
from cooper.networks import attach, namespaces
from cooper.networks.requests import parse_networks, parse_publish
settings = Settings({world.settings.root!r}, {world.settings.run!r})
database = connect(settings)
namespace = namespaces.create(settings, "web")
requests = parse_networks(["front"]).requests
attach.attach(database, settings, "web", "web", namespace, requests, parse_publish(["8080:80"]))
attach.detach(database, settings, "web")
print(*sys.modules)
"""
    loaded = set(world.host.run(sys.executable, "-I", "-S", "-c", program).split())
    heavy = (
        "pyroute2 os re json socket subprocess typing enum logging ctypes ipaddress cooper.networks.manage"
    )
    assert "cooper.networks.links" in loaded
    assert not loaded.intersection(heavy.split())


def test_a_failed_attach_leaves_nothing(world: World) -> None:
    """Whatever fails, and however late."""
    world.network("front")
    before = world.state()
    with world.host.listen(8081, "0.0.0.0"), pytest.raises(Conflict, match="8081"):
        world.container("web", "front", ports=("8080:80", "8081:81"))
    with pytest.raises(NotFound, match="no network back"):
        world.container("web", "front", "back")
    with pytest.raises(Conflict, match="is no address for a container on network front"):
        world.container("web", "front:ip=10.9.9.9")
    with pytest.raises(Conflict, match="no IPv6 subnet"):
        world.container("web", "front:ip6=fd00::9")
    world.host.run("nft", "add", "table", "inet", "x")
    world.host.run("nft", "delete", "table", "inet", "x")
    after = world.state()
    before.pop("rows"), after.pop("rows")
    assert after == before


def test_addresses_and_names_are_unique(world: World) -> None:
    """An address that was asked for goes to one container only; a network's name to one network."""
    world.network("front", subnets=["10.1.1.0/24"], ranges=["10.1.1.128/25"])
    _, web = world.container("web", "front:ip=10.1.1.5,mac=02:00:00:00:00:99")
    assert (web.endpoints[0].addresses, web.endpoints[0].mac) == (("10.1.1.5",), "02:00:00:00:00:99")
    with pytest.raises(Conflict, match=r"10.1.1.5 of network front is in use by web"):
        world.container("other", "front:ip=10.1.1.5")
    _, other = world.container("other", "front")
    assert other.endpoints[0].addresses == ("10.1.1.128",)
    with pytest.raises(Conflict, match="exists already"):
        world.network("front")
    with pytest.raises(Conflict, match="in use by web, other"):
        manage.remove(world.database, world.settings, "front")
    manage.remove(world.database, world.settings, "front", force=True)
    assert world.store.endpoints() == []


@pytest.mark.parametrize(
    ("properties", "error", "message"),
    [
        ({"subnets": ["192.0.2.128/25"]}, Conflict, r"route of this host: 192.0.2.0/24 dev uplink"),
        ({"subnets": ["10.77.1.0/24"]}, Conflict, r"10.77.0.0/16 via 192.0.2.1 dev uplink table 77"),
        ({"subnets": ["10.1.1.0/31"]}, UsageError, "no room"),
        ({"subnets": ["10.1.1.0/24"], "gateways": ["10.1.2.1"]}, UsageError, "none of the network's subnets"),
        ({"subnets": ["10.1.1.0/24"], "ranges": ["10.1.2.0/25"]}, UsageError, "none of the network's subnets"),
        ({"subnets": ["10.1.1.0/24", "10.1.2.0/24"]}, UsageError, "at most one subnet"),
        ({"subnets": ["10.1.1.0"]}, UsageError, "is not a subnet"),
        ({"driver": "overlay"}, NoDriver, "no network driver overlay"),
        ({"driver": "macvlan"}, UsageError, "needs the subnet"),
        ({"driver": "macvlan", "subnets": ["10.1.1.0/24"], "options": {"parent": "nope"}}, UsageError, "no interface nope"),
        ({"options": {"mtu": "12"}}, UsageError, "mtu=12"),
    ],
)  # fmt: skip
def test_networks_that_cannot_be(
    world: World, properties: dict[str, object], error: type[Exception], message: str
) -> None:
    """The reason is named, and nothing is left."""
    with routes("10.77.0.0/16 via 192.0.2.1 table 77"), pytest.raises(error, match=message):
        world.network("front", **properties)
    assert world.store.networks() == []


def test_the_subnet_is_one_that_the_host_does_not_use(world: World) -> None:
    """Routes of any table are looked at, and the other networks."""
    with routes("10.210.0.0/24 via 192.0.2.1", "blackhole 10.210.1.0/24 table 5"):
        world.network("one")
        world.network("two")
    assert [str(each.subnets[0].subnet) for each in world.store.networks()] == [
        "10.210.2.0/24",
        "10.210.3.0/24",
    ]


STEPS: tuple[tuple[object, str], ...] = (
    (Database, "execute"),
    (netlink.Netlink, "send"),
    (programs, "run"),
    (proxy, "start"),
    (proxy, "reserve"),
    (names, "update"),
    (firewall, "apply"),
    (namespaces.Inside, "__exit__"),
    (helpers, "end_known"),
)


def die_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is killed before or after (odd numbers) some call that changes something."""
    count = 0

    def counting(function: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*words: object, **named: object) -> object:
            nonlocal count
            try:
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                count += 1
                return function(*words, **named)
            finally:
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                count += 1

        return wrapper

    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, counting(getattr(owner, name)))
    for module in (firewall, names):
        monkeypatch.setattr(module, "run", programs.run)


def steps_until_done(work: Callable[[], None], check: Callable[[], None]) -> int:
    """The work is done in children that are killed at each of its steps, until one gets through; returns how many."""
    for step in range(1000):
        child = os.fork()
        if not child:
            status = 1
            try:
                with pytest.MonkeyPatch.context() as monkeypatch:
                    die_at(step, monkeypatch)
                    work()
                    os._exit(0)
            finally:
                os._exit(status)
        status = host.exit_code(child)
        assert status in (0, -signal.SIGKILL)
        check()
        if status == 0:
            return step
    raise AssertionError("it never got through")


def test_killed_while_connecting(world: World) -> None:
    """Killed at any step, the next command leaves nothing of the container: links, rules, leases, processes."""
    world.network("front", ipv6=True)
    before = world.state()
    before.pop("rows")

    def work() -> None:
        world.database = connect(world.settings)
        world.container("web", "front", ports=("8080:80",))

    def check() -> None:
        world.remove("web")
        after = world.state()
        after.pop("rows")
        assert after == before
        assert world.store.endpoints() == [] and world.store.ports() == []

    assert steps_until_done(work, check) > 30


def test_killed_while_disconnecting(world: World) -> None:
    """Killed at any step, `rm` finishes when it is called again."""
    world.network("front", ipv6=True)
    before = world.state()
    before.pop("rows")
    world.container("web", "front", ports=("8080:80",))

    def work() -> None:
        world.database = connect(world.settings)
        world.remove("web")

    def check() -> None:
        world.remove("web")
        after = world.state()
        after.pop("rows")
        assert after == before
        world.container("web", "front", ports=("8080:80",))

    assert steps_until_done(work, check) > 15


def test_killed_while_making_a_network(world: World) -> None:
    """Killed at any step, the network can be removed, or used."""
    before = world.state()

    def work() -> None:
        world.database = connect(world.settings)
        world.network("front", ipv6=True)

    def check() -> None:
        if world.store.networks():
            world.container("web", "front")
            assert world.host.pings(world.store.endpoints()[0].addresses[0])
            world.remove("web")
            manage.remove(world.database, world.settings, "front")
        assert world.state() == before

    assert steps_until_done(work, check) > 5


def test_after_a_reboot(world: World) -> None:
    """Of what a reboot has taken the networks are made again when they are used, and old containers are forgotten."""
    world.container("old", ports=("8080:80",))
    known = world.store.container("old")
    assert known is not None
    os.kill(int(known.proxy.split()[0]), signal.SIGKILL)
    batch("link del cooper0")
    world.host.run("nft", "flush", "ruleset")
    attach.reconcile(world.database, world.settings, lambda: [])
    assert (world.store.endpoints(), namespaces.list_all(world.settings)) == ([], [])
    web, _ = world.container("web", ports=("8080:80",))
    with web.listen(80) as listener:
        assert world.outside.talk(HOST, 8080, listener) == OUTSIDE


def test_a_killed_proxy_is_replaced(world: World) -> None:
    """The ports of a living container are held again."""
    web, _ = world.container("web", ports=("8080:80",))
    known = world.store.container("web")
    assert known is not None
    helpers.end_known(known.proxy)
    with web.listen(80) as listener:
        assert world.host.is_refused("::1", 8080)
        attach.reconcile(world.database, world.settings, lambda: ["web"])
        world.host.talk("::1", 8080, listener)


def test_rules_that_a_firewall_has_flushed(world: World) -> None:
    """`network reload` puts them back, as does the next container; until then the proxy serves published ports."""
    web, _ = world.container("web", ports=("8080:80",))
    rules = world.host.run("nft", "list", "ruleset")
    with web.listen(80) as listener:
        for repair in (
            lambda: manage.reload(world.database, world.settings),
            lambda: world.container("next"),
        ):
            world.host.run("nft", "flush", "ruleset")
            assert world.outside.talk(HOST, 8080, listener) == "10.210.0.1"
            repair()
            assert world.host.run("nft", "list", "ruleset") == rules
            assert world.outside.talk(HOST, 8080, listener) == OUTSIDE


def test_connect_and_disconnect(world: World) -> None:
    """A running container joins a network and leaves it; its published ports lead to a network that it is on."""
    world.network("one", subnets=["10.1.1.0/24"])
    world.network("two", subnets=["10.1.2.0/24"], ipv6=True)
    web, _ = world.container("web", "one", ports=("8080:80",))
    request = parse_networks(["two:alias=www"]).requests[0]
    endpoint = attach.connect(world.database, world.settings, "web", request)
    assert (endpoint.interface, endpoint.addresses[0]) == ("eth1", "10.1.2.2")
    with pytest.raises(Conflict, match="is on network two already"):
        attach.connect(world.database, world.settings, "web", request)
    neighbour, _ = world.container("neighbour", "two")
    with web.listen(80) as listener:
        for address in endpoint.addresses:
            neighbour.talk(address, 80, listener)
        attach.disconnect(world.database, world.settings, "web", "one")
        assert "eth0" not in web.run("ip", "-br", "link")
        assert world.outside.talk(HOST, 8080, listener) != ""
        assert world.outside.talk(HOST6, 8080, listener) != ""
    with pytest.raises(Conflict, match="not on network one"):
        attach.disconnect(world.database, world.settings, "web", "one")
    with pytest.raises(Conflict, match="does not run"):
        attach.connect(world.database, world.settings, "nobody", request)


def test_prune_and_inspect(world: World) -> None:
    """Networks without containers are removed, or those of them that are named; inspect shows docker's fields."""
    world.network("used", subnets=["10.1.1.0/24"], ranges=["10.1.1.0/25"], labels={"a": "1"}, internal=True)
    world.network("labelled", labels={"a": "1"})
    world.network("plain")
    _, attachment = world.container("web", "used:alias=www")
    shown = manage.inspect(world.store, "used")
    assert shown["IPAM"] == {
        "Config": [{"Subnet": "10.1.1.0/24", "Gateway": "10.1.1.1", "IPRange": "10.1.1.0/25"}]
    }
    assert (shown["Internal"], shown["Labels"], shown["Driver"]) == (True, {"a": "1"}, "bridge")
    endpoint = shown["Containers"]["web"]
    assert (endpoint["Name"], endpoint["IPv4Address"], endpoint["Aliases"]) == ("web", "10.1.1.2/24", ["www"])
    assert endpoint["MacAddress"] == attachment.endpoints[0].mac
    assert manage.prune(world.database, world.settings, [world.store.network("labelled").id]) == ["labelled"]
    assert manage.prune(world.database, world.settings) == ["plain"]
    assert manage.prune(world.database, world.settings) == []


def test_networks_are_found_by_the_beginning_of_their_id(world: World) -> None:
    """As docker's are."""
    world.network("front")
    network = world.store.network("front")
    assert world.store.network(network.id[:6]).name == "front"
    with pytest.raises(UsageError, match="asked for twice"):
        world.container("web", "front", network.id)


def test_a_namespace_is_a_fresh_one(world: World) -> None:
    """It has a loopback interface that is up, and a second `create` replaces what a killed one left."""
    for _ in range(2):
        place = Place(namespaces.create(world.settings, "c"))
        assert place.run("ip", "-br", "link").split()[:2] == ["lo", "UNKNOWN"]
        assert place.pings("127.0.0.1")
    namespaces.remove(world.settings, "c")
    namespaces.remove(world.settings, "c")
    assert not os.path.exists(place.path)
