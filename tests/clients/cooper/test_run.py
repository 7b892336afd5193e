"""`cooper run`: streams, exit statuses, environment, terminal, what is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ..host import eventually
from ..terminal import Terminal
from .program import Cooper


def test_both_streams_and_the_exit_status(cooper: Cooper) -> None:
    """Output and errors come out where the program wrote them; its exit status is cooper's."""
    done = cooper.run("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7", status=7)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")


def test_a_signal_that_ends_the_program(cooper: Cooper) -> None:
    """Counts as 128 and its number, as in a shell."""
    process = cooper.start(
        "run", "--rm", "--name", "one", "busybox", "sh", "-c", "echo ready; exec sleep 1000"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    cooper.run("kill", "one")
    process.communicate(timeout=60)
    assert process.returncode == 137


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("busybox", "/nonexistent"), 127, "no such file or directory"),
        (("busybox", "nonexistent"), 127, "not found in $path"),
        (("busybox", "/etc"), 126, "start "),
        (("busybox", "/etc/plain"), 126, "permission denied"),
        (("--nonsense", "busybox"), 125, "unknown flag: --nonsense"),
        (("--pull", "never", "nonexistent"), 125, "there is no image nonexistent"),
        (("-v", "relative", "busybox"), 125, "not an absolute path"),
        (("--runtime", "/nonexistent", "busybox"), 125, "there is no program /nonexistent"),
        (("--network", "nonexistent", "busybox"), 125, "nonexistent"),
        (("-m", "much", "busybox"), 125, "'much' is not a size"),
    ],
)
def test_failures_are_one_line_with_docker_s_status(
    cooper: Cooper, words: tuple[str, ...], status: int, text: str
) -> None:
    """125 for cooper's own failures, 126 and 127 for a program that cannot be run; nothing is left of it."""
    assert text in cooper.error("run", "--rm", *words, status=status).lower()
    assert cooper.out("ps", "-aq") == ""


def test_standard_input(cooper: Cooper) -> None:
    """With -i what comes in is the program's, to its end; without, there is nothing to read."""
    data = os.urandom(3_000_000)
    assert cooper.run("run", "--rm", "-i", "busybox", "cat", stdin=data).stdout == data
    assert cooper.run("run", "--rm", "busybox", "cat", stdin=b"unread").stdout == b""


def test_a_slow_reader_loses_nothing(cooper: Cooper) -> None:
    """What a client does not read yet waits in the container, not in memory."""
    process = cooper.start("run", "--rm", "busybox", "sh", "-c", "yes | head -c 5000000", bufsize=0)
    assert process.stdout is not None
    first = process.stdout.read(10)
    rest, _ = process.communicate(timeout=60)
    assert (len(first + rest), process.returncode) == (5_000_000, 0)


def test_the_environment_is_not_the_host_s(cooper: Cooper, tmp_path: Path) -> None:
    """Only what is given gets in, by value, by name, and from files."""
    (tmp_path / "env").write_text("# comment\nFROM_FILE=two words\nPASSED\n")
    done = cooper.run(
        *("run", "--rm", "-e", "GIVEN=b", "-e", "NAMED", "-e", "ABSENT", "--env-file", tmp_path / "env", "busybox", "env"),
        env={"SECRET": "s", "NAMED": "n", "PASSED": "p"},
    )  # fmt: skip
    lines = done.stdout.decode().splitlines()
    assert {"GIVEN=b", "NAMED=n", "FROM_FILE=two words", "PASSED=p"} <= set(lines)
    assert not [line for line in lines if "SECRET" in line or "ABSENT" in line]


def test_arguments_stay_as_they_are(cooper: Cooper) -> None:
    """No word is split, joined or expanded."""
    words = ("a b", "", "$HOME", "*", "'", "\n", "--flag")
    out = cooper.run("run", "--rm", "busybox", "printf", "%s|", *words).stdout
    assert out.decode() == "".join(f"{word}|" for word in words)


def test_user_directory_and_entrypoint(cooper: Cooper) -> None:
    """Names are looked up in the image; the entry point can be replaced."""
    flags = ("-u", "worker", "-w", "/made/for/it", "--entrypoint", "sh")
    assert (
        cooper.out("run", "--rm", *flags, "busybox", "-c", "id -u; pwd; echo $HOME")
        == "1000\n/made/for/it\n/"
    )


def test_a_directory_as_root(cooper: Cooper, rootfs: Path) -> None:
    """--rootfs needs no image and keeps what is written."""
    cooper.run("run", "--rm", "--network", "none", "--rootfs", rootfs, "sh", "-c", "echo kept > /tmp/file")
    assert (rootfs / "tmp/file").read_text() == "kept\n"


def test_the_id_file(cooper: Cooper, tmp_path: Path) -> None:
    """--cidfile holds the id; an existing file is not touched, and nothing is run."""
    file = tmp_path / "id"
    name = cooper.out("run", "-d", "--cidfile", file, "busybox", "sleep", "100")
    assert file.read_text() == name and len(name) == 64
    assert "File exists" in cooper.error("run", "--rm", "--cidfile", file, "busybox", "true")
    assert cooper.out("ps", "-aq", "--no-trunc") == name


def test_a_name_is_taken_once(cooper: Cooper) -> None:
    """The second container of the name is refused with who has it, and the cure."""
    cooper.run("create", "--name", "one", "busybox")
    assert "is taken by the container" in cooper.error("create", "--name", "one", "busybox")
    assert cooper.out("ps", "-a", "--format", "{{.Names}}") == "one"


