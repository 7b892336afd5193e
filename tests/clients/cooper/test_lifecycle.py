"""Containers in the background: started, stopped, listed, removed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ..host import alive, eventually, frozen
from .program import Cooper

OBEDIENT = ("busybox", "sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")


def run_ready(cooper: Cooper, name: str, *flags: str) -> None:
    """The container of this name handles TERM now."""
    cooper.run("run", "-d", "--name", name, "--network", "none", *flags, *OBEDIENT)
    eventually(lambda: "ready" in cooper.out("logs", name), "it is ready")


def test_stop_waits_for_the_program(cooper: Cooper) -> None:
    """TERM is sent once, the program's own end is awaited, and its status kept."""
    run_ready(cooper, "one")
    cooper.run("stop", "one")
    assert cooper.inspect("one", "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}") == "exited 3 0"
    assert cooper.out("logs", "one") == "ready\nbye"


def test_stop_kills_what_does_not_listen(cooper: Cooper) -> None:
    """After the time given, together for several containers; what a first process ignores is explained."""
    for name in ("one", "two"):
        cooper.run("run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "1000")
    began = time.monotonic()
    done = cooper.run("stop", "-t", "1", "one", "two")
    assert time.monotonic() - began < 10  # what it would wait without being told
    assert done.stdout == b"one\ntwo\n"
    assert b"--init" in done.stderr
    assert (
        cooper.out("ps", "-a", "--format", "{{.Names}} {{.State}} {{.ExitCode}}")
        == "two exited 137\none exited 137"
    )


def test_start_again_and_restart(cooper: Cooper) -> None:
    """A container keeps its files, runs its program again, and `restart` replaces the process."""
    run_ready(cooper, "one")
    cooper.run("exec", "one", "sh", "-c", "echo kept > /file")
    first = int(cooper.inspect("one", "{{.State.Pid}}"))
    cooper.run("restart", "one")
    assert not alive(first)
    assert cooper.out("exec", "one", "cat", "/file") == "kept"
    cooper.run("stop", "one")
    assert cooper.out("start", "one") == "one"
    assert cooper.inspect("one", "{{.State.Status}} {{.State.ExitCode}}") == "running 0"
    cooper.run("start", "one")  # it does already


def test_start_in_the_foreground(cooper: Cooper) -> None:
    """`start -a` shows what the program writes and ends with its status; -i passes the input on."""
    cooper.run("create", "--name", "one", "-i", "--network", "none", "busybox", "sh", "-c", "cat; exit 4")
    done = cooper.run("start", "-ai", "one", stdin=b"text", status=4)
    assert done.stdout == b"text"


def test_kill_and_wait(cooper: Cooper) -> None:
    """Any signal can be sent; `wait` prints the exit status, before and after the end."""
    run_ready(cooper, "one")
    waiting = cooper.start("wait", "one")
    cooper.run("kill", "-s", "TERM", "one")
    assert waiting.communicate(timeout=60)[0] == b"3\n"
    assert cooper.inspect("one", "{{.State.Status}}") == "exited"
    assert cooper.out("wait", "one") == "3"
    assert "is not running" in cooper.error("kill", "one", status=1)
    assert "is not a signal" in cooper.error("kill", "-s", "NONSENSE", "one", status=1)


def test_all_of_those_that_run(cooper: Cooper) -> None:
    """`--all` leaves out what there is nothing to do for; without it and without a name nothing is done."""
    run_ready(cooper, "one")
    cooper.run("create", "--name", "two", "busybox")
    identity = cooper.inspect("one", "{{.Id}}")
    assert cooper.out("pause", "--all") == cooper.out("unpause", "--all") == identity
    for command in ("pause", "unpause", "kill", "stop", "restart", "rm"):
        assert "which container?" in cooper.error(command)
    assert cooper.out("kill", "-s", "TERM", "--all") == identity
    assert cooper.out("wait", "one") == "3"
    assert cooper.out("stop", "--all") == ""


def test_pause(cooper: Cooper) -> None:
    """A paused container is frozen, says so, takes no exec, and can be stopped."""
    run_ready(cooper, "one")
    pid = int(cooper.inspect("one", "{{.State.Pid}}"))
    cooper.run("pause", "one")
    assert frozen(pid)
    assert cooper.out("ps", "--format", "{{.State}}") == "paused"
    assert "is paused" in cooper.error("exec", "one", "true", status=1)
    assert "already paused" in cooper.error("pause", "one", status=1)
    cooper.run("unpause", "one")
    assert not frozen(pid)
    cooper.run("pause", "one")
    cooper.run("stop", "one")
    assert cooper.inspect("one", "{{.State.ExitCode}}") == "3"


def test_remove(cooper: Cooper) -> None:
    """What runs is removed only by force; what does not exist is an error without it."""
    run_ready(cooper, "one")
    assert "cooper rm -f" in cooper.error("rm", "one", status=1)
    assert cooper.out("rm", "-f", "one") == "one"
    assert cooper.out("ps", "-aq") == ""
    assert "there is no container one" in cooper.error("rm", "one", status=1)
    cooper.run("rm", "-f", "one")


def test_removed_at_its_end(cooper: Cooper) -> None:
    """--rm works for a detached container: nothing is left without any command's help."""
    cooper.run("run", "-d", "--rm", "--name", "one", "-v", "/anonymous", "busybox", "true")
    eventually(lambda: not (cooper.root / "state.db").exists() or not cooper.leftovers(), "it is gone")
    assert cooper.out("ps", "-aq") == ""
    assert cooper.out("volume", "ls", "-q") == ""


def test_rename(cooper: Cooper) -> None:
    """The new name counts at once, also for a container that runs."""
    run_ready(cooper, "one")
    cooper.run("create", "--name", "two", "busybox")
    assert "is taken" in cooper.error("rename", "one", "two", status=1)
    cooper.run("rename", "one", "three")
    cooper.run("stop", "three")
    assert sorted(cooper.out("ps", "-a", "--format", "{{.Names}}").split()) == ["three", "two"]


def test_ids_may_be_short(cooper: Cooper) -> None:
    """The beginning of an id is enough while it is the only one."""
    whole = cooper.out("create", "--name", "one", "busybox")
    assert cooper.inspect(whole[:5], "{{.Name}}") == "one"
    assert "there is no container" in cooper.error("inspect", "--type", "container", "0" * 30, status=1)


def test_the_list(cooper: Cooper) -> None:
    """Filters and forms as docker has them; a table without colours or cuts for a pipe."""
    run_ready(cooper, "one", "--label", "tier=front", "--label", "plain")
    cooper.run("create", "--name", "two", "--label", "tier=back", "busybox", "true")
    cooper.run("run", "--name", "three", "busybox", "sh", "-c", "exit 5", status=5)

    def names(*filters: str) -> str:
        return cooper.out("ps", "-a", "--format", "{{.Names}}", *(f"--filter={text}" for text in filters))

    assert cooper.out("ps", "--format", "{{.Names}}") == "one"
    assert names("label=tier=front") == names("label=plain") == names("status=running") == "one"
    assert names("status=created") == "two"
    assert names("exited=5") == "three"
    assert names("name=t", "label=tier") == "two"
    assert names("status=created", "status=running") == names("label=tier") == "two\none"
    assert names("label=tier", "label=plain") == "one"
    assert names("ancestor=busybox") == "three\ntwo\none"
    assert names("before=two") == "one"
    assert "unknown key" in cooper.error("ps", "--filter", "nonsense=1")
    assert cooper.out("ps", "-a", "-n", "1", "--format", "{{.Names}}") == "three"
    assert cooper.out("ps", "-n", "1", "-f", "name=t", "-f", "name=two", "--format", "{{.Names}}") == "three"
    assert json.loads(cooper.out("ps", "--format", "{{json .}}"))["Names"] == "one"
    row = json.loads(cooper.out("ps", "--format", "json"))
    assert (row["Names"], row["State"], row["Image"]) == ("one", "running", "busybox")
    assert row["Status"].startswith("Up ")
    assert cooper.out("ps", "--format", 'table {{.Names}}\t{{.Label "tier"}}').split() == [
        "NAMES",
        "tier",
        "one",
        "front",
    ]
    lines = cooper.out("ps", "-a").splitlines()
    assert lines[0].split()[:2] == ["CONTAINER", "ID"]
    assert "\x1b" not in "".join(lines)
    assert "there is no .Nonsense" in cooper.error("ps", "--format", "{{.Nonsense}}")


def test_exec(cooper: Cooper) -> None:
    """One more program: its streams, status, user, directory, environment, and failures."""
    run_ready(cooper, "one", "-e", "FIRST=1", "-w", "/tmp")
    done = cooper.run("exec", "one", "sh", "-c", "echo out; echo err >&2; exit 6", status=6)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")
    assert cooper.out("exec", "-i", "one", "cat", stdin=b"in") == "in"
    script = "id -u; pwd; echo $FIRST $SECOND"
    assert cooper.out("exec", "-e", "SECOND=2", "one", "sh", "-c", script) == "0\n/tmp\n1 2"
    assert cooper.out("exec", "-u", "worker", "-w", "/etc", "one", "sh", "-c", "id -u; pwd") == "1000\n/etc"
    assert cooper.run("exec", "-t", "one", "echo", "x").stdout == b"x\r\n"
    assert cooper.run("exec", "one", "nonexistent", status=127).stderr.count(b"\n") == 1
    cooper.run("exec", "one", "/etc/plain", status=126)
    cooper.run("exec", "-d", "one", "sleep", "1234")
    eventually(lambda: "\nsleep 1234" in cooper.out("top", "one", "args"), "it runs")
    for flags in ("-d", "-t", "-dt"):
        assert "not found in $PATH" in cooper.error("exec", flags, "one", "nonexistent", status=127)
    cooper.run("exec", "-dt", "one", "sh", "-c", "tty > /tty; sleep 1235")
    eventually(
        lambda: cooper.out("exec", "one", "cat", "/tty", status=None).startswith("/dev/pts/"), "a terminal"
    )
    assert "\nsleep 1235" in cooper.out("top", "one", "args")
    cooper.run("stop", "one")
    assert "is not running" in cooper.error("exec", "one", "true", status=1)


def test_exec_privileged(cooper: Cooper) -> None:
    """--privileged gives the program what the container does not have."""
    run_ready(cooper, "one", "--cap-drop", "ALL")
    script = ("sh", "-c", "grep CapEff /proc/self/status")
    assert cooper.out("exec", "one", *script).split()[1] == "0" * 16
    assert int(cooper.out("exec", "--privileged", "one", *script).split()[1], 16) > 1 << 21


def test_top_and_stats(cooper: Cooper) -> None:
    """Processes and use of the machine, from the host's own files."""
    run_ready(cooper, "one", "-m", "64m")
    header, *rows = cooper.out("top", "one", "pid", "args").splitlines()
    assert header.split() == ["PID", "COMMAND"]
    assert cooper.inspect("one", "{{.State.Pid}}") in [row.split()[0] for row in rows]
    for form in ("aux", "-ef"):
        assert "trap" in cooper.out("top", "one", form)
    assert cooper.out("top", "one", "-o", "pid,cmd").split()[:2] == ["PID", "COMMAND"]
    usage = json.loads(cooper.out("stats", "--no-stream", "--format", "json", "one"))
    assert usage["MemUsage"].endswith("/ 64MiB")
    assert int(usage["PIDs"]) >= 1


def test_inspect(cooper: Cooper) -> None:
    """What was asked for is found again, under docker's names."""
    cooper.run(
        "create",
        "--name",
        "one",
        "-e",
        "A=b",
        "-m",
        "100m",
        "--cpus",
        "1.5",
        "--label",
        "x=y",
        "busybox",
        "ls",
        "/",
    )
    found = json.loads(cooper.out("inspect", "one"))[0]
    assert (found["Path"], found["Args"]) == ("ls", ["/"])
    assert found["State"]["Status"] == "created"
    assert "A=b" in found["Config"]["Env"]
    assert (found["HostConfig"]["Memory"], found["HostConfig"]["NanoCpus"]) == (100 << 20, 1_500_000_000)
    assert cooper.inspect("one", '{{index .Config.Labels "x"}}{{if .State.Running}}!{{end}}') == "y"
    done = cooper.run("inspect", "one", "nonexistent", status=1)
    assert len(json.loads(done.stdout)) == 1
    assert cooper.out("image", "inspect", "nonexistent", status=1) == "[]"


def test_names_that_scripts_ask_for(cooper: Cooper) -> None:
    """What docker's users take out of `inspect` and `version` is there, before and while the container runs."""
    check = ("--health-cmd", "true", "--health-interval", "1m")
    cooper.run(
        "create",
        "--name",
        "one",
        "-p",
        "127.0.0.1:8080:80",
        "-p",
        "53/udp",
        *check,
        "busybox",
        "sleep",
        "1000",
    )
    assert json.loads(cooper.inspect("one", "{{json .HostConfig.PortBindings}}")) == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "53/udp": [{"HostIp": "", "HostPort": ""}],
    }
    assert json.loads(cooper.inspect("one", "{{json .Config.Healthcheck}}")) == {
        "Test": ["CMD", "/bin/sh", "-c", "true"],
        **{
            "Interval": 60 * 10**9,
            "Timeout": 30 * 10**9,
            "StartPeriod": 0,
            "StartInterval": 5 * 10**9,
            "Retries": 3,
        },
    }
    cooper.run("run", "-d", "--name", "two", "--network", "none", "busybox", "sleep", "1000")
    assert (
        cooper.inspect("two", "{{.Driver}} {{.Platform}} {{.Config.AttachStdout}}") == "overlay linux false"
    )
    assert cooper.inspect("two", "{{.NetworkSettings.Bridge}}{{.ResolvConfPath}}") == ""
    hosts = Path(cooper.inspect("two", "{{.HostsPath}}")).read_text()
    assert cooper.inspect("two", "{{.Config.Hostname}}") in hosts
    assert cooper.out("exec", "two", "cat", "/etc/hostname") == cooper.inspect("two", "{{.Config.Hostname}}")
    assert (Path(cooper.inspect("two", "{{.GraphDriver.Data.MergedDir}}")) / "bin/busybox").exists()
    size, virtual = cooper.out(
        "image", "inspect", "-f", "{{.Size}} {{.VirtualSize}}{{.Parent}}", "busybox"
    ).split()
    assert size == virtual
    assert cooper.out("version", "--format", "{{.Server.Os}} {{.Client.Version}}").split()[0] == "linux"


