"""An ordinary user's cooper: a session from an image to nothing left, its networks, and what is killed in between."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from socket import socket as Socket

import pytest

from .. import host
from .test_names import host_resolver
from .user import UID, User, archive, ordinary_user
from .world import BEYOND, HOST, HOST6, OUTSIDE, OUTSIDE6, SECONDS, Place, World, batch, name_server, routes

pytestmark = pytest.mark.skipif(not shutil.which("pasta"), reason="pasta is not installed (Debian: passt)")

SERVER = ("busybox", "httpd", "-f", "-h", "/www", "-p", "80")


@pytest.fixture
def user(world: World) -> Iterator[User]:
    """A user with an image, on stave."""
    with ordinary_user(world, "stave") as made:
        made("import", archive(made.home.parent), "busybox")
        yield made


def place_of(user: User, container: str) -> Place:
    """The network of a container that runs."""
    return Place(f"/proc/{user.pid(container)}/ns/net")


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


@pytest.mark.parametrize("runtime", ["stave", "crun", "runc"])
def test_a_session(world: World, runtime: str) -> None:
    """import, run, ports, volumes, exec, logs, ps, cp, commit, stop, restart, rm: as root has them."""
    with ordinary_user(world, runtime) as user:
        user("import", archive(user.home.parent, ("owned", b"x", 33)), "busybox")
        (user.home / "data").mkdir()
        os.chown(user.home / "data", UID, UID)
        run = ("run", "--rm", "-v", f"{user.home}/data:/data", "-v", "kept:/kept", "busybox")
        user(*run, "sh", "-c", "echo one > /data/file; chown 33:33 /kept; stat -c %u /owned > /kept/owner")
        assert (user.home / "data/file").stat().st_uid == UID
        assert (
            user("run", "--rm", "-u", "www-data", "-v", "kept:/kept", "busybox", "cat", "/kept/owner") == "33"
        )
        user(
            "run",
            "-d",
            "--name",
            "web",
            "-p",
            "8080:80",
            "busybox",
            "sh",
            "-c",
            f"echo up; exec {' '.join(SERVER)}",
        )
        ports = user("ps", "--format", "{{.Names}} {{.State}} {{.Ports}}")
        assert ports == "web running 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"
        assert user("port", "web") == "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080"
        assert world.outside.get(HOST, 8080).endswith(b"hello")
        host.eventually(lambda: user("logs", "web") == "up", "the log is written")
        assert user("exec", "web", "sh", "-c", "echo more > /www/more; id -u") == "0"
        (user.home / "page").write_text("copied")
        user("cp", "page", "web:/www/index.html")
        assert user("diff", "web").splitlines() == ["C /www", "C /www/index.html", "A /www/more"]
        assert "httpd" in user("top", "web") and "--" in user("stats", "--no-stream", "web")
        user("commit", "web", "web:2")
        user("restart", "-t", "0", "web")
        assert world.outside.get(HOST, 8080).endswith(b"copied")
        user("stop", "-t", "0", "web")
        assert world.outside.is_refused(HOST, 8080)
        user("start", "web")
        assert world.host.get("127.0.0.1", 8080).endswith(b"copied")
        user("rm", "-f", "web")
        assert world.outside.is_refused(HOST, 8080)
        assert (
            user("run", "--rm", "--network", "none", "web:2", "cat", "/www/more", "/www/index.html")
            == "more\ncopied"
        )
        assert user("run", "--rm", "--network", "host", "busybox", "ip", "-o", "link").count(": uplink") == 1
        user("volume", "rm", "kept")
        user("rmi", "web:2", "busybox")
        assert os.listdir(user.home / "session/cooper/pasta") == []
        assert os.listdir(user.home / ".local/share/cooper/containers") == []


def test_packets(world: World, user: User) -> None:
    """TCP and UDP, out and in, over both families, at the ports and addresses that were asked for, and at no others."""
    # pasta leaves out a family that the host has no default route or, of IPv6, no link-local address for.
    batch("address add fe80::2/64 dev uplink nodad")
    # Whom the host lets ping without root; this is how systemd sets it.
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
    with routes(f"default via {OUTSIDE6}"):
        packets(world, user)


def packets(world: World, user: User) -> None:
    """The same, on a host that both families reach the outside from."""
    publish = ("-p", "81", "-p", f"{HOST}:5300:53/udp", "-p", "[::1]:6000:60", "-p", "9000-9001:9000-9001")
    user("run", "-d", "--name", "web", *publish, "busybox", "sleep", "1000")
    ports = [line.split(" -> ") for line in user("port", "web").splitlines()]
    chosen = int(next(place for inside, place in ports if inside == "81/tcp").removeprefix("0.0.0.0:"))
    assert [place for inside, place in ports if inside != "81/tcp"] == [
        f"{HOST}:5300", "[::1]:6000", "0.0.0.0:9000", "[::]:9000", "0.0.0.0:9001", "[::]:9001",
    ]  # fmt: skip
    web = place_of(user, "web")
    with world.outside.listen(7) as out:
        assert web.talk(BEYOND, 7, out) == HOST
    with web.listen(53, protocol="udp") as udp:
        world.outside.exchange(HOST, 5300, udp)
    with web.listen(81) as listener:
        ask(world.outside, HOST, chosen, listener)
        ask(world.outside, HOST6, chosen, listener)
    with web.listen(9001) as listener:
        ask(world.outside, HOST, 9001, listener)
    with web.listen(60) as listener:
        ask(world.host, "::1", 6000, listener)
        assert world.outside.is_refused(HOST6, 6000)
    assert user("exec", "web", "ping", "-c", "1", "-W", "5", OUTSIDE)
    assert "port is in use" in user("run", "-p", "9001:82", "busybox", "true", status=125)
    assert "ip_unprivileged_port_start" in user("run", "-p", "80:80", "busybox", "true", status=125)


def test_the_hosts_loopback_is_out_of_reach(world: World, user: User) -> None:
    """What listens on 127.0.0.1 of the host is not reached by the gateway's address, nor by the container's own."""
    user("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    with world.host.listen(9, "127.0.0.1"):
        for address in ("127.0.0.1", OUTSIDE, HOST):
            assert place_of(user, "web").is_refused(address, 9)


def test_names(world: World, user: User) -> None:
    """The host's servers, --dns, and a way to a server of the host that listens on a loopback address alone."""
    with host_resolver(world, "nameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch example.com\n"):
        text = user("run", "--rm", "--name", "web", "busybox", "cat", "/etc/resolv.conf", "/etc/hosts")
    assert text.startswith("search example.com\nnameserver 192.0.2.53\n") and f"\n{HOST}\t" in text
    listener, thread = name_server(world.host, "127.0.0.1", "192.0.2.77")
    try:
        with host_resolver(world, "nameserver 127.0.0.1\n"):
            assert "192.0.2.77" in user("run", "--rm", "busybox", "nslookup", "example.org")
            words = ("run", "--rm", "--dns", "192.0.2.9", "busybox", "cat", "/etc/resolv.conf")
            assert user(*words) == "nameserver 192.0.2.9"
    finally:
        with world.host.socket(2, 2) as client:
            client.sendto(b"", ("127.0.0.1", 53))
        thread.join()
        listener.close()


