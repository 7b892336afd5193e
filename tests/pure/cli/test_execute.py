"""`exec` makes its process from the container's own and the flags, or takes it whole from a file."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import pty
import struct
import termios
from pathlib import Path
from typing import Any

import pytest

from ocispec.errors import InvalidConfig, InvalidJSON
from stave.cli.execute import merge, merge_environment, run
from stave.cli.parser import parse
from stave.errors import Error

from .conftest import Lifecycle

PROCESS = {
    "terminal": True,
    "consoleSize": {"height": 1, "width": 2},
    "cwd": "/srv",
    "args": ["server"],
    "env": ["PATH=/bin", "TERM=xterm"],
    "user": {"uid": 5, "gid": 6, "additionalGids": [7]},
    "capabilities": {"bounding": ["CAP_KILL"], "inheritable": [], "permitted": ["CAP_KILL"], "effective": []},
    "noNewPrivileges": True,
}


def merged(*words: str) -> dict[str, Any]:
    """The process of `exec` with these flags."""
    invocation = parse(["exec", *words, "web", "sh", "-c", "id"])
    process: Any = copy.deepcopy(PROCESS)
    return dict(merge(process, invocation.options, invocation.arguments[1:]))


def test_without_flags() -> None:
    """The process is the container's, with other arguments and without a terminal."""
    expected = {**PROCESS, "args": ["sh", "-c", "id"], "terminal": False}
    del expected["consoleSize"]
    assert merged() == expected


@pytest.mark.parametrize(
    ("words", "user"),
    [
        (["--user", "1"], {"uid": 1, "gid": 6, "additionalGids": [7]}),
        (["-u", "0:0"], {"uid": 0, "gid": 0, "additionalGids": [7]}),
        (["-g", "11", "-g", "12"], {"uid": 5, "gid": 6, "additionalGids": [7, 11, 12]}),
    ],
)
def test_user(words: list[str], user: dict[str, object]) -> None:
    """The user replaces the uid and, where given, the gid; groups are added."""
    assert merged(*words)["user"] == user


@pytest.mark.parametrize("words", [["-u", "root"], ["-u", "4294967296"], ["-g", "11,12"], ["-g", "-1"]])
def test_bad_user(words: list[str]) -> None:
    """A user or group that is not a plain number is refused."""
    with pytest.raises(Error, match="is not a numeric"):
        merged(*words)


def test_capabilities() -> None:
    """A capability joins the bounding, effective and permitted sets, and never the inheritable one."""
    assert merged("--cap", "CAP_SYS_ADMIN", "-c", "net_raw")["capabilities"] == {
        "bounding": ["CAP_KILL", "CAP_SYS_ADMIN", "CAP_NET_RAW"],
        "effective": ["CAP_SYS_ADMIN", "CAP_NET_RAW"],
        "permitted": ["CAP_KILL", "CAP_SYS_ADMIN", "CAP_NET_RAW"],
        "inheritable": [],
    }
    # The plan warns of it, as for `create`.
    assert "CAP_FOO" in merged("--cap", "foo")["capabilities"]["bounding"]


@pytest.mark.parametrize(
    ("word", "expected"), [("--no-new-privs", True), ("--no-new-privs=false", False), ("-d", True)]
)
def test_no_new_privileges(word: str, expected: bool) -> None:
    """The flag decides in both directions; without it the container's own value stays."""
    assert merged(word)["noNewPrivileges"] is expected


def test_places_and_labels() -> None:
    """The working directory and the labels replace the container's."""
    process = merged("--cwd", "/tmp", "--process-label", "label", "--apparmor", "profile")
    assert process["cwd"] == "/tmp"
    assert process["selinuxLabel"] == "label"
    assert process["apparmorProfile"] == "profile"
    with pytest.raises(Error, match='--cwd "tmp" is not an absolute path'):
        merged("--cwd", "tmp")


def test_environment() -> None:
    """A variable replaces the one of its name where that stands, or is added at the end."""
    assert merge_environment(["PATH=/bin", "A=1", "A=2"], ["B=", "PATH=/x", "B=b=c"]) == [
        "PATH=/x",
        "A=2",
        "B=b=c",
    ]


