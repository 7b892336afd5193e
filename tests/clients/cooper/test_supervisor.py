"""What the supervisor promises: restarts, health, memory, being killed."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from ..host import alive, eventually
from .program import Cooper, processes


def supervisor_of(cooper: Cooper, name: str) -> int:
    """The supervisor's process."""
    identity = cooper.inspect(name, "{{.Id}}")
    found = [pid for pid, words in processes() if "cooper-supervisor" in words and identity in words]
    assert len(found) == 1, found
    return found[0]


def test_its_memory_and_its_rest(cooper: Cooper) -> None:
    """At most 6 MB of its own, and no wake-up while the container is silent."""
    cooper.run("run", "-d", "--name", "one", "busybox", "sleep", "1000")
    pid = supervisor_of(cooper, "one")
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
    assert sizes["Pss"] < 6 * 1024
    assert sizes["Pss_Anon"] < 512

    def switches() -> list[str]:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return [line for line in lines if "ctxt_switches" in line]

    def rests() -> bool:
        before = switches()
        time.sleep(0.5)  # what is measured is that nothing happens in this time
        return switches() == before

    eventually(rests, "it rests, once all is done that a start takes")


def test_restart_on_failure(cooper: Cooper) -> None:
    """As often as allowed, each time with all its output in the one log; then it has ended."""
    done = cooper.run(
        "run", "--name", "one", "--restart", "on-failure:2", "busybox", "sh", "-c", "echo x; exit 4", status=4
    )
    assert done.stdout == b"x\nx\nx\n"
    assert cooper.inspect("one", "{{.State.Status}} {{.RestartCount}}") == "exited 2"
    assert cooper.out("logs", "one") == "x\nx\nx"


def test_no_restart_after_success(cooper: Cooper) -> None:
    """on-failure is content with 0."""
    cooper.run("run", "--name", "one", "--restart", "on-failure", "busybox", "true")
    assert cooper.inspect("one", "{{.RestartCount}}") == "0"


def test_restart_always_until_it_is_stopped(cooper: Cooper) -> None:
    """It comes back whatever it ended with, waiting longer each time; `stop` ends it at once even while it waits."""
    cooper.run("run", "-d", "--name", "one", "--restart", "always", "busybox", "true")
    eventually(lambda: int(cooper.inspect("one", "{{.RestartCount}}")) >= 3, "three restarts")
    cooper.run("stop", "-t", "1000", "one")  # longer than the test waits for any command
    assert cooper.inspect("one", "{{.State.Status}}") == "exited"


def test_the_delay_grows(cooper: Cooper) -> None:
    """The times between starts double from 100 ms on."""
    script = "cut -d' ' -f1 /proc/uptime"
    done = cooper.run(
        "run",
        "--name",
        "one",
        "--restart",
        "on-failure:3",
        "busybox",
        "sh",
        "-c",
        f"{script}; false",
        status=1,
    )
    times = [float(word) for word in done.stdout.split()]
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert all(gap >= wanted for gap, wanted in zip(gaps, (0.09, 0.19, 0.39), strict=True)), gaps


def test_out_of_memory(cooper: Cooper) -> None:
    """A container that was killed for its memory says so, and so does `run`."""
    script = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo $x | wc -c"
    done = cooper.run(
        "run",
        "--name",
        "one",
        "-m",
        "16m",
        "--memory-swap",
        "16m",
        "busybox",
        "sh",
        "-c",
        script,
        status=None,
    )
    assert done.returncode != 0
    assert b"ran out of memory" in done.stderr
    assert cooper.inspect("one", "{{.State.OOMKilled}}") == "true"


def test_health(cooper: Cooper) -> None:
    """Checks run in the container: starting, healthy, unhealthy, with their output; the events tell."""
    flags = (
        "--health-cmd",
        "echo checked; test -e /ok",
        "--health-interval",
        "100ms",
        "--health-retries",
        "2",
    )
    cooper.run("run", "-d", "--name", "one", *flags, "busybox", "sh", "-c", "touch /ok; sleep 1000")
    eventually(lambda: cooper.inspect("one", "{{.State.Health.Status}}") == "healthy", "healthy")
    assert "(healthy)" in cooper.out("ps", "--format", "{{.Status}}")
    assert cooper.out("healthcheck", "run", "one") == "checked"
    assert cooper.out("ps", "-q", "--filter", "health=unhealthy") == ""
    cooper.run("exec", "one", "rm", "/ok")
    eventually(lambda: cooper.inspect("one", "{{.State.Health.Status}}") == "unhealthy", "unhealthy")
    cooper.run("healthcheck", "run", "one", status=1)
    health = json.loads(cooper.inspect("one", "{{json .State.Health}}"))
    assert health["FailingStreak"] >= 2
    assert (health["Log"][-1]["ExitCode"], health["Log"][-1]["Output"]) == (1, "checked\n")


