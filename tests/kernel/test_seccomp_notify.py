"""SCMP_ACT_NOTIFY: somebody outside answers the container's system calls."""

from __future__ import annotations

import array
import errno
import fcntl
import json
import os
import platform
import select
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .driver import Container
from .host import alive, eventually

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="uses system call numbers of x86_64")

RECEIVE, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_*
CONTINUE = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
MKDIR = 83


class Agent:
    """Listens as a seccomp agent does; refuses mkdir(2) with EXDEV and lets all else pass."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages: list[dict[str, Any]] = []
        self.asked: list[tuple[int, int]] = []  # pid, system call
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._end, self._ended = os.pipe()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Nothing is answered any more."""
        os.close(self._ended)
        self._thread.join()
        os.close(self._end)
        self._server.close()

    def _serve(self) -> None:
        descriptors: list[int] = []
        while True:
            ready, _, _ = select.select([self._end, self._server.fileno(), *descriptors], [], [])
            if self._end in ready:
                break
            for descriptor in ready:
                if descriptor == self._server.fileno():
                    descriptors.append(self._accept())
                elif not self._answer(descriptor):
                    descriptors.remove(descriptor)
                    os.close(descriptor)
        for descriptor in descriptors:
            os.close(descriptor)

    def _accept(self) -> int:
        connection, _ = self._server.accept()
        with connection:
            data, control, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(4))
            while more := connection.recv(65536):
                data += more
        self.messages.append(json.loads(data))
        descriptors = array.array("i", control[0][2])
        return descriptors[0]

    def _answer(self, descriptor: int) -> bool:
        request = bytearray(80)
        try:
            fcntl.ioctl(descriptor, RECEIVE, request)
        except OSError as error:
            assert error.errno == errno.ENOENT  # nobody is left who could ask
            return False
        number, pid, _, call = struct.unpack_from("QIIi", request)
        self.asked.append((pid, call))
        answer = struct.pack("QqiI", number, 0, -errno.EXDEV, 0)
        if call != MKDIR:
            answer = struct.pack("QqiI", number, 0, 0, CONTINUE)
        fcntl.ioctl(descriptor, SEND, bytearray(answer))
        return True


@pytest.fixture
def agent(directory: Path) -> Iterator[Agent]:
    """An agent that listens."""
    agent = Agent(directory / "agent.sock")
    yield agent
    agent.close()


def notify(container: Container, path: Path, *names: str, **members: Any) -> None:
    """These system calls of the container ask the agent."""
    container.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": str(path),
        "syscalls": [{"names": list(names), "action": "SCMP_ACT_NOTIFY"}],
        **members,
    }


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_answers(container: Container, agent: Agent, no_new_privileges: bool) -> None:
    """The agent decides what mkdir answers, and gets the state of the container and the process."""
    notify(container, agent.path, "mkdir", listenerMetadata="some=thing")
    container.config["annotations"] = {"a": "b"}
    container.process["noNewPrivileges"] = no_new_privileges
    container.script("mkdir /x 2>&1 || true; cd /; pwd")
    container.create()
    container.start()
    container.eventually_says("mkdir: can't create directory '/x': Invalid cross-device link")
    (message,) = agent.messages
    assert message == {
        "ociVersion": "1.3.0",
        "fds": ["seccompFd"],
        "pid": container.pid,
        "metadata": "some=thing",
        "state": {
            "ociVersion": "1.3.0",
            "id": container.id,
            "status": "created",
            "pid": container.pid,
            "bundle": str(container.bundle),
            "annotations": {"a": "b"},
        },
    }
    assert container.wait() == 0


def test_the_way_to_the_program(container: Container, agent: Agent) -> None:
    """The agent may be asked about the very system calls that lead to the program."""
    notify(container, agent.path, "mkdir", "execve", "capset", "read", "recvmsg", "close", "write")
    assert container.says("echo runs") == "runs"
    assert len(agent.messages) == 1


@pytest.mark.parametrize("flag", ["TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"])
def test_flags(container: Container, agent: Agent, flag: str) -> None:
    """Every flag goes with notifications."""
    notify(container, agent.path, "mkdir", flags=[f"SECCOMP_FILTER_FLAG_{flag}"])
    assert container.says("mkdir /x 2>/dev/null || echo refused") == "refused"


def test_exec(container: Container, agent: Agent) -> None:
    """A process that is executed later has a filter and a message of its own."""
    notify(container, agent.path, "mkdir")
    container.launch()
    container.exec("mkdir", "/x", status=1)
    first, second = agent.messages
    assert first["state"]["status"] == "created" and second["state"]["status"] == "running"
    assert first["pid"] == container.pid != second["pid"]
    assert (second["pid"], MKDIR) in agent.asked


def test_nobody_listens(container: Container, directory: Path) -> None:
    """Without an agent the program does not run, and nothing waits for one."""
    notify(container, directory / "nosuch", "mkdir")
    container.create()
    line = container.stave.fails("start", container.id)
    assert (
        f"linux.seccomp.listenerPath: send the seccomp listener to {directory}/nosuch: No such file" in line
    )
    eventually(lambda: not alive(container.pid), "the container has stopped")
    assert container.status == "stopped"


def test_nobody_listens_to_exec(container: Container, agent: Agent) -> None:
    """The same for exec; the container stays as it is."""
    notify(container, agent.path, "mkdir")
    container.launch()
    agent.path.unlink()
    line = container.stave.fails("exec", container.id, "true", status=255)
    assert "linux.seccomp.listenerPath: send the seccomp listener" in line
    assert container.status == "running"


def test_sendmsg(container: Container, agent: Agent) -> None:
    """The one system call that the listener travels by cannot be asked about."""
    notify(container, agent.path, "mkdir", "sendmsg")
    assert container.fails() == (
        "linux.seccomp.syscalls[0].names[1]: SCMP_ACT_NOTIFY for sendmsg would stop the process before its listener"
        " can be sent"
    )