def test_signals_are_passed_on(cooper: Cooper) -> None:
    """A signal to a foreground `run` reaches the program."""
    script = "trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    process = cooper.start("run", "--rm", "busybox", "sh", "-c", script)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=60)
    assert (rest, process.returncode) == (b"got\n", 5)


def test_an_init(cooper: Cooper) -> None:
    """With --init the program is ended by TERM though it handles nothing, and orphans are reaped."""
    cooper.run("run", "-d", "--name", "one", "--init", "busybox", "sleep", "1000")
    cooper.run("stop", "one")
    assert cooper.inspect("one", "{{.State.ExitCode}}") == "143"
    script = "sh -c 'sh -c true & exec true'; sleep 0.2; while ps -o stat | grep -q Z; do sleep 0.1; done; echo reaped"
    assert cooper.out("run", "--rm", "--init", "busybox", "sh", "-c", script) == "reaped"


def test_a_terminal(cooper: Cooper) -> None:
    """-it gives the program a terminal of the size of ours at once, which follows it; ctrl-c is the program's."""
    with Terminal(
        cooper.command("run", "-it", "--rm", "busybox", "stty", "size"), os.environ, 30, 90
    ) as terminal:
        terminal.expect("30 90")
        assert terminal.exit_code() == 0
    words = cooper.command("run", "-it", "--rm", "--name", "one", "busybox", "sh")
    with Terminal(words, os.environ, 30, 90) as terminal:
        terminal.expect("# ")
        terminal.type("stty size; tty\n")
        terminal.expect("30 90")
        terminal.expect("/dev/pts/0")
        terminal.resize(31, 91)
        terminal.type("until stty size | grep '31 91'; do :; done\n")
        terminal.expect("\n31 91\n")
        terminal.type("sleep 1000\n")
        eventually(lambda: "sleep 1000" in cooper.out("top", "one", "args"), "sleep runs")
        terminal.type("\x03")
        terminal.expect("# ")
        terminal.type("exit 9\n")
        assert terminal.exit_code() == 9


def prompts(typist: Terminal, reader: Terminal) -> bool:
    """Whether the shell's prompt is shown to the reader after a line of the typist."""
    typist.type("\n")
    return reader.saw("# ")


def test_left_and_found_again(cooper: Cooper) -> None:
    """ctrl-p ctrl-q leaves the program running; `attach` comes back to it, from two terminals at once."""
    words = cooper.command("run", "-it", "--name", "one", "busybox", "sh")
    with Terminal(words, os.environ) as terminal:
        terminal.expect("# ")
        terminal.type("\x10\x11")
        assert terminal.exit_code() == 0
    assert cooper.inspect("one", "{{.State.Status}}") == "running"
    attach = cooper.command("attach", "one")
    with Terminal(attach, os.environ) as first, Terminal(attach, os.environ) as second:
        eventually(lambda: prompts(first, second), "both are attached")
        second.type("echo one''two\n")
        first.expect("onetwo")
        second.expect("onetwo")
        first.type("exit 3\n")
        assert (first.exit_code(), second.exit_code()) == (3, 3)
    assert cooper.inspect("one", "{{.State.Status}} {{.State.ExitCode}}") == "exited 3"
    assert "onetwo" in cooper.out("logs", "one")


def test_exec_is_left_running(cooper: Cooper, tmp_path: Path) -> None:
    """The detach keys, here those of docker's file, leave a program of `exec -it` running; hanging up ends it."""
    cooper.run("run", "-d", "--name", "one", "--network", "none", "busybox", "sleep", "1000")
    (tmp_path / "config.json").write_text('{"detachKeys": "ctrl-x,x"}')
    env = {**os.environ, "DOCKER_CONFIG": str(tmp_path)}
    for keys, flags in (("\x18x", ()), ("!", ("--detach-keys", "!"))):
        words = cooper.command("exec", "-it", *flags, "one", "sh", "-c", "stty size; read line; exit $line")
        with Terminal(words, env, 30, 90) as terminal:
            terminal.expect("30 90")
            terminal.type(keys)
            assert terminal.exit_code() == 0
        assert "stty size" in cooper.out("top", "one", "args")
    with Terminal(words, env) as terminal:
        terminal.expect("24 80")
        terminal.type("7\n")
        assert terminal.exit_code() == 7
    cooper.run("restart", "-t", "0", "one")
    with Terminal(words, env) as terminal:
        terminal.expect("24 80")
    eventually(lambda: "stty size" not in cooper.out("top", "one", "args"), "it has been hung up on")


def test_no_terminal_where_there_is_none(cooper: Cooper) -> None:
    """-t with -i needs a terminal here; -t alone does not."""
    assert "needs a terminal" in cooper.error("run", "--rm", "-it", "busybox", "true")
    assert cooper.run("run", "--rm", "-t", "busybox", "echo", "x").stdout == b"x\r\n"


def test_detached_with_a_terminal(cooper: Cooper) -> None:
    """-d and -it go together, as people expect."""
    cooper.run("run", "-dit", "--name", "one", "busybox", "sh")
    with Terminal(cooper.command("attach", "one"), os.environ) as terminal:
        eventually(lambda: prompts(terminal, terminal), "a prompt")
        terminal.type("exit\n")
        assert terminal.exit_code() == 0
