"""Terminals: through --console-socket, their size, /dev/console. Spec: config.md#process (terminal, consoleSize)"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from .console import ConsoleSocket, Terminal, console_socket
from .driver import Container
from .host import children, eventually
from .test_user_namespaces import with_user_namespace


@pytest.fixture
def console(directory: Path) -> Iterator[ConsoleSocket]:
    """A console socket."""
    with console_socket(directory) as listening:
        yield listening


def with_terminal(container: Container, script: str) -> None:
    """The container runs a script in a terminal."""
    container.process["terminal"] = True
    container.script(script)


def hang_up(terminal: Terminal) -> None:
    """The process that `exec` left to us has ended and was collected: a PID namespace waits for that."""
    before = len(children())
    terminal.close()
    eventually(lambda: len(children()) < before, "it is hung up")


def test_create(container: Container, console: ConsoleSocket) -> None:
    """`create` sends the master once, with a name, and the program has a controlling terminal from the container's
    own devpts, whose path is right there."""
    with_terminal(
        container, "tty; echo to the terminal > /dev/tty; ls -l /proc/self/fd/0 | sed 's/.*-> //'; sleep 1000"
    )
    container.create("--console-socket", console.path)
    terminal = console.receive()
    assert terminal.name == "/dev/ptmx"
    container.start()
    assert terminal.read_until("/dev/pts/0\n") == "/dev/pts/0\n"
    assert terminal.read_until("to the terminal\n")
    assert terminal.read_until("/dev/pts/0\n")


def test_run_detached(container: Container, console: ConsoleSocket) -> None:
    """`run --detach` sends it as well; what is typed arrives, and Control-C is a signal."""
    with_terminal(
        container, "trap 'echo interrupted; exit 3' INT; read line; echo got $line; sleep 1000 & wait"
    )
    container.run("--detach", "--console-socket", console.path)
    terminal = console.receive()
    terminal.write("hello\n")
    terminal.read_until("got hello\n")
    terminal.write("\x03")
    terminal.read_until("^Cinterrupted\n")
    assert container.wait() == 3


def test_run_in_the_foreground(container: Container) -> None:
    """`run` connects the terminal with its own standard input and output, and takes over its size."""
    with_terminal(container, "stty size; read line; echo got $line")
    container.write_config()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    process, _ = container.stave.begin(
        "run", "--bundle", container.bundle, container.id, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    terminal = Terminal(master, "")
    terminal.read_until("33 77\n")
    terminal.write("line\n")
    terminal.read_until("got line\n")
    assert process.wait(60) == 0
    os.close(master)


def test_size(container: Container, console: ConsoleSocket) -> None:
    """consoleSize is the terminal's size before the program runs."""
    container.process["consoleSize"] = {"height": 13, "width": 57}
    with_terminal(container, "stty size; sleep 1000")
    container.run("--detach", "--console-socket", console.path)
    assert console.receive().read_until("13 57\n")


@pytest.mark.parametrize("mapped", [False, True])
def test_dev_console(container: Container, console: ConsoleSocket, mapped: bool) -> None:
    """/dev/console is the terminal; it belongs to the user, who can open it anew."""
    if mapped:
        with_user_namespace(container)
    container.process["user"] = {"uid": 1000, "gid": 1000}
    with_terminal(
        container,
        "echo to the console > /dev/console; stat -c '%u %F' /dev/console; echo x > $(tty); sleep 1000",
    )
    container.run("--detach", "--console-socket", console.path)
    terminal = console.receive()
    assert terminal.read_until("special file\n") == "to the console\n1000 character special file\n"
    terminal.read_until("x\n")


def test_no_terminal(container: Container) -> None:
    """Without a terminal nothing is sent, there is no controlling one, and the streams are the caller's."""
    container.script("tty || true; (: < /dev/tty) 2>/dev/null || echo none")
    assert container.run().output == "not a tty\nnone"


def test_exec(container: Container, console: ConsoleSocket) -> None:
    """`exec --tty` gives the new process a terminal of the container's devpts."""
    container.launch()
    words = ["--detach", "--tty", f"--console-socket={console.path}", "sh", "-c", "tty; sleep 1000"]
    container.exec(*words)
    terminal = console.receive()
    assert terminal.name == "/dev/ptmx"
    assert terminal.read_until("\n") == "/dev/pts/0\n"
    hang_up(terminal)


def test_exec_with_a_process_file(container: Container, console: ConsoleSocket, directory: Path) -> None:
    """The same from a process file, with a size, as containerd does it."""
    container.launch()
    process = {"terminal": True, "cwd": "/", "args": ["sh", "-c", "stty size; sleep 1000"], "env": ["PATH=/bin"],
               "user": {"uid": 0, "gid": 0}, "consoleSize": {"height": 5, "width": 6}}  # fmt: skip
    (directory / "process").write_text(json.dumps(process))
    container.exec("--detach", f"--console-socket={console.path}", f"--process={directory}/process")
    terminal = console.receive()
    assert terminal.read_until("\n") == "5 6\n"
    hang_up(terminal)


def test_hang_up(container: Container, console: ConsoleSocket) -> None:
    """When the master is closed, the program is hung up."""
    with_terminal(container, "trap 'exit 5' HUP; echo ready; sleep 1000 & wait")
    container.run("--detach", "--console-socket", console.path)
    terminal = console.receive()
    terminal.read_until("ready\n")
    terminal.close()
    assert container.wait() == 5


def test_no_socket(container: Container) -> None:
    """A terminal needs somewhere to go: detached without a socket is refused before anything is made."""
    container.process["terminal"] = True
    assert container.fails() == "cannot allocate tty if stave will detach without setting console socket"


def test_socket_without_a_terminal(container: Container, console: ConsoleSocket) -> None:
    """And a socket needs a terminal."""
    line = container.fails("--console-socket", console.path)
    assert line == "cannot use console socket if stave will not detach or allocate tty"


def test_nobody_listens(container: Container, directory: Path) -> None:
    """A socket that is not there fails `create`, and nothing is left."""
    container.process["terminal"] = True
    assert f"{directory}/nosuch" in container.fails("--console-socket", directory / "nosuch")


def test_no_devpts(container: Container, console: ConsoleSocket) -> None:
    """A terminal takes a devpts among the mounts."""
    container.process["terminal"] = True
    container.config["mounts"] = [each for each in container.config["mounts"] if each["type"] != "devpts"]
    line = container.fails("--console-socket", console.path)
    assert line.startswith("process.terminal") and "devpts" in line


def test_socket_with_a_long_path(container: Container, directory: Path) -> None:
    """The path of a socket may be longer than an address holds."""
    deep = directory / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    before = Path.cwd()
    os.chdir(deep)
    try:
        with console_socket(Path(".")) as console:
            with_terminal(container, "tty; sleep 1000")
            container.run("--detach", "--console-socket", deep / "console.sock")
            assert console.receive().read_until("\n") == "/dev/pts/0\n"
    finally:
        os.chdir(before)
