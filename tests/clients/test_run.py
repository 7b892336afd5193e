"""`run` through podman and Docker: output, exit codes, terminals, and the container's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from .engines import Engine, require_privileges
from .host import alive, eventually, limits, status_field


def test_output_and_errors_stay_apart(engine: Engine) -> None:
    """What the program writes to standard output and standard error comes out there and nowhere else."""
    done = engine.run("sh", "-c", "echo to-output; echo to-errors >&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "to-output\n", "to-errors\n")


@pytest.mark.parametrize("code", [1, 7, 255])
def test_exit_code(engine: Engine, code: int) -> None:
    """The program's exit code is the engine's."""
    assert engine.run("sh", "-c", f"exit {code}").returncode == code


def test_death_by_signal(engine: Engine) -> None:
    """A program that dies of signal N gives 128 + N."""
    assert engine.run("--init", "sh", "-c", "kill -9 $$").returncode == 137


@pytest.mark.parametrize(
    ("program", "code"), [("/none", 127), ("none-in-path", 127), ("/etc/plain", 126), ("/etc", 126)]
)
def test_program_that_cannot_run(engine: Engine, program: str, code: int) -> None:
    """A missing program gives 127, one that cannot be executed gives 126, and the message names it."""
    done = engine.run(program)
    assert done.returncode == code, done.stderr
    assert program in done.stderr


def test_standard_input(engine: Engine) -> None:
    """With -i the program reads the engine's standard input to its end."""
    assert engine.run("-i", "tr", "a-z", "A-Z", text="one\ntwo\n").stdout == "ONE\nTWO\n"


def test_much_output(engine: Engine) -> None:
    """Output beyond every pipe's size comes out whole."""
    done = engine.run("sh", "-c", "dd if=/dev/zero bs=1024 count=2048 2>/dev/null | tr '\\0' x")
    assert done.stdout == "x" * 2048 * 1024


def test_terminal(engine: Engine) -> None:
    """With -it the program has a terminal of the caller's size, and its exit code is passed on."""
    with engine.run_terminal("sh", rows=33, columns=111) as terminal:
        terminal.expect("# ")
        terminal.type("tty; echo $((6 * 7))\n")
        terminal.expect("/dev/pts/0\n42\n")
        terminal.type("until stty size | grep '33 111'; do :; done\n")
        terminal.expect("\n33 111\n")
        terminal.type("exit 5\n")
        assert terminal.exit_code() == 5


def test_terminal_interrupt(engine: Engine) -> None:
    """Ctrl-C on the terminal interrupts the foreground program and leaves the shell running."""
    with engine.run_terminal("sh") as terminal:
        terminal.expect("# ")
        # The program says itself that it runs: a shell that is only about to start it may lose the signal.
        terminal.type("sh -c 'echo going; exec sleep 1000'\n")
        terminal.expect("\ngoing\n")
        terminal.type("\x03")
        terminal.expect("# ")
        terminal.type("echo code $?; exit\n")
        terminal.expect("\ncode 130\n")


def test_terminal_resize(engine: Engine) -> None:
    """A new size of the caller's terminal becomes the size of the container's."""
    with engine.run_terminal("sh") as terminal:
        terminal.expect("# ")
        terminal.type("until stty size | grep '50 132'; do :; done\n")

        def resized() -> bool:
            # Once more if it was not seen: the engine's command may not have been listening for it yet.
            terminal.resize(49, 132)
            terminal.resize(50, 132)
            return terminal.saw("\n50 132\n")

        eventually(resized, "the container's terminal has the new size")
        terminal.type("exit\n")
        assert terminal.exit_code() == 0


def test_detached(engine: Engine) -> None:
    """A detached container runs on after the command, and its output and exit code can be had later."""
    container = engine.start("sh", "-c", "echo said; echo complained >&2; exit 3")
    assert engine.ok("wait", container) == "3"
    logs = engine("logs", container)
    assert (logs.stdout, logs.stderr) == ("said\n", "complained\n")
    assert engine.status(container) == "exited"


def test_detached_terminal(engine: Engine) -> None:
    """A detached container can have a terminal, and attaching to it reaches the program."""
    container = engine.start("-it", "sh")
    with engine.terminal("attach", container) as terminal:
        terminal.type("echo $((40 + 2)); exit 4\n")
        terminal.expect("42\n")
        terminal.exit_code()
    assert engine.ok("wait", container) == "4"


def test_limits(engine: Engine) -> None:
    """Memory, CPU and process limits are the ones asked for."""
    container = engine.start("--memory=48m", "--cpus=0.5", "--pids-limit=64", "sleep", "1000")
    assert limits(engine.pid(container)) == {"memory": str(48 << 20), "cpu": "50000 100000", "pids": "64"}


