"""What is said when a program cannot be executed: text, exit status, and the JSON that callers read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .driver import Container, Stave
from .host import mounted

ELF_FOR_ANOTHER_MACHINE = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x08\x00" + bytes(44)  # MIPS


def make_program(container: Container, content: bytes, mode: int = 0o755) -> None:
    """/tool holds the content, and is what the container runs."""
    (container.rootfs / "tool").write_bytes(content)
    (container.rootfs / "tool").chmod(mode)
    container.runs("/tool")


@pytest.mark.parametrize("command", ["create", "run"])
def test_no_state_directory(container: Container, command: str, tmp_path: Path) -> None:
    """A state directory that cannot be made is named, and the flag for another one."""
    (tmp_path / "file").touch()
    container.write_config()
    stave = Stave(container.stave.executable, tmp_path)
    stave.root = tmp_path / "file"
    assert stave.fails(command, "--bundle", container.bundle, "c") == (
        f"{command} c: make directory {stave.root}/c (--root names another state directory): Not a directory"
    )


def test_nobody_listens(container: Container, tmp_path: Path) -> None:
    """A console socket that is not there is named, with what was to be sent to it; nothing is left."""
    container.process["terminal"] = True
    socket = tmp_path / "none"
    what = f"send the terminal to {socket}: No such file or directory"
    assert container.fails("--console-socket", socket) == what
    assert container.stave("list", "--quiet").output == ""


def test_what_the_file_system_says(container: Container) -> None:
    """The kernel's own words on a mount option are in the error."""
    container.mount("/tmp", "size=much", type="tmpfs")
    index = len(container.config["mounts"]) - 1
    assert container.fails() == (
        f"mounts[{index}] \"/tmp\": mount: option size=much (tmpfs: Bad value for 'size'): Invalid argument"
    )


def why(container: Container) -> str:
    """What `run` says of its failure."""
    container.write_config()
    line = container.stave.fails("run", "--bundle", container.bundle, container.id)
    return line.removeprefix(f"run {container.id}: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nosuch", 'exec: "nosuch": executable file not found in $PATH'),
        ("/no/such", 'exec: "/no/such": stat /no/such: no such file or directory'),
        ("./nosuch", 'exec: "./nosuch": stat ./nosuch: no such file or directory'),
        ("/bin", 'exec: "/bin": is a directory: permission denied'),
        ("/etc/plain", 'exec: "/etc/plain": permission denied'),
        ("plain", 'exec: "plain": permission denied'),
    ],
)
def test_no_program(container: Container, name: str, text: str) -> None:
    """A program that is not there, or not executable, is worded as by runc: engines match on it."""
    (container.rootfs / "etc/plain").touch()
    container.process["env"] = ["PATH=/bin:/etc"]
    container.runs(name)
    assert why(container) == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"#!/no/interpreter -x\n", "its interpreter /no/interpreter is missing or may not be executed: "
                                    "no such file or directory"),
        (b"#!/bin/sh\r\necho\r\n", 'its first line ends in a carriage return, so the interpreter "/bin/sh\\r" is '
                                   "looked for: no such file or directory"),
        (ELF_FOR_ANOTHER_MACHINE, "it is a program for another machine (ELF machine 8, this is x86_64): exec format error"),
        (b"echo no shebang\n", "it is neither an ELF program nor a script that begins with #!: exec format error"),
        (b"", "it is neither an ELF program nor a script that begins with #!: exec format error"),
        (b"#!\n", "exec format error"),
    ],
)  # fmt: skip
def test_not_executed(container: Container, content: bytes, text: str) -> None:
    """A file that the kernel does not execute is told with the reason found in it, the root cause last."""
    make_program(container, content)
    assert why(container) == f"exec /tool: {text}"


def test_interpreter_is_not_executable(container: Container) -> None:
    """An interpreter without the permission is named."""
    make_program(container, b"#!/etc/plain\n")
    (container.rootfs / "etc/plain").touch()
    assert why(container).endswith(
        "its interpreter /etc/plain is missing or may not be executed: permission denied"
    )


def test_loader_is_missing(container: Container) -> None:
    """A dynamic program without its loader is told as that, not as a missing file."""
    make_program(container, Path("/bin/true").read_bytes())
    line = why(container)
    assert "its loader /lib" in line and line.endswith("is missing: no such file or directory")


