"""Where the state of the containers is."""

from __future__ import annotations

import os
import posix
from pathlib import Path

import pytest

from stave.cli.parser import parse
from stave.cli.root import state_root
from stave.errors import Error


@pytest.mark.parametrize(
    ("words", "euid", "expected"),
    [
        ([], 0, "/run/stave"),
        ([], 1000, "/run/user/1000/stave"),
        (["--rootless=true"], 0, "/run/user/1000/stave"),
        (["--rootless=false"], 1000, "/run/stave"),
        (["--root", "/srv/state"], 1000, "/srv/state"),
    ],
)
def test_state_root(monkeypatch: pytest.MonkeyPatch, words: list[str], euid: int, expected: str) -> None:
    """The directory is that of --root, of the machine for root, or of the user."""
    monkeypatch.setattr(posix, "geteuid", lambda: euid)
    monkeypatch.setitem(posix.environ, b"XDG_RUNTIME_DIR", b"/run/user/1000")
    assert state_root(parse([*words, "list"])) == expected


def test_relative_root() -> None:
    """A relative --root is below the current directory."""
    assert state_root(parse(["--root", "state", "list"])) == f"{os.getcwd()}/state"


def test_deleted_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no working directory any more a relative path is an error that says so."""
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    place.rmdir()
    with pytest.raises(Error, match="^state: find the working directory: No such file or directory$"):
        state_root(parse(["--root", "state", "list"]))


@pytest.mark.parametrize("value", [None, b"", b"run"])
def test_no_runtime_directory(monkeypatch: pytest.MonkeyPatch, value: bytes | None) -> None:
    """Without privileges and without an absolute XDG_RUNTIME_DIR, --root is asked for."""
    monkeypatch.setattr(posix, "geteuid", lambda: 1000)
    monkeypatch.delitem(posix.environ, b"XDG_RUNTIME_DIR", raising=False)
    if value is not None:
        monkeypatch.setitem(posix.environ, b"XDG_RUNTIME_DIR", value)
    with pytest.raises(Error, match="name the state directory with --root"):
        state_root(parse(["list"]))
