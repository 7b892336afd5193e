"""checkpoint and restore through criu, where criu works: in the virtual machine, if not here."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .driver import Container, Outcome, killed_at_exit, namespace
from .host import CGROUPS, V2, alive, eventually, exit_code

MIB = 1 << 20
CRIU = shutil.which("criu")
WORKS = CRIU is not None and subprocess.run([CRIU, "check"], capture_output=True).returncode == 0
needs_criu = pytest.mark.skipif(not WORKS, reason="criu does not work on this kernel, or is not installed")

COUNTING = "i=0; while :; do i=$((i+1)); echo $i; usleep 20000; done"


class Images:
    """A directory for images, and the commands with it."""

    def __init__(self, container: Container, directory: Path) -> None:
        self.container = container
        self.path = directory / "images"
        self.work = directory / "work"

    def checkpoint(self, *flags: str | Path, path: Path | None = None) -> None:
        """The container is checkpointed."""
        words = ["--image-path", path or self.path, "--work-path", self.work, *flags, self.container.id]
        outcome = self.container.stave("checkpoint", *words)
        assert (outcome.output, outcome.errors) == ("", "")

    def words(self, *flags: str | Path) -> list[str | Path]:
        """The words of `restore`."""
        container = self.container
        return [
            *("restore", "--bundle", container.bundle, "--pid-file", container.bundle / "pid"),
            *("--image-path", self.path, "--work-path", self.work, *flags, container.id),
        ]

    def restore(self, *flags: str | Path, **how: Any) -> Outcome:
        """The container is restored; its output goes on in the outcome."""
        self.container.created = self.container.stave(*self.words("--detach", *flags), **how)
        return self.container.created


@pytest.fixture
def images(container: Container, directory: Path) -> Images:
    """Where the container's images go."""
    return Images(container, directory)


def numbers(outcome: Outcome | None) -> list[int]:
    """What a counting container has written up to now."""
    assert outcome is not None
    return [int(line) for line in outcome.output.splitlines()]


def count_up(container: Container) -> None:
    """The container counts, and has got somewhere."""
    container.script(COUNTING)
    container.run("--detach")
    container.eventually_says("5\n")


@needs_criu
def test_counter(
    container: Container, images: Images, directory: Path, host_unchanged: Callable[[], None]
) -> None:
    """A container counts on where it was, with its mounts, limits, masks and cgroup, and can be managed as before."""
    source = directory / "source"
    (source / "below").mkdir(parents=True)
    (source / "below/file").write_text("here")
    os.symlink("/mnt", container.rootfs / "link")
    (container.rootfs / "mnt").mkdir()
    container.mount("/data", "bind", source=source)
    container.mount("/link/file", "bind", "ro", source=source / "below/file")
    container.mount("/scratch", type="tmpfs")
    container.linux["maskedPaths"] = ["/proc/kcore", "/proc/acpi", "/sys/firmware"]
    container.linux["readonlyPaths"] = ["/proc/sys"]
    container.linux["resources"] = {"memory": {"limit": 64 * MIB}, "pids": {"limit": 50}}
    container.config["annotations"] = {"org.example": "kept"}
    log = directory / "log"
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"read -r state; echo $state >>{log}"]}
    container.config["hooks"] = {"createRuntime": [hook]}
    container.script(f"echo kept >/scratch/file; {COUNTING}")
    container.run("--detach")
    container.eventually_says("5\n")
    before = container.created
    images.checkpoint()
    assert exit_code(container.pid) == -9
    last = numbers(before)[-1]
    assert "does not exist" in container.stave.fails("state", container.id)
    host_unchanged()

    images.restore()
    assert container.status == "running"
    assert container.state()["pid"] == container.pid
    assert container.state()["annotations"] == {"org.example": "kept"}
    container.eventually_says("\n")
    assert numbers(container.created)[0] in (last, last + 1)
    script = (
        "cat /scratch/file /data/below/file /mnt/file; wc -c </proc/kcore; ls /sys/firmware; echo; echo $$"
    )
    said = container.exec_says("sh", "-c", script).splitlines()
    assert said[:2] == ["kept", "herehere0"]
    assert container.exec("sh", "-c", "echo 1 >/proc/sys/kernel/hostname", status=None).status != 0
    group = Path(f"{CGROUPS}{'' if V2 else '/pids'}{container.linux['cgroupsPath']}")
    assert str(container.pid) in (group / "cgroup.procs").read_text().split()
    assert (group / "pids.max").read_text().strip() == "50"
    # The hooks that give a container its network run again, with the new pid.
    pids = [json.loads(line)["pid"] for line in log.read_text().splitlines()]
    assert len(pids) == 2 and pids[1] == container.pid
    container.stave("update", "--pids-limit", "60", container.id)
    container.stave("pause", container.id)
    container.stave("resume", container.id)
    container.kill("KILL")
    assert exit_code(container.pid) == -9
    container.delete()