def test_noexec(container: Container, directory: Path) -> None:
    """A program on a noexec mount is told as that."""
    (directory / "tool").write_bytes((container.rootfs / "bin/busybox").read_bytes())
    (directory / "tool").chmod(0o755)
    container.mount("/opt", "bind", "noexec", source=directory)
    container.runs("/opt/tool")
    line = why(container)
    assert "noexec" in line and line.endswith("permission denied")


def test_user_may_not_execute(container: Container) -> None:
    """The program is looked at with the rights of the user."""
    make_program(container, b"#!/bin/sh\n", 0o700)
    container.process["user"] = {"uid": 1000, "gid": 1000}
    assert why(container) == 'exec: "/tool": permission denied'


@pytest.mark.parametrize("command", ["create", "run", "exec", "start"])
def test_json(container: Container, directory: Path, command: str) -> None:
    """With --log-format json a failure is exactly one JSON object, in the log or on standard error, and nothing else."""
    if command == "exec":
        container.launch()
        words = ["exec", container.id, "nosuch"]
    else:
        container.runs("nosuch") if command != "start" else make_program(container, b"x")
        container.write_config()
        words = [command, "--bundle", str(container.bundle), container.id]
    if command == "start":
        container.create()
        words = ["start", container.id]
    status = 255 if command == "exec" else 1
    log = directory / "log"
    outcome = container.stave("--log", log, "--log-format", "json", *words, status=status)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(records) == 1
    assert records[0]["level"] == "error" and records[0]["time"]
    assert "nosuch" in records[0]["msg"] or "/tool" in records[0]["msg"]
    assert outcome.output == ""


def test_json_with_warnings(container: Container, directory: Path) -> None:
    """Warnings before a failure do not make it two objects: podman reads the whole log as one."""
    container.process["capabilities"] = {"bounding": ["CAP_NOSUCH"]}
    container.runs("nosuch")
    container.write_config()
    log = directory / "log"
    container.stave(
        "--log", log, "--log-format", "json", "create", "--bundle", container.bundle, container.id, status=1
    )
    (line,) = log.read_text().splitlines()
    assert "nosuch" in json.loads(line)["msg"]


def test_exec_exit_status(container: Container) -> None:
    """`exec` ends with the program's status, and with 255 where it could not run it."""
    container.launch()
    container.exec("sh", "-c", "exit 7", status=7)
    container.exec("sh", "-c", "kill -KILL $$", status=137)
    line = container.stave.fails("exec", container.id, "nosuch", status=255)
    assert line.endswith('exec: "nosuch": executable file not found in $PATH')


def test_configuration_is_missing(container: Container) -> None:
    """A bundle without a configuration is named, and nothing is made."""
    line = container.stave.fails("create", "--bundle", container.bundle, container.id)
    assert line.endswith(f"{container.bundle}/config.json: No such file or directory")


@pytest.mark.parametrize(
    ("text", "cause"), [("{", "config.json"), ("[]", "config.json"), ('{"a": NaN}', "config.json")]
)
def test_configuration_is_no_json(container: Container, text: str, cause: str) -> None:
    """A file that is no JSON object is told as that."""
    (container.bundle / "config.json").write_text(text)
    outcome = container.stave("create", "--bundle", container.bundle, container.id, status=1)
    assert cause in outcome.errors


def test_every_problem_is_told(container: Container) -> None:
    """All problems of a configuration are told at once, each with its JSON pointer."""
    container.config["root"]["path"] = 5
    container.process["cwd"] = "relative"
    container.linux["namespaces"].append({"type": "nosuch"})
    container.write_config()
    outcome = container.stave("create", "--bundle", container.bundle, container.id, status=1)
    for pointer in ("/root/path", "/process/cwd", "/linux/namespaces/6/type"):
        assert f"{pointer}: " in outcome.errors


def test_memory_limit_is_too_small(container: Container) -> None:
    """A container that dies of its own limit on the way is told as that."""
    container.linux["resources"] = {"memory": {"limit": 4096}}
    container.write_config()
    line = container.stave.fails("run", "--bundle", container.bundle, container.id)
    assert "linux.resources.memory.limit" in line


def test_source_on_a_missing_mount(container: Container, directory: Path) -> None:
    """A failing mount names property, target, what was tried, and cause, in this order."""
    with mounted(directory, "-t", "tmpfs", "none"):
        container.mount("/data", "bind", source=directory / "gone")
        assert container.fails() == (
            f'mounts[4] "/data": bind: open source {directory}/gone: No such file or directory'
        )
