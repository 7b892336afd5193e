"""The host, the outside, and containers: each is a network namespace, and each socket is made where it belongs.

::

    container 10.210.0.2 --- cooper0 | host | 192.0.2.2 --- 192.0.2.1 outside (and 198.51.100.1, beyond it)
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from socket import socket as Socket

from cooper.networks import attach, manage, namespaces
from cooper.networks.namespaces import Inside
from cooper.networks.requests import DNS, parse_networks, parse_publish
from cooper.networks.store import Store
from cooper.settings import Settings
from cooper.state.database import connect

from .. import host

HOST, HOST6 = "192.0.2.2", "2001:db8::2"
OUTSIDE, OUTSIDE6 = "192.0.2.1", "2001:db8::1"
BEYOND, BEYOND6 = "198.51.100.1", "2001:db8:1::1"
MAC, OUTSIDE_MAC = "02:00:00:00:00:02", "02:00:00:00:00:01"
SECONDS = 5
# How long is waited for what must not come: nothing here is further away than a few microseconds.
REFUSED_SECONDS = 0.3


class Place:
    """A network namespace, by its path."""

    def __init__(self, path: str) -> None:
        self.path = path

    def socket(self, family: int, kind: int, protocol: int = 0) -> Socket:
        """A socket of this place."""
        with Inside(self.path):
            made = socket.socket(family, kind, protocol)
        made.settimeout(SECONDS)
        return made

    def run(self, *words: str) -> str:
        """A command's output; it must succeed."""
        with Inside(self.path):
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def listen(self, port: int, address: str = "", protocol: str = "tcp") -> Socket:
        """A socket bound to the port, of both families without an address."""
        family = socket.AF_INET if address and ":" not in address else socket.AF_INET6
        made = self.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((address, port))
            if protocol == "tcp":
                made.listen()
        except BaseException:
            made.close()
            raise
        return made

    def get(self, address: str, port: int) -> bytes:
        """The page of a SERVER, which answers after a while."""

        def ask() -> bytes:
            try:
                with self.connect(address, port) as client:
                    client.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
                    return b"".join(iter(lambda: client.recv(1000), b""))
            except OSError:
                return b""

        host.eventually(ask, "the server answers")
        return ask()

    def connect(self, address: str, port: int, seconds: float = SECONDS) -> Socket:
        """A TCP connection."""
        made = self.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(seconds)
        try:
            made.connect((address, port))
        except BaseException:
            made.close()
            raise
        made.settimeout(SECONDS)
        return made

    def talk(self, address: str, port: int, listener: Socket) -> str:
        """Words go both ways over TCP; returns the address that the listener saw."""
        with self.connect(address, port) as client:
            server, peer = listener.accept()
            with server:
                server.settimeout(SECONDS)
                client.sendall(b"question")
                assert server.recv(100) == b"question"
                server.sendall(b"answer")
                assert client.recv(100) == b"answer"
                client.shutdown(socket.SHUT_WR)
                assert server.recv(100) == b""
        return plain(peer[0])

    def exchange(self, address: str, port: int, listener: Socket) -> str:
        """A datagram goes there and another back, from the address that it was sent to; as `talk`."""
        with self.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((address, port))
            client.send(b"question")
            data, peer = listener.recvfrom(100)
            assert data == b"question"
            listener.sendto(b"answer", peer)
            assert client.recv(100) == b"answer"
        return plain(peer[0])

    def is_refused(self, address: str, port: int) -> bool:
        """Whether no TCP connection is made."""
        try:
            self.connect(address, port, REFUSED_SECONDS).close()
        except OSError:
            return True
        return False

    def pings(self, address: str, seconds: float = SECONDS) -> bool:
        """Whether an echo request is answered (RFC 792, RFC 4443)."""
        six = ":" in address
        protocol = socket.getprotobyname("ipv6-icmp") if six else socket.IPPROTO_ICMP
        with self.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, protocol) as raw:
            raw.settimeout(seconds)
            kind, answer = (128, 129) if six else (8, 0)
            header = struct.pack("!BBHHH", kind, 0, 0, 7, 1)
            checksum = 0 if six else 0xFFFF - sum(struct.unpack("!4H", header)) % 0xFFFF
            try:
                raw.sendto(struct.pack("!BBHHH", kind, 0, checksum, 7, 1), (address, 0))
                while True:
                    data = raw.recv(2000)
                    if data[0 if six else (data[0] & 15) * 4] == answer:
                        return True
            except OSError:
                return False

    def look_up(self, server: str, name: str, kind: int = 1, seconds: float = 1) -> list[str]:
        """The addresses that a name server gives (RFC 1035): of kind A (1) or AAAA (28)."""
        with self.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(seconds)
            labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
            client.connect((server, 53))
            client.send(struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1))
            try:
                data = client.recv(1500)
            except OSError:
                return []
        found, at = [], 12 + len(labels) + 5
        for _ in range(struct.unpack("!H", data[6:8])[0]):
            at = at + 2 if data[at] & 0xC0 else data.index(b"\0", at) + 1
            record, _, _, length = struct.unpack("!HHIH", data[at : at + 10])
            at += 10
            if record in (1, 28):
                family = socket.AF_INET if record == 1 else socket.AF_INET6
                found.append(socket.inet_ntop(family, data[at : at + length]))
            at += length
        return found


