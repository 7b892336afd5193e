"""`checkpoint` and `restore` hand on what their flags say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from stave.cli.checkpoint import parse_server
from stave.cli.main import execute
from stave.cli.table import COMMANDS
from stave.errors import Error

from .conftest import Lifecycle

# Flags with a value that is not the default.
VALUES = {
    "image-path": "/images", "work-path": "/work", "parent-path": "../first", "page-server": "h:27", "bundle": "/",
    "manage-cgroups-mode": "full", "empty-ns": "network", "console-socket": "/s", "pid-file": "/p", "status-fd": "1",
    "lsm-profile": "apparmor:x", "lsm-mount-context": "y",
}  # fmt: skip
WITHOUT_EFFECT = {"no-pivot"}


def options(calls: list[Any]) -> dict[str, Any]:
    """The options of the only call."""
    ((arguments, _),) = calls
    found: dict[str, Any] = vars(arguments[2])
    found.pop("log_warning")
    return found


@pytest.mark.parametrize("command", ["checkpoint", "restore"])
def test_every_flag_is_handed_on(lifecycle: Lifecycle, command: str) -> None:
    """Each flag changes what is handed on, and nothing else does."""
    plain = lifecycle(command, **{command: 0})
    assert execute(["--root", "/r", command, "web"]) == 0
    defaults, named = options(plain), plain[0][1]
    assert defaults["images"] == f"{os.getcwd()}/checkpoint"
    for names, *_ in COMMANDS[command][1]:
        if names[0] in WITHOUT_EFFECT | {"help"}:
            continue
        calls = lifecycle(command, **{command: 0})
        flag = f"--{names[0]}={VALUES[names[0]]}" if names[0] in VALUES else f"--{names[0]}"
        assert execute(["--root", "/r", command, flag, "web"]) == 0
        changed = {key for key, value in options(calls).items() if value != defaults[key]}
        changed |= {key for key, value in calls[0][1].items() if value != named[key]}
        assert len(changed) == 1, flag


def test_paths(lifecycle: Lifecycle, tmp_path: Path) -> None:
    """Relative paths count from the working directory; `--criu` names another program."""
    calls = lifecycle("restore", restore=7)
    words = ["--image-path", "i", "--work-path", "w", "--pid-file", "p", "--bundle", str(tmp_path)]
    assert execute(["--root", "/r", "--criu", "/c", "restore", "-d", "-no-subreaper", *words, "web"]) == 7
    named = calls[0][1]
    found = options(calls)
    here = os.getcwd()
    assert (found["images"], found["work"], found["pid_file"]) == (f"{here}/i", f"{here}/w", f"{here}/p")
    assert (found["bundle"], found["executable"]) == (str(tmp_path), "/c")
    assert named == {"detach": True, "no_subreaper": True}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--empty-ns", "uts"], 'namespace "uts" is not supported by --empty-ns'),
        (["--page-server", "here"], 'invalid page server "here"'),
        (["--status-fd", "x"], 'invalid --status-fd "x"'),
        (["--status-fd", "987"], "invalid --status-fd 987: Bad file descriptor"),
        (["--manage-cgroups-mode", "hard"], "manage-cgroups-mode"),
    ],
)
def test_wrong_values(
    lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """A value that means nothing is refused."""
    calls = lifecycle("checkpoint", checkpoint=None)
    assert execute(["checkpoint", *words, "web"]) == 1
    assert message in capfd.readouterr().err
    assert calls == []


@pytest.mark.parametrize(
    ("text", "server"),
    [("", None), ("host:27", ("host", 27)), ("127.0.0.1:1", ("127.0.0.1", 1)), ("[::1]:80", ("::1", 80))],
)
def test_page_servers(text: str, server: tuple[str, int] | None) -> None:
    """Addresses of both kinds, and names."""
    assert parse_server(text) == server


@pytest.mark.parametrize("text", ["host", ":27", "host:", "host:0", "host:65536", "::1:80", "host:x"])
def test_no_page_servers(text: str) -> None:
    """Without address or port it is none."""
    with pytest.raises(Error, match="write ADDRESS:PORT"):
        parse_server(text)
