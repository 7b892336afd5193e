"""kill: signals by name and number, to one process or all. Spec: runtime.md#kill"""

from __future__ import annotations

import json
import signal

import pytest

from .bundle import without
from .driver import Container
from .host import alive, eventually, status_field

# The launcher answers for simple containers without Python; both must do.
pytestmark = pytest.mark.parametrize("stave", ["launcher", "python"], indirect=True)

TRAP = 'trap "echo got; exit 7" {name}; echo ready; while :; do sleep 0.01; done'


@pytest.mark.parametrize("name", ["TERM", "SIGTERM", "term", "sigterm", "15"])
def test_spellings(container: Container, name: str) -> None:
    """A signal may be named with or without SIG, in either case, or be a number."""
    container.script(TRAP.format(name="TERM"))
    container.run("--detach")
    container.eventually_says("ready")
    container.kill(name)
    assert container.wait() == 7
    assert container.output == "ready\ngot"


def test_default_signal(container: Container) -> None:
    """Without a signal TERM is sent."""
    container.script(TRAP.format(name="TERM"))
    container.run("--detach")
    container.eventually_says("ready")
    container.kill()
    assert container.wait() == 7


@pytest.mark.parametrize("name", ["USR1", "HUP", "10", "RTMIN", "RTMIN+1", "WINCH"])
def test_signals_arrive(container: Container, name: str) -> None:
    """Any signal reaches the program, real-time signals too."""
    number = {"RTMIN": signal.SIGRTMIN, "RTMIN+1": signal.SIGRTMIN + 1}.get(name, name)
    container.script(TRAP.format(name=int(number) if not isinstance(number, str) else number))
    container.run("--detach")
    container.eventually_says("ready")
    container.kill(name)
    assert container.wait() == 7


def test_signal_0(container: Container) -> None:
    """Signal 0 asks whether the container lives, and changes nothing."""
    container.launch()
    container.kill("0")
    assert container.status == "running"
    container.kill("KILL")
    container.wait()
    assert "container not running" in container.kill("0", status=1).errors


@pytest.mark.parametrize("name", [" ", "NOSUCH", "65", "-1", "SIGSIGTERM", "1x", "RTMIN+99", "BLOCK"])
def test_unknown_signals(container: Container, name: str) -> None:
    """What is no signal is refused, and nothing is sent."""
    container.launch()
    container.kill("--", name, status=1)
    assert container.status == "running"


@pytest.mark.parametrize("name", ["TERM", "INT", "KILL", "HUP"])
def test_created_container(container: Container, name: str) -> None:
    """A created container ends by the signals that end a process, though it is PID 1 of its namespace."""
    container.create()
    container.kill(name)
    container.wait()
    assert container.status == "stopped"
    container.delete()


def test_stopped_container(container: Container) -> None:
    """A stopped container cannot be signalled, and nothing about it changes."""
    container.runs("true")
    container.run("--detach")
    container.wait()
    before = container.state()
    assert "container not running" in container.kill("KILL", status=1).errors
    assert container.state() == before


def test_zombie(container: Container) -> None:
    """A program that has ended but was not collected yet is as stopped as any other."""
    container.runs("true")
    container.run("--detach")
    eventually(lambda: not alive(container.pid), "the program ends")
    assert status_field(container.pid, "State").startswith("Z")
    assert container.status == "stopped"
    assert "container not running" in container.kill("TERM", status=1).errors
    container.delete()


def test_kill_reaches_all_with_the_first(container: Container) -> None:
    """With a pid namespace, the end of the first process is the end of all."""
    container.script("setsid sleep 1000 & sleep 1000")
    container.run("--detach")
    pids = _processes(container, 2)
    container.kill("KILL")
    eventually(lambda: not any(alive(pid) for pid in pids), "all end")


def test_kill_without_pid_namespace(container: Container) -> None:
    """Without a pid namespace KILL is for all processes of the container."""
    container.linux["namespaces"] = without(container.linux["namespaces"], "pid")
    container.script("setsid sleep 1000 & sleep 1000")
    container.run("--detach")
    pids = _processes(container, 2)
    container.kill("KILL")
    eventually(lambda: not any(alive(pid) for pid in pids), "all end")


def test_left_behind_without_pid_namespace(container: Container) -> None:
    """What the first process leaves running without a pid namespace is gone after `delete`."""
    container.linux["namespaces"] = without(container.linux["namespaces"], "pid")
    container.script("setsid sleep 1000 & echo $!")
    container.run("--detach")
    assert container.wait() == 0
    left = int(container.output)
    assert alive(left)
    container.delete()
    eventually(lambda: not alive(left), "the process that was left behind is gone")


def test_kill_all(container: Container) -> None:
    """--all signals every process of the container, not only the first."""
    # Neither leaves: the first process's end would be the other's.
    loop = 'trap "echo {0}" USR1; echo {0} is ready; while :; do sleep 0.01 || :; done'
    container.script(f"({loop.format('child')}) & {loop.format('parent')}")
    container.run("--detach")
    container.eventually_says("child is ready")
    container.eventually_says("parent is ready")
    container.kill("--all", "USR1")
    eventually(lambda: {"child", "parent"} <= set(container.output.splitlines()), "both got it")


def test_kill_all_of_a_stopped_container(container: Container) -> None:
    """--all of a container without processes is no error: containerd asks for it after the end."""
    container.runs("true")
    container.run("--detach")
    container.wait()
    container.kill("--all", "KILL")


def _processes(container: Container, count: int) -> list[int]:
    def listed() -> list[int]:
        pids: list[int] = json.loads(container.stave("ps", "--format", "json", container.id).output)
        return pids

    eventually(lambda: len(listed()) == count, f"{count} processes run")
    return listed()
