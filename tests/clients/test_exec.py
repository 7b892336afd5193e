"""`exec` into a running container through podman and Docker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .engines import Engine, require_privileges
from .host import cgroup, eventually


@pytest.fixture
def container(engine: Engine) -> Iterator[str]:
    """A container that sleeps."""
    yield engine.start("--hostname=box", "--init", "sleep", "1000")


def test_output_and_exit_code(engine: Engine, container: str) -> None:
    """Output, errors and exit code are the program's."""
    done = engine("exec", container, "sh", "-c", "echo to-output; echo to-errors >&2; exit 9")
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (9, "to-output\n", "to-errors")


def test_standard_input(engine: Engine, container: str) -> None:
    """With -i the program reads the engine's standard input to its end."""
    assert engine.ok("exec", "-i", container, "wc", "-c", text="x" * 100_000) == "100000"


def test_joins_the_container(engine: Engine, container: str) -> None:
    """The program sees the container's host name, processes, network and files."""
    script = "hostname; cat /proc/1/comm; ls /sys/class/net; cat /etc/plain"
    name, init, *rest = engine.ok("exec", container, "sh", "-c", script).splitlines()
    assert (name, rest) == ("box", ["lo", "not a program"])
    assert init in ("docker-init", "catatonit", "podman-init")


@pytest.mark.parametrize(
    ("program", "codes"), [("/none", {126, 127}), ("none-in-path", {126, 127}), ("/etc/plain", {126})]
)
def test_program_that_cannot_run(engine: Engine, container: str, program: str, codes: set[int]) -> None:
    """A program that is missing or not executable gives 127 or 126; the container runs on."""
    done = engine("exec", container, program)
    assert done.returncode in codes, done.stderr
    assert engine.status(container) == "running"


def test_user_environment_and_directory(engine: Engine, container: str) -> None:
    """User, environment and working directory are the ones asked for."""
    script = 'id -u; echo "$A"; pwd'
    done = engine.ok("exec", "--user=1000", "--env=A=b c", "--workdir=/tmp", container, "sh", "-c", script)
    assert done == "1000\nb c\n/tmp"


def test_terminal(engine: Engine, container: str) -> None:
    """With -it the program has a controlling terminal of the caller's size."""
    with engine.terminal("exec", "-it", container, "sh", rows=33, columns=111) as terminal:
        terminal.expect("# ")
        terminal.type("tty; until stty size | grep '33 111'; do :; done\n")
        terminal.expect("/dev/pts/")
        terminal.expect("\n33 111\n")
        terminal.type("exit 6\n")
        assert terminal.exit_code() == 6


def test_detached(engine: Engine, container: str) -> None:
    """A detached program runs on after the command."""
    engine.ok("exec", "--detach", container, "sh", "-c", "echo done >/tmp/result")
    read = ["exec", container, "cat", "/tmp/result"]
    eventually(lambda: engine(*read).stdout == "done\n", "the program has run")


def test_same_control_group(engine: Engine, container: str) -> None:
    """The program is in the container's control group, so that its limits hold for it."""
    members = cgroup(engine.pid(container), "memory") / "cgroup.procs"
    engine.ok("exec", "--detach", container, "sleep", "2000")

    def programs() -> list[str]:
        return [Path(f"/proc/{pid}/cmdline").read_text() for pid in members.read_text().split()]

    eventually(lambda: "sleep\x002000\0" in programs(), "the program is in the container's control group")


def test_privileges(engine: Engine, container: str) -> None:
    """The program has the container's capabilities, or all with --privileged."""
    require_privileges(engine)
    script = "grep CapEff /proc/self/status"
    plain = int(engine.ok("exec", container, "sh", "-c", script).split()[1], 16)
    privileged = int(engine.ok("exec", "--privileged", container, "sh", "-c", script).split()[1], 16)
    assert plain == plain & privileged and privileged.bit_count() > 30


def test_into_a_stopped_container(engine: Engine) -> None:
    """A container that does not run cannot be entered."""
    container = engine.start("true")
    engine.ok("wait", container)
    done = engine("exec", container, "true")
    assert done.returncode != 0
    assert "running" in done.stderr or "container state improper" in done.stderr