@pytest.mark.parametrize("variable", ["B", "", "=x"])
def test_bad_environment(variable: str) -> None:
    """A variable without a name or a value is refused."""
    with pytest.raises(Error, match="invalid environment variable"):
        merge_environment([], [variable])


def test_terminal_has_the_callers_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --tty the console is as large as the caller's terminal."""
    master, slave = pty.openpty()
    saved = os.dup(0)
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 444, 0, 0))
        os.dup2(slave, 0)
        process = merged("--tty")
    finally:
        os.dup2(saved, 0)
        for descriptor in (master, slave, saved):
            os.close(descriptor)
    assert process["terminal"] is True
    assert process["consoleSize"] == {"height": 33, "width": 444}


def test_call(lifecycle: Lifecycle) -> None:
    """The flags that are not about the process are handed on, and the exit status comes back."""
    calls = lifecycle("execute", default_process={"cwd": "/", "args": ["x"]}, execute=7)
    status = run(
        parse(
            ["--root", "/r", "--trace", "/t", "exec", "-d", "--pid-file", "/p", "--console-socket", "/s"]
            + ["--preserve-fds", "2", "--cgroup", "a", "--cgroup", "cpu:b", "--ignore-paused", "web", "sh"]
        )
    )
    assert status == 7
    assert calls[0] == (("/r", "web"), {})
    (root, container_id, process, how), _ = calls[1]
    assert (root, container_id) == ("/r", "web")
    assert process == {"cwd": "/", "args": ["sh"], "user": {"uid": 0, "gid": 0}, "terminal": False}
    given = {name: getattr(how, name) for name in how.__slots__}
    assert callable(given.pop("log_warning"))
    assert given == {
        "detach": True,
        "pid_file": "/p",
        "console_socket": "/s",
        "pidfd_socket": None,
        "preserve_fds": 2,
        "cgroups": ["a", "cpu:b"],
        "ignore_paused": True,
        "trace": "/t",
        "streams": (0, 1, 2),
    }


def test_no_program(lifecycle: Lifecycle) -> None:
    """Without a program and a process file nothing can run."""
    calls = lifecycle("execute", default_process={}, execute=0)
    with pytest.raises(Error, match="process args cannot be empty"):
        run(parse(["exec", "web"]))
    assert calls == []


def test_process_file(lifecycle: Lifecycle, tmp_path: Path) -> None:
    """The process of a file is taken as it stands."""
    calls = lifecycle("execute", default_process={}, execute=0)
    process = {"cwd": "/", "args": ["id"], "user": {"uid": 1, "gid": 2}}
    file = tmp_path / "process.json"
    file.write_text(json.dumps(process))
    run(parse(["--root", "/r", "exec", "--process", str(file), "web"]))
    assert [arguments[:3] for arguments, _ in calls] == [("/r", "web", process)]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--user", "1", "web"], "--user"),
        (["--cap", "CAP_KILL", "web"], "--cap"),
        (["--no-new-privs=false", "web"], "--no-new-privs"),
        (["web", "sh"], "a program on the command line"),
    ],
)
def test_process_file_excludes(lifecycle: Lifecycle, words: list[str], what: str) -> None:
    """Flags that a process file would override are refused, not ignored."""
    lifecycle("execute", default_process={}, execute=0)
    with pytest.raises(Error, match=f"it excludes {what}"):
        run(parse(["exec", "-p", "/nowhere", *words]))


def test_bad_process_file(lifecycle: Lifecycle, tmp_path: Path) -> None:
    """An error in the process file names the file."""
    lifecycle("execute", default_process={}, execute=0)
    file = tmp_path / "process.json"
    file.write_text("{")
    with pytest.raises(InvalidJSON, match=str(file)):
        run(parse(["exec", "-p", str(file), "web"]))
    file.write_text("{}")
    with pytest.raises(InvalidConfig, match=str(file)):
        run(parse(["exec", "-p", str(file), "web"]))