def test_events(cooper: Cooper) -> None:
    """What happened is told in order, and while it happens."""
    following = cooper.start("events", "--format", "{{.Action}} {{.Name}}", "--filter", "container=one")
    assert following.stdout is not None
    eventually(
        lambda: (cooper.run("create", "--name", "zero", "busybox"), cooper.run("rm", "zero")), "both ran"
    )
    cooper.run("run", "--rm", "--name", "one", "--network", "none", "busybox", "sh", "-c", "exit 2", status=2)
    seen = [following.stdout.readline().decode().strip() for _ in range(4)]
    following.terminate()
    following.communicate()
    assert seen == ["create one", "start one", "die one", "destroy one"]
    past = cooper.out(
        "events", "--since", "1m", "--until", "0s", "--filter", "event=die", "--format", "{{.exitCode}}"
    )
    assert past.splitlines()[-1] == "2"
    form = "{{.Type}} {{.Status}} {{.Actor.Attributes.name}} {{.From}}"
    past = cooper.out("events", "--since", "1m", "--until", "0s", "-f", "container=one", "--format", form)
    assert past.splitlines()[-2] == "container die one busybox"
    assert "label" in cooper.error("events", "--filter", "label=x")


def test_nothing_is_removed_that_nobody_confirmed(cooper: Cooper) -> None:
    """Without --force the answer is read from wherever standard input comes, and none means no."""
    cooper.run("create", "--name", "one", "-v", "/data", "busybox")
    for words in (("container", "prune"), ("system", "prune", "--volumes")):
        assert b"[y/N]" in cooper.run(*words, status=1).stderr
        cooper.run(*words, status=1, stdin=b"no\n")
    assert cooper.out("ps", "-a", "--format", "{{.Names}}") == "one"
    cooper.run("container", "prune", stdin=b"y\n")
    assert cooper.out("ps", "-aq") == ""


