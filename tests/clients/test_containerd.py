"""containerd's runc shim with the runtime as its executable."""

from __future__ import annotations

from .containerd import Containerd
from .engines import GROUP
from .host import alive, cgroups_below, eventually, limits, status_field


def test_output_and_exit_code(ctr: Containerd) -> None:
    """Output, errors and exit code are the program's."""
    done = ctr.run("sh", "-c", "echo to-output; echo to-errors >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "to-output\n", "to-errors\n")


def test_program_that_cannot_run(ctr: Containerd) -> None:
    """A program that is not there is an error that names it, and leaves no task."""
    done = ctr.run("/none")
    assert done.returncode != 0
    assert "/none" in done.stderr
    assert not ctr.ok("task", "list", "--quiet")


def test_terminal(ctr: Containerd) -> None:
    """With --tty the program has a controlling terminal of the caller's size."""
    with ctr.run_terminal("sh", rows=33, columns=111) as terminal:
        terminal.expect("# ")
        terminal.type("tty; until stty size | grep '33 111'; do :; done\n")
        terminal.expect("/dev/pts/0\n")
        terminal.expect("33 111\n")
        terminal.type("exit 5\n")
        assert terminal.exit_code() == 5


def test_detached(ctr: Containerd) -> None:
    """A detached container runs on, and its end is seen."""
    container = ctr.start("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait")
    pid = ctr.pid(container)
    assert ctr.status(container) == "RUNNING" and alive(pid)
    ctr.ok("task", "kill", "--signal=KILL", container)
    eventually(lambda: ctr.status(container) == "STOPPED", "containerd has seen the end")
    assert not alive(pid)


def test_exec(ctr: Containerd) -> None:
    """A program runs in a running container with its own exit code, or is an error that names it."""
    container = ctr.start("sleep", "1000")
    done = ctr(*ctr.exec(container, "sh", "-c", "cat /proc/1/comm; exit 9"))
    assert (done.returncode, done.stdout) == (9, "sleep\n")
    failed = ctr(*ctr.exec(container, "/none"))
    assert failed.returncode != 0
    assert "/none" in failed.stderr


def test_exec_terminal(ctr: Containerd) -> None:
    """A program on a terminal runs in a running container."""
    container = ctr.start("sleep", "1000")
    with ctr.terminal(*ctr.exec(container, "sh", tty=True), rows=33, columns=111) as terminal:
        terminal.expect("# ")
        terminal.type("until stty size | grep '33 111'; do :; done\n")
        terminal.expect("33 111\n")
        terminal.type("exit 6\n")
        assert terminal.exit_code() == 6


def test_pause(ctr: Containerd) -> None:
    """A task can be paused and resumed."""
    container = ctr.start("sleep", "1000")
    ctr.ok("task", "pause", container)
    assert ctr.status(container) == "PAUSED"
    ctr.ok("task", "resume", container)
    assert ctr.status(container) == "RUNNING"


def test_processes_and_metrics(ctr: Containerd) -> None:
    """The task's processes are listed, and its figures read."""
    container = ctr.start("sleep", "1000")
    assert str(ctr.pid(container)) in ctr.ok("task", "ps", container).split()
    assert "memory" in ctr.ok("task", "metrics", container)


def test_limits(ctr: Containerd) -> None:
    """Memory and CPU limits are the ones asked for."""
    flags = [f"--memory-limit={48 << 20}", "--cpu-quota=50000", "--cpu-period=100000"]
    found = limits(ctr.pid(ctr.start("sleep", "1000", flags=flags)))
    assert (found["memory"], found["cpu"]) == (str(48 << 20), "50000 100000")


def test_seccomp(ctr: Containerd) -> None:
    """containerd's own seccomp profile is loaded."""
    assert status_field(ctr.pid(ctr.start("sleep", "1000", flags=["--seccomp"])), "Seccomp") == "2"


def test_user_namespace(ctr: Containerd) -> None:
    """With id maps the container's root is the host's user 100000."""
    flags = ["--uidmap=0:100000:65536", "--gidmap=0:200000:65536"]
    pid = ctr.pid(ctr.start("sleep", "1000", flags=flags))
    assert status_field(pid, "Uid").split()[0] == "100000"
    assert status_field(pid, "Gid").split()[0] == "200000"


def test_forced_removal(ctr: Containerd) -> None:
    """A forced removal leaves no process and no control group."""
    container = ctr.start("sleep", "1000")
    pid = ctr.pid(container)
    ctr.ok("task", "delete", "--force", container)
    assert not alive(pid)
    left = [path for path in cgroups_below(GROUP) if path.name == container]
    eventually(lambda: not any(path.exists() for path in left), "its control groups are removed")