class World:
    """The host with cooper's state, and the outside. The test's own thread is on the host."""

    def __init__(self, directory: Path, host: str, outside: str) -> None:
        self.settings = Settings(str(directory / "root"), str(directory / "run"))
        self.database = connect(self.settings)
        self.store = Store(self.database, self.settings)
        self.host = Place(host)
        self.outside = Place(outside)

    def container(
        self, name: str, *networks: str, ports: tuple[str, ...] = (), dns: DNS | None = None
    ) -> tuple[Place, attach.Attachment]:
        """A container without processes, on the networks (as `--network` has them), with its ports published."""
        namespace = namespaces.create(self.settings, name)
        try:
            attachment = attach.attach(
                self.database, self.settings, name, name, namespace, parse_networks(networks).requests,
                parse_publish(ports), dns,
            )  # fmt: skip
        except BaseException:
            namespaces.remove(self.settings, name)
            raise
        return Place(namespace), attachment

    def network(self, name: str, **properties: object) -> list[str]:
        """A network is made; returns the warnings."""
        wanted = manage.Specification(name, **properties)  # type: ignore[arg-type]
        return manage.create(self.database, self.settings, wanted)[1]

    def remove(self, *containers: str) -> None:
        """The containers are gone."""
        for container in containers:
            attach.detach(self.database, self.settings, container)

    def clear(self) -> None:
        """All containers and networks are gone."""
        attach.reconcile(self.database, self.settings, lambda: ())
        manage.prune(self.database, self.settings)

    def state(self) -> dict[str, object]:
        """Whatever a network may leave behind on the host."""
        tables = (
            "network",
            "network_subnet",
            "network_container",
            "network_endpoint",
            "network_address",
            "network_port",
        )
        found: dict[str, object] = {
            # Without what changes by itself: whether a bridge has a carrier, and its link-local address.
            "links": [line.split(" <")[0] for line in self.host.run("ip", "-o", "link").splitlines()],
            "addresses": [
                line for line in self.host.run("ip", "-o", "address").splitlines() if " fe80::" not in line
            ],
            # A router has anycast addresses, and we do not make the host less of a router again.
            "routes": [
                line.replace(" linkdown", "") for family in ("-4", "-6")
                for line in self.host.run("ip", family, "-o", "route", "show", "table", "all").splitlines()
                if not line.startswith(("anycast", "multicast", "fe80", "local fe80"))
            ],
            "rules": self.host.run("nft", "-s", "list", "ruleset"),
            "namespaces": namespaces.list_all(self.settings),
            "rows": [self.database.query(f"SELECT * FROM {table}") for table in tables],
            "names": sorted(set(os.listdir(f"{self.settings.run}/names")) - {"aardvark.pid"})
            if os.path.exists(f"{self.settings.run}/names") else [],
            "processes": processes(self.settings),
        }  # fmt: skip
        return found


def processes(settings: Settings) -> list[str]:
    """The processes of name servers and proxies of this world: those that have its directories, or are proxies of ours."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
                name = (entry / "comm").read_text().strip()
                if settings.run.encode() in words or (name == "cooper-proxy" and _same_network(entry)):
                    found.append(name)
            except OSError:
                continue
    return found


def _same_network(process: Path) -> bool:
    return os.stat(process / "ns/net").st_ino == os.stat("/proc/thread-self/ns/net").st_ino


def plain(address: str) -> str:
    """An address without the mark of one that came over IPv4."""
    return address.removeprefix("::ffff:")


@contextlib.contextmanager
def two_namespaces(directory: Path) -> Iterator[tuple[str, str]]:
    """Namespaces that play the host and the outside, with a cable between them; the thread is on the host."""
    settings = Settings(str(directory), str(directory))
    host, outside = namespaces.create(settings, "host"), namespaces.create(settings, "outside")
    try:
        with Inside(host):
            # Neighbours that are known need not be asked for, which could take a second.
            batch(
                f"link add uplink address {MAC} type veth peer name eth0 address {OUTSIDE_MAC} netns {outside}\n"
                f"address add {HOST}/24 dev uplink\naddress add {HOST6}/64 dev uplink nodad\n"
                f"link set uplink addrgenmode none up\nroute add default via {OUTSIDE}\n"
                f"route add {BEYOND6}/128 via {OUTSIDE6}\n"
                f"neighbour add {OUTSIDE} lladdr {OUTSIDE_MAC} dev uplink\n"
                f"neighbour add {OUTSIDE6} lladdr {OUTSIDE_MAC} dev uplink"
            )
            with Inside(outside):
                batch(
                    f"address add {OUTSIDE}/24 dev eth0\naddress add {OUTSIDE6}/64 dev eth0 nodad\n"
                    f"link set eth0 addrgenmode none up\n"
                    f"address add {BEYOND}/32 dev lo\naddress add {BEYOND6}/128 dev lo\n"
                    f"neighbour add {HOST} lladdr {MAC} dev eth0\nneighbour add {HOST6} lladdr {MAC} dev eth0"
                )
            yield host, outside
    finally:
        namespaces.remove(settings, "host")
        namespaces.remove(settings, "outside")


def batch(commands: str) -> None:
    """The commands of ip(8), in this thread's namespace."""
    done = subprocess.run(
        ["ip", "-force", "-batch", "-"], input=commands, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{commands}: {done.stderr}"


@contextlib.contextmanager
def routes(*texts: str) -> Iterator[None]:
    """The host has these routes more."""
    batch("".join(f"route add {text}\n" for text in texts))
    try:
        yield
    finally:
        batch("".join(f"route del {text}\n" for text in texts))


def name_server(place: Place, address: str, answer: str) -> tuple[Socket, threading.Thread]:
    """A name server that gives everything the same address, until its socket is closed."""
    listener = place.listen(53, address, "udp")
    listener.settimeout(None)

    def serve() -> None:
        while True:
            try:
                data, client = listener.recvfrom(1500)
            except OSError:
                return
            if not data:
                return
            end = data.index(b"\0", 12) + 5
            head = data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
            record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(answer)
            listener.sendto(head + data[12:end] + record, client)

    thread = threading.Thread(target=serve)
    thread.start()
    return listener, thread
