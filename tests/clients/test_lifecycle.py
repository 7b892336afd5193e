"""Stopping, killing, pausing, restarting and removing through podman and Docker."""

from __future__ import annotations

from .engines import GROUP, Engine
from .host import alive, cgroup, cgroups_below, eventually, frozen, limits

# A shell as process 1 that says when its traps are set, and ends on TERM with code 42.
TRAPPING = """
trap "echo usr1" USR1
trap "echo term; exit 42" TERM
echo ready
while :; do sleep 1000 & wait $!; done
"""


def _ready(engine: Engine, *flags: str) -> str:
    container = engine.start(*flags, "sh", "-c", TRAPPING)
    eventually(lambda: "ready" in engine.ok("logs", container), "the program's traps are set")
    return container


def test_stop_asks_first(engine: Engine) -> None:
    """`stop` sends TERM, and a program that ends on it keeps its own exit code."""
    container = _ready(engine)
    engine.ok("stop", "--time=20", container)
    assert engine.inspect(container, ".State.ExitCode") == "42"
    assert engine.ok("logs", container).splitlines()[-1] == "term"


def test_stop_kills_in_the_end(engine: Engine) -> None:
    """`stop` kills a program that does not heed TERM."""
    container = engine.start("sleep", "1000")
    engine.ok("stop", "--time=1", container)
    assert engine.inspect(container, ".State.ExitCode") == "137"


def test_kill_sends_the_signal(engine: Engine) -> None:
    """`kill --signal` delivers that signal and no other, by name and by number."""
    container = _ready(engine)
    for signal in ("USR1", "10"):
        engine.ok("kill", f"--signal={signal}", container)
    eventually(lambda: engine.ok("logs", container).count("usr1") >= 1, "the signal has arrived")
    assert engine.status(container) == "running"
    engine.ok("kill", container)
    assert engine.ok("wait", container) == "137"


def test_kill_of_a_stopped_container(engine: Engine) -> None:
    """A container that has stopped cannot be killed."""
    container = engine.start("true")
    engine.ok("wait", container)
    assert engine("kill", container).returncode != 0


def test_pause(engine: Engine) -> None:
    """A paused container's processes stand still, and go on when it is unpaused."""
    container = engine.start("sh", "-c", "while :; do echo x >>/tmp/beats; sleep 0.01; done")
    engine.ok("pause", container)
    assert engine.status(container) == "paused"
    assert frozen(engine.pid(container))
    engine.ok("unpause", container)
    assert engine.status(container) == "running"

    def beats() -> str:
        return engine.ok("exec", container, "wc", "-l", "/tmp/beats")

    before = beats()
    eventually(lambda: beats() != before, "the program goes on")


def test_create_then_start(engine: Engine) -> None:
    """A created container's program does not run before `start`, which can be repeated after it has ended."""
    container = engine.create("sh", "-c", "echo run")
    assert engine.status(container) == "created"
    for said in ("run", "run\nrun"):
        engine.ok("start", container)
        assert engine.ok("wait", container) == "0"
        assert engine.ok("logs", container) == said


def test_restart(engine: Engine) -> None:
    """`restart` gives the container a new first process."""
    container = _ready(engine)
    before = engine.pid(container)
    engine.ok("restart", "--time=20", container)
    assert engine.status(container) == "running"
    assert engine.pid(container) != before and not alive(before)


def test_update(engine: Engine) -> None:
    """`update` changes the limits of a running container."""
    container = engine.start("--memory=48m", "--cpu-quota=50000", "--pids-limit=64", "sleep", "1000")
    engine.ok("update", "--memory=96m", "--memory-swap=96m", "--cpu-quota=30000", container)
    now = limits(engine.pid(container))
    assert (now["memory"], now["cpu"].split()[0], now["pids"]) == (str(96 << 20), "30000", "64")


def test_top(engine: Engine) -> None:
    """`top` lists the container's processes."""
    container = engine.start("--init", "sleep", "1000")
    assert "sleep 1000" in engine.ok("top", container)


def test_forced_removal(engine: Engine) -> None:
    """`rm --force` of a running container leaves no process and no control group."""
    container = engine.start("--init", "sleep", "1000")
    engine.ok("exec", "--detach", container, "sleep", "2000")
    pid = engine.pid(container)
    group = cgroup(pid, "memory")
    assert container in str(group)
    engine.ok("rm", "--force", container)
    assert not alive(pid)
    assert engine("container", "inspect", container).returncode != 0
    left = [path for path in cgroups_below(GROUP) if container in str(path)]
    eventually(lambda: not any(path.exists() for path in left), "its control groups are removed")


def test_forced_removal_of_a_paused_container(engine: Engine) -> None:
    """`rm --force` works on a paused container."""
    container = engine.start("sleep", "1000")
    pid = engine.pid(container)
    engine.ok("pause", container)
    engine.ok("rm", "--force", container)
    assert not alive(pid)