def test_checks_while_it_starts(cooper: Cooper) -> None:
    """In the start period checks come at an interval of their own, and failures do not count."""
    flags = {
        "--health-cmd": "test -e /ok",
        "--health-interval": "1h",
        "--health-start-period": "1h",
        "--health-start-interval": "100ms",
        "--health-retries": "1",
        "--network": "none",
    }
    given = (f"{name}={value}" for name, value in flags.items())
    cooper.run("run", "-d", "--name", "one", *given, "busybox", "sleep", "1000")
    eventually(lambda: int(cooper.inspect("one", "{{len .State.Health.Log}}")) >= 2, "two checks")
    assert cooper.inspect("one", "{{.State.Health.Status}}") == "starting"
    cooper.run("exec", "one", "touch", "/ok")
    eventually(lambda: cooper.inspect("one", "{{.State.Health.Status}}") == "healthy", "healthy")


def test_a_check_that_hangs(cooper: Cooper) -> None:
    """Has failed after its time, and its process is gone."""
    flags = (
        "--health-cmd",
        "sleep 4321",
        "--health-interval",
        "100ms",
        "--health-timeout",
        "200ms",
        "--health-retries",
        "1",
    )
    cooper.run("run", "-d", "--name", "one", *flags, "busybox", "sleep", "1000")
    eventually(lambda: cooper.inspect("one", "{{.State.Health.Status}}") == "unhealthy", "unhealthy")
    assert "more than 200 ms" in cooper.inspect("one", "{{(index .State.Health.Log 0).Output}}")


@pytest.mark.parametrize("action", ["kill", "restart"])
def test_what_is_done_when_unhealthy(cooper: Cooper, action: str) -> None:
    """kill ends it, as the restart policy sees it; restart starts it again without a policy."""
    flags = (
        "--health-cmd",
        "false",
        "--health-interval",
        "100ms",
        "--health-retries",
        "1",
        "--health-on-failure",
        action,
    )
    cooper.run("run", "-d", "--name", "one", "--stop-timeout", "1", *flags, "busybox", "sleep", "1000")
    if action == "kill":
        assert cooper.out("wait", "one") == "137"
    else:
        eventually(lambda: cooper.inspect("one", "{{.RestartCount}}") != "0", "started again")


def test_the_supervisor_is_killed(cooper: Cooper) -> None:
    """The next command ends the container, which nobody looks after any more, and says what happened.

    What is to run always is started as after a reboot.
    """
    cooper.run("run", "-d", "--name", "one", "--restart", "always", "busybox", "sleep", "1000")
    pid = int(cooper.inspect("one", "{{.State.Pid}}"))
    supervisor = supervisor_of(cooper, "one")
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not alive(supervisor), "it is gone")
    assert cooper.out("ps", "-a", "--format", "{{.Names}} {{.State}}") == "one exited"
    assert not alive(pid)
    assert "supervisor" in cooper.inspect("one", "{{.State.Error}}")
    assert cooper.out("system", "restart") == "one"
    assert cooper.inspect("one", "{{.State.Status}}") == "running"


def test_the_client_is_killed(cooper: Cooper) -> None:
    """A foreground `run` that is killed leaves its container running, and --rm is still done."""
    process = cooper.start(
        "run", "--rm", "-i", "--name", "one", "busybox", "sh", "-c", "echo ready; sleep 1000"
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert cooper.inspect("one", "{{.State.Status}}") == "running"
    cooper.run("stop", "-t", "0", "one")
    eventually(lambda: cooper.out("ps", "-aq") == "", "it is removed")


def test_terminated_with_the_machine(cooper: Cooper) -> None:
    """TERM to the supervisor, as at a shutdown, stops the container in an orderly way."""
    script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    cooper.run("run", "-d", "--name", "one", "busybox", "sh", "-c", script)
    eventually(lambda: "ready" in cooper.out("logs", "one"), "ready")
    os.kill(supervisor_of(cooper, "one"), signal.SIGTERM)
    assert cooper.out("wait", "one") == "3"
    eventually(lambda: cooper.inspect("one", "{{.State.Status}}") == "exited", "exited")


def test_after_a_reboot(cooper: Cooper) -> None:
    """Containers that ran show as exited; `system restart` brings back those that are to run always."""
    for name, policy in (("one", "always"), ("two", "no"), ("three", "unless-stopped")):
        cooper.run(
            *("run", "-d", "--name", name, "--restart", policy, "--stop-timeout", "1", "--network", "none"),
            *("busybox", "sleep", "1000"),
        )
    cooper.run(
        "run",
        "-d",
        "--name",
        "four",
        "--restart",
        "unless-stopped",
        "--network",
        "none",
        "busybox",
        "sleep",
        "9",
    )
    cooper.run("stop", "-t", "0", "four")
    for name in ("one", "two", "three"):
        # As the kernel ends them with the machine: all at once, without a word to anybody.
        pid = int(cooper.inspect(name, "{{.State.Pid}}"))
        os.kill(supervisor_of(cooper, name), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: not alive(pid), "it is dead")  # type: ignore[misc]
    assert set(cooper.out("ps", "-a", "--format", "{{.State}}").split()) == {"exited"}
    for again in (False, True):
        assert sorted(cooper.out("system", "restart").split()) == ["one", "three"], again
        assert sorted(cooper.out("ps", "--format", "{{.Names}}").split()) == ["one", "three"]
        # As the unit does when the machine is shut down, which is nobody's wish to have them stopped.
        assert sorted(cooper.out("system", "stop").split()) == ["one", "three"]
        assert cooper.out("ps", "-q") == ""
