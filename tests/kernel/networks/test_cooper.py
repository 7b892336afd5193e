"""Containers that run: `cooper run`, `cooper network` and `cooper port` on the host of these tests."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from .. import host
from .cooper import SERVER, Cooper
from .world import BEYOND, HOST, World, routes

AT_ONCE = 50
KILLED = 8


def test_a_server(world: World, cooper: Cooper) -> None:
    """A published server answers to the outside, to others by its name, and is gone with all its rules."""
    before = world.state()
    cooper.run(
        "-d", "--name", "web", "-p", "8080:80", "-p", "127.0.0.1::81/udp", "-P", "--expose", "82",
        "--network-alias", "www", command=SERVER
    )  # fmt: skip
    assert cooper.get(HOST, 8080).endswith(b"hello")
    lines = cooper("port", "web").splitlines()
    assert lines[:2] == ["80/tcp -> 0.0.0.0:8080", "80/tcp -> [::]:8080"]
    assert len(lines) == 5 and lines[2].startswith("81/udp -> 127.0.0.1:")
    assert lines[3].startswith("82/tcp -> 0.0.0.0:") and lines[4].startswith("82/tcp -> [::]:")
    assert cooper("port", "web", "80").splitlines() == ["0.0.0.0:8080", "[::]:8080"]
    assert cooper("ps", "--format", "{{.Ports}}").startswith("0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 127.0")
    shown = json.loads(cooper("inspect", "--format", "{{json .NetworkSettings.Ports}}", "web"))
    assert [each["HostIp"] for each in shown["80/tcp"]] == ["0.0.0.0", "::"]
    rules = world.host.run("nft", "list", "ruleset")
    world.host.run("nft", "flush", "ruleset")
    cooper("network", "reload")
    assert world.host.run("nft", "list", "ruleset") == rules
    for name in ("web", "www"):
        assert cooper.run("--rm", command=("wget", "-qO-", f"http://{name}/index.html")) == "hello"
    assert cooper.run("--rm", command=("ping", "-c1", "-W2", BEYOND)).count("1 packets received") == 1
    cooper("stop", "-t", "0", "web")
    assert world.outside.is_refused(HOST, 8080)
    cooper("start", "web")
    assert cooper.get(HOST, 8080).endswith(b"hello")
    cooper("rm", "-f", "web")
    cooper("network", "rm", "default")
    assert world.state() == before


def test_other_runtimes(world: World, cooper: Cooper, other_runtime: Path) -> None:
    """Networks are cooper's: on runc and crun several networks, names, published ports and removal are the same."""
    cooper.words[-1] = str(other_runtime)
    before = world.state()
    cooper("network", "create", "--subnet", "10.1.1.0/24", "--ipv6", "front")
    cooper.run(
        "-d", "--name", "web", "--network", "front", "--network", "default", "-p", "8080:80", command=SERVER
    )
    for _ in range(2):
        assert cooper.get(HOST, 8080).endswith(b"hello")
        addresses = cooper("exec", "web", "ip", "-o", "addr")
        assert "eth0    inet 10.1.1." in addresses and "eth1    inet 10.210.0." in addresses
        for network in ("front", "default"):
            asked = ("wget", "-qO-", "http://web/index.html")
            assert cooper.run("--rm", "--network", network, command=asked) == "hello"
        cooper("restart", "-t", "0", "web")
    cooper("rm", "-f", "web")
    cooper("network", "rm", "front", "default")
    assert world.state() == before