@needs_criu
def test_copies(container: Container, images: Images) -> None:
    """A pre-dump saves memory and a checkpoint may refer to it, while the container runs on; the images make a
    second container, in a cgroup of its own."""
    count_up(container)
    first = images.path.with_name("first")
    images.checkpoint("--pre-dump", path=first)
    assert container.status == "running"
    refused = container.stave.fails(
        "checkpoint", "--image-path", images.path, "--parent-path", "none", container.id
    )
    assert "invalid --parent-path: there is no directory" in refused
    images.checkpoint("--leave-running", "--parent-path", "../first")
    assert (images.path / "parent").resolve() == first
    sizes = [sum(file.stat().st_size for file in at.glob("pages-*.img")) for at in (first, images.path)]
    assert 0 < sizes[1] < sizes[0]
    assert container.status == "running"
    reached = numbers(container.created)[-1]
    eventually(lambda: numbers(container.created)[-1] > reached, "it counts on")
    container.delete("--force")
    container.linux["cgroupsPath"] += "-second"
    container.write_config()
    images.restore()
    container.eventually_says("\n")
    assert 5 < numbers(container.created)[0] <= reached + 1
    line = Path(f"/proc/{container.pid}/cgroup").read_text().splitlines()[0]
    assert line.endswith(container.linux["cgroupsPath"])


@needs_criu
def test_terminal(container: Container, images: Images, directory: Path) -> None:
    """A terminal's new master goes to the console socket, and the program goes on with it."""
    container.process["terminal"] = True
    container.script("while read -r line; do echo got $line; done")

    def console(start: Callable[[Path], object]) -> int:
        path = directory / "console"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            start(path)
            with listener.accept()[0] as connection:
                master = socket.recv_fds(connection, 100, 1)[1][0]
        path.unlink()
        return master

    def answers(master: int) -> None:
        os.write(master, b"hello\n")
        said = b""
        while b"got hello" not in said:
            said += os.read(master, 1000)

    first = console(lambda path: container.run("--detach", "--console-socket", path))
    answers(first)
    images.checkpoint("--shell-job")
    os.close(first)
    exit_code(container.pid)
    second = console(lambda path: images.restore("--shell-job", "--console-socket", path))
    answers(second)
    container.delete("--force")
    os.close(second)


