"""Containers from Python, without a program being started for each step."""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stave as library
from ocispec.config import check
from ocispec.errors import InvalidConfig
from stave.errors import ConfigError, ContainerExists, ContainerNotFound, Error, StateError
from stave.library.notify import CONTINUE, Continue, Notification

from . import host
from .driver import Container, Stave

PAGE = (Path(__file__).parent.parent.parent / "docs" / "library.md").read_text()
EXAMPLES = [
    re.sub("^    ", "", block, flags=re.MULTILINE)
    for block in re.findall(r"(?:^(?:    .*)?\n)+", PAGE, flags=re.MULTILINE)
    if re.match(r"\s*(import|def) ", block)
]


@pytest.fixture
def containers(container: Container) -> Iterator[library.Runtime]:
    """The library with the test's state directory; it leaves no descriptor open."""
    container.write_config()
    warnings: list[str] = []
    before = set(os.listdir("/proc/self/fd"))
    yield library.Runtime(container.stave.root, on_warning=warnings.append)
    assert set(os.listdir("/proc/self/fd")) <= before
    assert warnings == []


def test_a_life(container: Container, containers: library.Runtime) -> None:
    """create, start, wait, delete: states, output and exit status are those of the program."""
    container.script("read line; echo got $line; exit 3")
    with containers.create(
        container.id, container.bundle, config=container.config, stdin=library.PIPE, stdout=library.PIPE
    ) as made:
        assert made.status == "created"
        assert made.state()["id"] == container.id
        assert made.process and made.process.stdin and made.process.stdout
        made.start()
        made.process.stdin.write(b"this\n")
        assert made.process.stdout.readline() == b"got this\n"
        assert made.wait(60) == 3
        assert made.status == "stopped"
    with pytest.raises(ContainerNotFound):
        containers.get(container.id)


def test_bundle_with_its_own_configuration(container: Container, containers: library.Runtime) -> None:
    """Without `config` it is config.json's."""
    container.script("exit 4")
    container.write_config()
    with containers.run(container.id, container.bundle, stdout=library.DEVNULL) as made:
        assert made.wait(60) == 4


def test_exec(container: Container, containers: library.Runtime) -> None:
    """Another process has its own streams, variables and directory, and gives its exit status."""
    container.runs("sleep", "1000")
    with containers.run(container.id, container.bundle, config=container.config) as made:
        script = "echo $A $PWD; exit 5"
        with made.exec(["sh", "-c", script], env={"A": "b"}, cwd="/bin", stdout=library.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.read() == b"b /bin\n"
            assert process.wait(60) == 5
        assert process.poll() == 5


def test_signals(container: Container, containers: library.Runtime) -> None:
    """A signal's number, negative, is what ended the program."""
    container.runs("sleep", "1000")
    with containers.run(container.id, container.bundle, config=container.config) as made:
        assert made.process is not None
        assert made.process.poll() is None
        with pytest.raises(TimeoutError):
            made.wait(0.01)
        made.kill(signal.SIGKILL)
        assert made.wait(60) == -signal.SIGKILL


def test_pause(container: Container, containers: library.Runtime) -> None:
    """The container stands still, and may be resumed: no lock is left behind."""
    container.runs("sleep", "1000")
    with containers.run(container.id, container.bundle, config=container.config) as made:
        made.pause()
        assert made.status == "paused"
        made.resume()
        assert made.status == "running"
        with pytest.raises(StateError):
            made.resume()
        assert made.processes() == [made.pid]


def test_streams_in_another_order(container: Container, containers: library.Runtime) -> None:
    """The caller's own descriptors may be any of the program's, also crosswise."""
    container.script("echo out; echo err >&2")
    read, write = os.pipe()
    with containers.run(
        container.id, container.bundle, config=container.config, stdin=2, stdout=write, stderr=write
    ) as made:
        os.close(write)
        assert made.wait(60) == 0
    with open(read, "rb") as output:
        assert sorted(output.read().splitlines()) == [b"err", b"out"]


def test_found_by_another(container: Container, containers: library.Runtime, stave: Stave) -> None:
    """The program and the library know the same containers."""
    container.launch()
    (found,) = containers
    assert found.id == container.id
    assert found.pid == container.pid
    assert found.process is None
    stave("kill", container.id, "KILL")
    assert found.wait(60) is None
    container.wait()
    found.delete()
    assert list(containers) == []


def test_failures(container: Container, containers: library.Runtime) -> None:
    """They are exceptions, and nothing is left of the container."""
    broken = {**container.config, "hostname": 5}
    with pytest.raises(InvalidConfig, match="hostname"):
        containers.create(container.id, container.bundle, config=broken)
    container.runs("/bin/missing")
    with pytest.raises(Error, match="/bin/missing"):
        containers.run(container.id, container.bundle, config=container.config, stdout=library.PIPE)
    container.runs("true")
    with (
        containers.create(container.id, container.bundle, config=container.config),
        pytest.raises(ContainerExists),
    ):
        containers.create(container.id, container.bundle, config=container.config)
    with pytest.raises(ContainerNotFound):
        containers.get(container.id)


def test_the_configuration_is_not_changed(container: Container, containers: library.Runtime) -> None:
    """The caller's object stays as it was."""
    container.runs("true")
    container.config["annotations"] = None
    with containers.create(container.id, container.bundle, config=container.config):
        assert container.config["annotations"] is None
        assert container.config["root"]["path"] == "rootfs"


def test_terminal(container: Container, containers: library.Runtime) -> None:
    """With process.terminal the master is the caller's."""
    container.script("test -t 0 && echo terminal")
    container.process["terminal"] = True
    with containers.run(container.id, container.bundle, config=container.config) as made:
        assert made.process is not None
        said = b""
        while b"terminal" not in said:
            said += os.read(made.process.terminal, 100)
        os.close(made.process.terminal)


def test_threads(container: Container, containers: library.Runtime) -> None:
    """Several threads may make containers at once; what all threads share stays as it is."""
    container.script("exit 6")
    found: list[int | None] = []

    def live(number: int) -> None:
        config = {**container.config, "linux": {**container.linux, "cgroupsPath": f"/{host.GROUP}/t{number}"}}
        with containers.run(f"t{number}", container.bundle, config=config) as made:
            found.append(made.wait(60))

    threads = [threading.Thread(target=live, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [6] * 8
    umask = os.umask(0o022)
    os.umask(umask)
    assert umask == 0o022


def test_only_the_owner_may_start(container: Container, containers: library.Runtime) -> None:
    """The socket that start uses is nobody else's, whatever the umask."""
    container.runs("true")
    with containers.create(container.id, container.bundle, config=container.config) as made:
        mode = os.stat(f"{made.root}/{made.id}/start.sock").st_mode
        assert mode & 0o777 == 0o600


def example(container: Container, text: str) -> dict[str, Any]:
    """The page's example that holds this text has run, with the container's bundle; returns its names."""
    (code,) = [block for block in EXAMPLES if text in block]
    code = code.replace("/bundles/web", str(container.bundle))
    code = code.replace("stave.Runtime()", f"stave.Runtime({str(container.stave.root)!r})")
    names: dict[str, Any] = {}
    exec(compile(code, "library.md", "exec"), names)
    return names


def test_page_a_life(container: Container, capfd: pytest.CaptureFixture[str]) -> None:
    """The first example prints what it says."""
    container.script("echo hello; exit 7")
    container.write_config()
    example(container, "print(container.status)")
    assert capfd.readouterr().out.splitlines() == ["created", "b'hello\\n'", "7"]


def test_page_one_more_process(container: Container, capfd: pytest.CaptureFixture[str]) -> None:
    """The second example, too."""
    container.runs("sleep", "1000")
    container.write_config()
    example(container, "container.exec")
    assert capfd.readouterr().out.splitlines() == ["b'hello\\n'", "0"]


def test_page_notify(container: Container) -> None:
    """The handler of the page is one."""
    container.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["umask"], "action": "SCMP_ACT_NOTIFY"}],
    }
    container.script("umask 0; umask 1")
    container.write_config()
    example(container, "def on_notify")


