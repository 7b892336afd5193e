"""What service managers and supervisors get and give: pidfds, sockets, word that the program is ready."""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .driver import Container
from .host import eventually, exit_code
from .test_user_namespaces import with_user_namespace

TELL = r"""
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char text[512];
	ssize_t length = read(0, text, sizeof text);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	strcpy(to.sun_path, getenv("NOTIFY_SOCKET"));
	return sendto(fd, text, length, 0, (void *)&to, sizeof to) != length;
}
"""
"""What it reads it tells the service manager; busybox has nothing for that."""
READY = r"""printf 'STATUS=up\nREADY=1\nMAINPID=7\n' | tell"""


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A stream socket at the path."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(60)
        yield server


def received(server: socket.socket) -> tuple[bytes, int]:
    """The text and the descriptor of the next connection's message."""
    connection, _ = server.accept()
    with connection:
        data, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
    return data, array.array("i", control[0][2])[0]


@pytest.fixture(scope="module")
def tell(workshop: Path) -> Path:
    """The program, built."""
    place = workshop / "tell"
    subprocess.run(["cc", "-static", "-o", place, "-x", "c", "-"], input=TELL, text=True, check=True)
    return place


def telling(container: Container, tell: Path, then: str) -> None:
    """The container says that it is ready, and goes on."""
    os.link(tell, container.rootfs / "bin/tell")
    container.script(f"{READY}; {then}")


def pid_of(pidfd: int) -> int:
    """The pid that a pidfd stands for."""
    lines = Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pid:")).split()[1])


def test_pidfd_of_a_container(container: Container, directory: Path) -> None:
    """--pidfd-socket gets a descriptor of the first process as soon as that is created."""
    container.runs("sleep", "1000")
    with listening(directory / "sock") as server:
        container.create(f"--pidfd-socket={directory}/sock")
        name, pidfd = received(server)
    try:
        assert (name, pid_of(pidfd)) == (b"standard", container.pid)
        container.kill("KILL")
        assert select.select([pidfd], [], [], 60)[0]
    finally:
        os.close(pidfd)


def test_pidfd_of_exec(container: Container, directory: Path) -> None:
    """exec sends one as well."""
    container.launch()
    pid_file = directory / "pid"
    with listening(directory / "sock") as server:
        flags = ["--detach", f"--pidfd-socket={directory}/sock", f"--pid-file={pid_file}"]
        container.exec(*flags, "sh", "-c", "exit 3")
        name, pidfd = received(server)
    try:
        assert select.select([pidfd], [], [], 60)[0]
        assert name == b"setns"
        assert exit_code(int(pid_file.read_text())) == 3
    finally:
        os.close(pidfd)


def test_nobody_listens(container: Container) -> None:
    """A socket that is not there fails the command, and nothing is left."""
    assert container.fails("--pidfd-socket=/no/such") == "send a pidfd to /no/such: No such file or directory"


def test_sockets(container: Container) -> None:
    """LISTEN_FDS descriptors come first, and the program is told; those to preserve follow. exec is told nothing."""
    container.process["env"] = ["PATH=/bin", "HOME=/"]
    container.script("read a <&3; read b <&4; echo $a $b $LISTEN_FDS $LISTEN_PID; exec sleep 1000")
    container.write_config()
    words: list[str | Path] = [
        "run",
        "--detach",
        "--preserve-fds=1",
        "--bundle",
        container.bundle,
        "--pid-file",
        container.bundle / "pid",
    ]
    script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<one 4<two'
    (container.bundle / "one").write_text("socket\n")
    (container.bundle / "two").write_text("preserved\n")
    output = container.bundle / "output"
    with output.open("w") as stdout:
        command: list[str | Path] = [
            "sh",
            "-c",
            script,
            "sh",
            container.stave.executable,
            "--root",
            container.stave.root,
            *words,
        ]
        subprocess.run([*command, container.id], cwd=container.bundle, stdout=stdout, check=True, timeout=60)
    eventually(lambda: output.read_text() == "socket preserved 1 1\n", "the program has read both")
    assert "LISTEN" not in container.exec_says("env")


class Manager:
    """A service manager's notification socket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path.replace("@", "\0"))
        self._socket.settimeout(60)

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def environment(self) -> dict[str, str]:
        """What it starts a service with."""
        return {"NOTIFY_SOCKET": self.path}

    def hears(self) -> bytes:
        """The next message; its descriptors are closed, which ends a barrier."""
        data, control, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(4))
        for _, _, descriptors in control:
            for descriptor in array.array("i", descriptors):
                os.close(descriptor)
        return data


def test_ready_after_create(container: Container, tell: Path, directory: Path) -> None:
    """`start` returns when the program is ready, and has told the manager so, with the pid to watch."""
    telling(container, tell, "exec sleep 1000")
    with Manager(f"{directory}/notify") as manager:
        container.create(env=manager.environment)
        process, _ = container.stave.begin("start", container.id, env=manager.environment)
        assert manager.hears() == b"READY=1\nMAINPID=%d\n" % container.pid
        assert manager.hears() == b"BARRIER=1"
        assert process.wait(60) == 0
    assert container.status == "running"


@pytest.mark.parametrize("mapped", [False, True])
def test_ready_when_detached(container: Container, tell: Path, mapped: bool) -> None:
    """The same with `run --detach`, also from a user namespace, and to a manager at an abstract address."""
    if mapped:
        with_user_namespace(container)
    telling(container, tell, "exec sleep 1000")
    container.write_config()
    with Manager(f"@stave-tests-{os.getpid()}") as manager:
        words: list[str | Path] = [
            "run",
            "--detach",
            "--bundle",
            container.bundle,
            "--pid-file",
            container.bundle / "pid",
        ]
        process, _ = container.stave.begin(*words, container.id, env=manager.environment)
        assert manager.hears().startswith(b"READY=1\nMAINPID=")
        assert manager.hears() == b"BARRIER=1"
        assert process.wait(60) == 0


def test_ready_in_the_foreground(container: Container, tell: Path, directory: Path) -> None:
    """In the foreground stave stays the process to watch, so the manager hears of no other."""
    telling(container, tell, "exit 5")
    container.write_config()
    with Manager(f"{directory}/notify") as manager:
        words: list[str | Path] = ["run", "--bundle", container.bundle, container.id]
        process, _ = container.stave.begin(*words, env=manager.environment)
        assert manager.hears() == b"READY=1"
        assert process.wait(60) == 5


def test_ended_before_it_was_ready(container: Container, directory: Path) -> None:
    """A program that ends without a word does not keep `start` waiting."""
    container.runs("true")
    with Manager(f"{directory}/notify") as manager:
        container.run("--detach", env=manager.environment)