def test_fifty_at_once(world: World, cooper: Cooper) -> None:
    """Fifty concurrent runs have fifty addresses; of others that are killed meanwhile, none keeps its own."""
    before = world.state()
    program = ("sh", "-c", "ip -4 -o addr show eth0; cat")
    reading, writing = os.pipe()
    try:
        started = [
            cooper.start("-i", "--rm", command=program, stdin=reading) for _ in range(AT_ONCE + KILLED)
        ]
        killed = started[:: (AT_ONCE + KILLED) // KILLED][:KILLED]
        for number, process in enumerate(killed):
            while len(world.store.endpoints()) < number * 5:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
        others = [process for process in started if process not in killed]
        lines = [process.stdout.readline().decode() for process in others if process.stdout]
        addresses = {line.split("inet ")[1].split("/")[0] for line in lines}
        assert len(addresses) == AT_ONCE
        assert all(world.host.pings(address) for address in addresses)
    finally:
        os.close(reading)
        os.close(writing)
    results = [(process.communicate(timeout=60), process.returncode) for process in others]
    assert results == [((b"", b""), 0)] * AT_ONCE
    for process in killed:
        process.communicate()
    cooper.clear()
    assert world.state() == before


def test_the_servers_behind_a_stub(world: World, cooper: Cooper) -> None:
    """Where /etc has the stub of systemd-resolved, a container that it is of no use to gets the servers behind it."""
    cooper("network", "create", "-d", "macvlan", "-o", "parent=uplink", "--subnet", "192.0.2.0/24", "lan")
    stub = Path(world.settings.root) / "stub-resolv.conf"
    stub.write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n")
    with (
        host.mounted(Path("/run"), "-t", "tmpfs", "tmpfs"),
        host.mounted(Path("/etc/resolv.conf"), "--bind", stub),
    ):
        real = Path("/run/systemd/resolve/resolv.conf")
        real.parent.mkdir(parents=True)
        real.write_text("# by systemd-resolved\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch lan\n")
        assert cooper.run("--rm", "--network", "lan", command=("cat", "/etc/resolv.conf")).splitlines() == [
            "search lan", "nameserver 192.0.2.53", "nameserver 2001:db8::53",
        ]  # fmt: skip
        flags = ("--network", "lan", "--dns", "192.0.2.9", "--dns-search", ".")
        assert cooper.run("--rm", *flags, command=("cat", "/etc/resolv.conf")) == "nameserver 192.0.2.9"
        real.unlink()
        assert "nameserver" not in cooper.run("--rm", "--network", "lan", command=("cat", "/etc/resolv.conf"))


def test_files(cooper: Cooper) -> None:
    """/etc/hosts and /etc/resolv.conf say what the flags ask for."""
    cooper("network", "create", "--subnet", "10.1.1.0/24", "front")
    flags = ("--network", "front:ip=10.1.1.9", "--name", "web", "--hostname", "box", "--dns-search", "example.com",
             "--dns-option", "ndots:2", "--add-host", "db:10.9.9.9", "--add-host", "me:host-gateway")  # fmt: skip
    text = cooper.run("--rm", *flags, command=("cat", "/etc/hosts", "/etc/resolv.conf"))
    for line in (
        "10.1.1.9\tbox web",
        "10.9.9.9\tdb",
        "10.1.1.1\tme",
        "search example.com",
        "options ndots:2",
    ):
        assert line in text.splitlines(), text


def test_networks_of_a_running_container(cooper: Cooper) -> None:
    """`network connect` and `disconnect` count now and at the next start; `inspect` and `ls` show them."""
    cooper("network", "create", "--subnet", "10.1.1.0/24", "--label", "a=b", "one")
    two = cooper("network", "create", "--subnet", "10.1.2.0/24", "--ipv6", "--internal", "two")
    cooper.run("-d", "--name", "web", "--network", "one")
    cooper("network", "connect", "--ip", "10.1.2.7", "--alias", "www", "two", "web")
    assert "10.1.2.7" in cooper("exec", "web", "ip", "addr", "show", "eth1")
    assert "already" in cooper("network", "connect", "two", "web", status=1)
    shown = json.loads(cooper("network", "inspect", "two"))[0]
    assert [each["Aliases"] for each in shown["Containers"].values()] == [["www"]]
    assert (shown["Id"], shown["Internal"], shown["EnableIPv6"]) == (two, True, True)
    assert cooper("inspect", "--format", "{{.NetworkSettings.Networks.two.IPAddress}}", "web") == "10.1.2.7"
    cooper("network", "disconnect", "one", "web")
    cooper("restart", "-t", "0", "web")
    addresses = cooper("exec", "web", "ip", "addr")
    assert "10.1.2.7" in addresses and "10.1.1." not in addresses
    assert (
        cooper("network", "ls", "--filter", "label=a=b", "--format", "{{.Name}} {{.Subnets}}")
        == "one 10.1.1.0/24"
    )
    assert "in use by web" in cooper("network", "rm", "two", status=1)
    assert sorted(cooper("network", "prune", "--force").split()) == ["one"]


def test_lists_of_networks(cooper: Cooper) -> None:
    """`ls` has docker's columns, and rows for what `--network` takes besides; one filter of each key is enough."""
    for name, label in (("front", "a=1"), ("flat", "a=2"), ("six", "b=1")):
        cooper("network", "create", "--label", label, "--internal", name)

    def names(*filters: str) -> str:
        words = [f"--filter={text}" for text in filters]
        return cooper("network", "ls", "--format", "{{.Name}}", *words).replace("\n", " ")

    lines = cooper("network", "ls").splitlines()
    assert lines[0].split() == ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE", "SUBNETS"]
    assert [line.split()[1:4] for line in lines[1:]] == [
        ["front", "bridge", "local"], ["flat", "bridge", "local"], ["six", "bridge", "local"],
        ["host", "host", "local"], ["none", "null", "local"],
    ]  # fmt: skip
    for filters, found in (
        (("name=front", "name=flat"), "front flat"),
        (("name=f", "label=a"), "front flat"),
        (("label=a", "label=a=2"), "flat"),
        (("name=front", "driver=bridge", "driver=macvlan"), "front"),
        (("name=front", "label=b"), ""),
        (("type=builtin",), "host none"),
        (("scope=local", "type=custom"), "front flat six"),
        (("scope=swarm",), ""),
        (("driver=null", "driver=host"), "host none"),
        (("dangling=true", "until=0"), "front flat six"),
        (("until=1h",), "host none"),
    ):
        assert names(*filters) == found, filters
    assert "is none of name" in cooper("network", "ls", "--filter", "colour=red", status=125)
    assert json.loads(cooper("network", "inspect", "none"))[0]["Driver"] == "null"
    assert "cannot be removed" in cooper("network", "rm", "host", status=1)
    cooper("network", "prune", "--force", "--filter", "label=a=1", "--filter", "until=1h")
    assert names("type=custom") == "front flat six"
    assert cooper("network", "prune", "--force", "--filter", "label=a", "--filter", "name=l") == "flat"
    assert names("type=custom") == "front six"


def test_shared_namespaces(cooper: Cooper) -> None:
    """The host's, another container's, and none."""
    assert "uplink" in cooper.run("--rm", "--network", "host", command=("ip", "-o", "link"))
    cooper.run("-d", "--name", "web")
    own = cooper("exec", "web", "readlink", "/proc/self/ns/net")
    assert cooper.run("--rm", "--network", "container:web", command=("readlink", "/proc/self/ns/net")) == own
    alone = cooper.run("--rm", "--network", "none", command=("ip", "-o", "link"))
    assert [line.split(":")[1].strip() for line in alone.splitlines()] == ["lo"]


def test_errors_name_their_cause(cooper: Cooper) -> None:
    """In one line: the route that is in the way, the port that is taken, the network that is missing."""
    with routes("10.77.0.0/16 via 192.0.2.1"):
        message = cooper("network", "create", "--subnet", "10.77.1.0/24", "x", status=1)
    assert "10.77.1.0/24 overlaps a route of this host: 10.77.0.0/16 via 192.0.2.1 dev uplink" in message
    cooper.run("-d", "-p", "8080:80")
    cooper("network", "create", "--subnet", "10.1.1.0/24", "--ip-range", "10.1.1.8/31", "small")
    cooper.run("-d", "--name", "first", "--network", "small")
    cooper.run("-d", "--network", "small")
    for flags, text in (
        (("--network", "small"), "every address in 10.1.1.8/31 of network small is in use"),
        (("-p", "8080:81"), "8080:81/tcp: the port is in use"),
        (("--network", "nope"), "no network nope"),
    ):
        message = cooper("run", *flags, "--rootfs", str(cooper.rootfs), "true", status=125)
        assert text in message and message.count("\n") == 0, message
    cooper("rm", "-f", "first")
    assert "10.1.1.8/24" in cooper.run("--rm", "--network", "small", command=("ip", "addr", "show", "eth0"))