def test_memory_limit_is_enforced(engine: Engine) -> None:
    """A program that needs more memory than its container may have is killed."""
    done = engine.run("--memory=16m", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")
    assert done.returncode == 137


def test_pids_limit_is_enforced(engine: Engine) -> None:
    """A container cannot have more processes than its limit."""
    done = engine.run("--pids-limit=4", "sh", "-c", "for i in 1 2 3 4 5 6; do sleep 1000 & done")
    assert done.returncode != 0
    assert "can't fork" in done.stderr


def test_user(engine: Engine) -> None:
    """The program runs as the user, the group and the additional groups asked for, without capabilities."""
    script = "id -u; id -g; id -G; grep CapEff /proc/self/status"
    done = engine.run("--user=1000:1000", "--group-add=2000", "sh", "-c", script)
    assert done.stdout.split() == ["1000", "1000", "1000", "2000", "CapEff:", "0" * 16]


def test_environment_directory_and_names(engine: Engine) -> None:
    """Environment, working directory and host name are the ones asked for."""
    flags = ["--env=A=b c", "--workdir=/tmp", "--hostname=box"]
    done = engine.run(*flags, "sh", "-c", 'echo "$A"; pwd; hostname')
    assert done.stdout == "b c\n/tmp\nbox\n"


def test_mounts(engine: Engine, tmp_path: Path) -> None:
    """Volumes are there, read-only ones and a read-only root refuse writing, and a tmpfs takes it."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "fixed").mkdir()
    volumes = [f"--volume={tmp_path}/shared:/shared", f"--volume={tmp_path}/fixed:/fixed:ro"]
    script = "for place in / /fixed /scratch /shared; do touch $place/file 2>/dev/null && echo $place; done"
    done = engine.run("--read-only", *volumes, "--tmpfs=/scratch", "sh", "-c", script)
    assert done.stdout.split() == ["/scratch", "/shared"]
    assert (tmp_path / "shared" / "file").exists()


def test_confinement(engine: Engine) -> None:
    """A container has a seccomp filter, few capabilities, masked paths and no other processes in sight."""
    script = "ls -d /proc/[0-9]* | wc -l; wc -c </proc/keys; echo core >/proc/sys/kernel/core_pattern"
    done = engine.run("sh", "-c", script)
    processes, size_of_masked = done.stdout.split()
    assert int(processes) < 4 and size_of_masked == "0"
    assert "Read-only file system" in done.stderr
    pid = engine.pid(engine.start("--security-opt=no-new-privileges", "sleep", "1000"))
    assert status_field(pid, "Seccomp") == "2"
    assert status_field(pid, "NoNewPrivs") == "1"
    assert not int(status_field(pid, "CapBnd"), 16) & 1 << 21, "the container has CAP_SYS_ADMIN"


def test_privileged(engine: Engine) -> None:
    """A privileged container has the host's devices and no seccomp filter, and may mount."""
    require_privileges(engine)
    script = "mount -t tmpfs none /tmp && ls /dev/kmsg && grep Seccomp: /proc/self/status"
    assert engine.run("--privileged", "sh", "-c", script).stdout.split() == ["/dev/kmsg", "Seccomp:", "0"]


def test_sysctl_and_device(engine: Engine) -> None:
    """A sysctl of the container's namespace is set, and a device that was passed in works."""
    script = "cat /proc/sys/net/ipv4/ip_forward; head -c 4 /dev/nil | wc -c"
    done = engine.run("--sysctl=net.ipv4.ip_forward=1", "--device=/dev/zero:/dev/nil", "sh", "-c", script)
    assert done.stdout == "1\n4\n"


def test_shared_namespaces(engine: Engine) -> None:
    """A container can join another one's network, PID and IPC namespaces."""
    first = engine.start("--ipc=shareable", "sleep", "1000")
    flags = [f"--{kind}=container:{first}" for kind in ("network", "pid", "ipc")]
    done = engine.run(*flags, "ps", "-o", "args")
    assert "sleep 1000" in done.stdout


def test_own_init_reaps(engine: Engine) -> None:
    """With --init the program is not process 1, and orphans are reaped."""
    script = "(true &); echo $$; until ! ps -o stat | grep -q Z; do :; done"
    assert engine.run("--init", "sh", "-c", script).stdout.strip() not in ("", "1")


def test_nothing_is_left_of_a_failed_start(engine: Engine) -> None:
    """After a container whose program cannot run, its removal succeeds and the next one runs."""
    container = engine.create("/none")
    assert engine("start", container).returncode != 0
    engine.ok("rm", container)
    assert engine.run("true").returncode == 0


def test_process_ends_with_its_container(engine: Engine) -> None:
    """When the first process ends, the container's others end, too."""
    container = engine.start("--init", "sleep", "1000")
    pid = engine.pid(container)
    engine.ok("exec", "--detach", container, "sleep", "2000")
    engine.ok("kill", container)
    eventually(lambda: not alive(pid), "the container's process has ended")
    eventually(lambda: engine.status(container) == "exited", "the engine has seen it")