@pytest.fixture
def network(directory: Path) -> Iterator[Path]:
    """A network namespace with a device in it."""
    path = directory / "netns"
    path.touch()
    command = f"mount --bind /proc/self/ns/net {path}; ip link add shown type dummy"
    subprocess.run(["unshare", "--net", "sh", "-ec", command], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@needs_criu
def test_network_from_outside(container: Container, images: Images, network: Path) -> None:
    """A network namespace that was given by its path is the same one afterwards, and nothing in it is changed."""
    for entry in container.linux["namespaces"]:
        if entry["type"] == "network":
            entry["path"] = str(network)
    count_up(container)
    before = namespace(container.pid, "net")
    images.checkpoint()
    exit_code(container.pid)
    images.restore()
    assert namespace(container.pid, "net") == before
    assert "shown" in container.exec_says("ip", "-o", "link")


@needs_criu
def test_connection_in_the_foreground(container: Container, images: Images) -> None:
    """An open TCP connection is an error with criu's own words, or with --tcp-established is kept. Without --detach
    `restore` serves the container to its end, gives its exit status and deletes it."""
    server = "sleep 1000 | nc -l -p 4000 >/tmp/got"
    client = "while :; do echo x; usleep 20000; done | nc 127.0.0.1 4000"
    ending = "while ! test -e /tmp/go; do usleep 20000; done; echo gone on; exit 7"
    container.script(f"{server} & usleep 300000; {client} & {ending}")
    container.run("--detach")
    got = container.rootfs / "tmp/got"
    eventually(lambda: got.exists() and got.stat().st_size > 4, "they talk")
    refused = container.stave.fails(
        "checkpoint", "--image-path", images.path, "--work-path", images.work, container.id
    )
    assert f"(the log is {images.work}/dump.log)" in refused
    assert "Error (criu/" in refused and "tcp-established" in refused
    assert (images.work / "dump.log").stat().st_size > 0
    assert container.status == "running"
    size = got.stat().st_size
    eventually(lambda: got.stat().st_size > size, "they still talk")
    images.checkpoint("--tcp-established", "--file-locks")
    exit_code(container.pid)
    size = got.stat().st_size
    process, outcome = container.stave.begin(*images.words("--tcp-established", "--file-locks"))
    with killed_at_exit(process):
        eventually(lambda: got.stat().st_size > size, "they talk again")
        (container.rootfs / "tmp/go").touch()
        assert process.wait(60) == 7
    assert outcome.output == "gone on"
    assert "does not exist" in container.stave.fails("state", container.id)


@needs_criu
def test_lazy_pages(container: Container, images: Images) -> None:
    """Memory can stay with the checkpoint, which says when it can be fetched, until the restored process wants it."""
    count_up(container)
    reader, writer = os.pipe()
    port = "27001"
    words = ["--lazy-pages", "--page-server", f"127.0.0.1:{port}", "--status-fd", str(writer)]
    process, outcome = container.stave.begin(
        "checkpoint",
        f"--image-path={images.path}",
        f"--work-path={images.work}",
        *words,
        container.id,
        pass_fds=[writer],
    )
    os.close(writer)
    with killed_at_exit(process):
        assert os.read(reader, 10) == b"\0", outcome.errors
        os.close(reader)
        assert CRIU is not None
        images.work.mkdir(exist_ok=True)
        fetch = ["lazy-pages", "--page-server", "--address", "127.0.0.1", "--port", port]
        command = [CRIU, *fetch, "--images-dir", str(images.path), "--work-dir", str(images.work)]
        daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with killed_at_exit(daemon):
            last = numbers(container.created)[-1]
            container.linux["cgroupsPath"] += "-lazy"
            container.write_config()
            other = Container(container.stave, "lazy", container.bundle, container.config)
            words = [str(word) for word in images.words("--detach", "--lazy-pages")]
            other.created = container.stave(*words[:-1], "lazy")
            other.eventually_says("\n")
            assert numbers(other.created)[0] in (last, last + 1)
            assert process.wait(60) == 0, outcome.errors
            assert daemon.wait(60) == 0
            other.delete("--force")


@needs_criu
def test_restore_fails(container: Container, images: Images, host_unchanged: Callable[[], None]) -> None:
    """Images that are not there, or are damaged, and hooks that fail, are errors, and leave nothing."""
    container.script(COUNTING)
    container.write_config()
    assert "open directory" in container.stave.fails(*images.words("--detach"))
    host_unchanged()
    container.run("--detach")
    assert "already exists" in container.stave.fails(*images.words("--detach"))
    container.eventually_says("5\n")
    images.checkpoint()
    exit_code(container.pid)
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}
    container.config["hooks"] = {"createRuntime": [hook]}
    container.write_config()
    refused = container.stave.fails(*images.words("--detach"))
    assert refused.endswith("hooks.createRuntime[0]: hook /bin/sh: exit status 3")
    host_unchanged()
    (images.path / "pstree.img").write_bytes(b"x" * 100)
    refused = container.stave.fails(*images.words("--detach"))
    assert f"(the log is {images.work}/restore.log)" in refused and "Error (criu/" in refused
    host_unchanged()
    (images.path / "descriptors.json").write_text("{}")
    assert "descriptors.json is damaged" in container.stave.fails(*images.words("--detach"))
    host_unchanged()


def test_wrong_states(container: Container, images: Images) -> None:
    """Only what runs can be checkpointed."""
    container.stave.fails("checkpoint", "nobody")
    container.runs("sleep", "1000")
    container.create()
    assert "Container cannot be checkpointed in created state" in container.stave.fails(
        "checkpoint", container.id
    )
    container.kill("KILL")
    container.wait()
    assert "Container cannot be checkpointed in stopped state" in container.stave.fails(
        "checkpoint", container.id
    )


def test_without_criu(container: Container, images: Images) -> None:
    """Where criu is missing the error says so, and the container runs on."""
    container.launch()
    program = container.bundle / "criu"
    refused = container.stave.fails("--criu", program, "checkpoint", container.id)
    assert f"{program} is not installed: install the package criu" in refused
    assert container.status == "running" and alive(container.pid)
    program.write_text("#!/bin/sh\necho it is broken >&2\n")
    program.chmod(0o755)
    refused = container.stave.fails("--criu", program, "checkpoint", container.id)
    assert refused.endswith("criu has ended without an answer: it is broken")


@pytest.mark.skipif(WORKS or CRIU is None, reason="criu works here, or is not installed")
def test_criu_that_does_not_work(container: Container, images: Images) -> None:
    """Where criu cannot work its own words are in the error, and the container runs on."""
    container.launch()
    refused = container.stave.fails("checkpoint", "--image-path", images.path, container.id)
    assert f"(the log is {images.path}/dump.log)" in refused and "Error (criu/" in refused
    assert container.status == "running"