def test_prune_by_age_and_label(cooper: Cooper) -> None:
    """What is younger, or has not the label, stays; images as well."""
    cooper.run("create", "--name", "one", "--label", "keep", "busybox")
    for words in (("container", "prune", "-f"), ("system", "prune", "-af"), ("image", "prune", "-af")):
        assert "none of label, until" in cooper.error(*words, "--filter", "name=one")
        cooper.run(*words, "--filter", "until=24h")
        cooper.run(*words, "--filter", "label!=keep", "--filter", "until=2020-01-01T00:00:00Z")
        cooper.run(*words, "--filter", "label=other")
    assert cooper.out("ps", "-a", "--format", "{{.Names}}") == "one"
    cooper.run("container", "prune", "-f", "--filter", "until=0s", "--filter", "label=keep")
    assert cooper.out("ps", "-aq") == ""
    cooper.run("image", "prune", "-af", "--filter", "until=10m")
    assert cooper.out("images", "-q", "busybox") != ""


@pytest.mark.parametrize("flag", ["-a", "--filter=label=gone"])
def test_prune(cooper: Cooper, flag: str) -> None:
    """Containers that do not run are removed; those that do stay."""
    run_ready(cooper, "one")
    cooper.run("create", "--name", "two", "--label", "gone", "busybox")
    given = () if flag == "-a" else (flag,)
    cooper.run("container", "prune", "-f", *given)
    assert cooper.out("ps", "-a", "--format", "{{.Names}}") == "one"