def test_page_plugins(container: Container) -> None:
    """The plug-ins of the page make valid configurations."""
    names = example(container, "def run_wasm")
    changed = names["run_wasm"](container.config, str(container.bundle))
    assert changed["process"]["args"][0] == "/wasm"
    changed["mounts"] += names["secret"]({"destination": "/run/secret", "type": "x-secret"}, "")
    check("config", changed)


def test_notify(container: Container, containers: library.Runtime) -> None:
    """A callable answers system calls: with a value, an errno, or by leaving them to the kernel."""
    answers: list[int | OSError | Continue] = [0, OSError(errno.EXDEV, "no"), CONTINUE]
    seen: list[bytes] = []

    def on_notify(call: Notification) -> int | Continue:
        seen.append(call.read(call.arguments[0], 5))
        answer = answers[len(seen) - 1]
        if isinstance(answer, OSError):
            raise answer
        return answer

    container.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["rmdir"], "action": "SCMP_ACT_NOTIFY"}],
    }
    container.script("mkdir /a; rmdir /a; test -d /a; rmdir /a 2>&1 || true; rmdir /a; ! test -d /a")
    container.config["root"]["readonly"] = False
    with containers.run(
        container.id, container.bundle, config=container.config, stdout=library.PIPE, on_notify=on_notify
    ) as made:
        assert made.process and made.process.stdout
        assert b"cross-device" in made.process.stdout.read().lower()
        assert made.wait(60) == 0
    assert [text.partition(b"\0")[0] for text in seen] == [b"/a"] * 3


def test_notify_by_exec(container: Container, containers: library.Runtime) -> None:
    """A process that is executed in the container is answered, too."""
    container.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["rmdir"], "action": "SCMP_ACT_NOTIFY"}],
    }
    container.runs("sleep", "1000")
    with (
        containers.run(
            container.id, container.bundle, config=container.config, on_notify=lambda call: 0
        ) as made,
        made.exec(["rmdir", "/nowhere"]) as process,
    ):
        assert process.wait(60) == 0


def test_notify_without_a_profile(container: Container, containers: library.Runtime) -> None:
    """There is nothing to answer."""
    with pytest.raises(ConfigError, match="linux.seccomp: is not set"):
        containers.create(
            container.id, container.bundle, config=container.config, on_notify=lambda call: CONTINUE
        )