def test_networks(world: World, user: User) -> None:
    """none, host and those of other containers; bridges are root's, and a user is told so."""
    assert user("run", "--rm", "--network", "none", "busybox", "ip", "-o", "link").count("\n") == 0
    user("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    own = user("exec", "web", "readlink", "/proc/self/ns/net")
    shared = ("run", "--rm", "--network", "container:web", "busybox", "readlink", "/proc/self/ns/net")
    assert user(*shared) == own
    for flags in (("--network", "front"), ("--ip", "10.1.1.1"), ("--network-alias", "www")):
        message = user("run", *flags, "busybox", "true", status=125)
        assert "need root" in message and "--network default, host, none, container:NAME" in message
    assert "need root" in user("network", "create", "front", status=1)
    assert "need root" in user("network", "connect", "front", "web", status=1)


def test_what_takes_root(user: User) -> None:
    """Limits without a group, maps of a container's own, devices of images: one line each, with what to do."""
    for flags, cure in (
        (("-m", "100m"), "--cgroup-parent"),
        (("--userns", "auto"), "in a user namespace anyway"),
    ):
        message = user("run", *flags, "busybox", "true", status=125)
        assert cure in message and message.count("\n") == 0


@pytest.mark.skipif(not host.V2, reason="only groups of version 2 alone can be handed to a user")
def test_limits(user: User) -> None:
    """In a group that was handed to the user limits hold, and containers can be paused."""
    group = host.CGROUPS / "cooper-tests-user"
    shell = group / "shell"
    shell.mkdir(parents=True)
    try:
        (group / "cgroup.subtree_control").write_text("+memory +pids")
        for path in (
            group,
            group / "cgroup.procs",
            group / "cgroup.subtree_control",
            shell,
            shell / "cgroup.procs",
        ):
            os.chown(path, UID, UID)
        # The user's processes are below the group, too, or the kernel would not let them move into it.
        user.words = ["sh", "-c", f'echo $$ >{shell}/cgroup.procs; exec "$@"', "sh", *user.words]
        flags = ("--cgroup-parent", f"/{group.name}", "-m", "64m", "--network", "none")
        container = user("run", "-d", "--name", "web", *flags, "busybox", "sleep", "1000")
        assert (group / container / "memory.max").read_text().strip() == str(64 << 20)
        user("pause", "web")
        assert "frozen 1" in (group / container / "cgroup.events").read_text()
        user("unpause", "web")
        assert user("stats", "--no-stream", "--format", "{{.MemUsage}}", "web").endswith(" / 64MiB")
        user("rm", "-f", "web")
        assert not (group / container).exists()
    finally:
        shell.rmdir()
        group.rmdir()


def kill(processes: dict[int, str]) -> None:
    """They have ended."""
    assert processes
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    host.eventually(lambda: not any(host.alive(pid) for pid in processes), "they have ended")


def test_killed(world: World, user: User) -> None:
    """pasta, supervisors, or `run` with all that it had started: the next command puts right what is left."""
    user("run", "-d", "--name", "web", "-p", "8080:80", "-u", "www-data", "busybox", *SERVER)
    assert world.outside.get(HOST, 8080).endswith(b"hello")
    kill(user.processes("--netns"))
    assert user("ps", "--format", "{{.State}}") == "running"
    assert world.outside.get(HOST, 8080).endswith(b"hello")
    # The namespace's last member goes with it, and the program in the container is not the user's own.
    kill(user.processes("cooper-supervisor"))
    assert user("ps", "-a", "--format", "{{.State}}") == "exited"
    user.expect_nothing()
    assert world.outside.is_refused(HOST, 8080)
    user("start", "web")
    assert world.outside.get(HOST, 8080).endswith(b"hello")
    user.kill()
    user("rm", "web")
    words = [*user.words, "run", "-p", "8080:80", "busybox", "sleep", "1000"]
    with subprocess.Popen(words, cwd=user.home, stdin=subprocess.DEVNULL) as run:
        host.eventually(lambda: user.processes("--netns"), "pasta has been started")
        user.kill(but="--netns")
        run.wait()
    user("rm", "--all", "--force")
    user.expect_nothing()
    user("run", "--rm", "-p", "8080:80", "busybox", "true")


def test_many_at_once(user: User) -> None:
    """Commands that begin at the same time are in one namespace, which the next one joins while there is a container."""
    words = [*user.words, "run", "-d", "busybox", "sleep", "1000"]
    started = [
        subprocess.Popen(words, cwd=user.home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(6)
    ]
    assert [each.wait() for each in started] == [0] * 6
    supervisors = user.processes("cooper-supervisor")
    assert len(supervisors) == 6
    assert len({os.stat(f"/proc/{pid}/ns/user").st_ino for pid in supervisors}) == 1
    assert len({os.stat(f"/proc/{pid}/ns/mnt").st_ino for pid in supervisors}) == 1


def test_a_single_id(world: World) -> None:
    """Without subordinate ids there are containers of the user alone; what needs more names /etc/subuid."""
    with ordinary_user(world, "stave", ids=False) as user:
        user("import", archive(user.home.parent), "busybox")
        words = ("run", "--rm", "-t", "-v", f"{user.home}:/home", "busybox")
        assert user(*words, "sh", "-c", "id -u; touch /home/made; wc -l < /proc/self/uid_map") == "0\n1"
        assert (user.home / "made").stat().st_uid == UID
        user("run", "-d", "--name", "web", "-p", "8080:80", "busybox", *SERVER)
        assert world.outside.get(HOST, 8080).endswith(b"hello")
        user("rm", "-f", "web")
        assert "/etc/subuid" in user("run", "-u", "www-data", "busybox", "true", status=125)
        message = user("import", archive(user.home.parent, ("owned", b"x", 33)), "owned", status=1)
        assert "/etc/subuid" in message


def test_what_is_missing(world: World, tmp_path: Path) -> None:
    """A /dev/net/tun for root alone, a directory of somebody else's: named, with the cure."""
    with ordinary_user(world, "stave", tun=False) as user:
        user("import", archive(user.home.parent), "busybox")
        assert "chmod 0666 /dev/net/tun" in user("run", "busybox", "true", status=125)
        user("run", "--rm", "--network", "none", "busybox", "true")
        other = user.home.parent / "other"
        other.mkdir(mode=0o777)
        assert "only this user can write to" in user("--run-root", other, "ps", status=1)
        assert os.listdir(other) == []
