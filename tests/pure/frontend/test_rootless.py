"""Which ids and directories an ordinary user's cooper has."""

from __future__ import annotations

import posix
from pathlib import Path

import pytest

from cooper.rootless.idmaps import ranges
from cooper.settings import INSIDE, Settings, user_namespace


def test_ids() -> None:
    """The own id first, then all ranges that the name or the number has in the table; never the own id twice."""
    table = "other:1:9\nme:100000:65536\n# me:1:1\n1001:300000:10\nme:x:1\nme:5:0\nme:1000:100\n"
    assert ranges(table, ["me", "1001"], 1001) == [(0, 1001, 1), (1, 100000, 65536), (65537, 300000, 10)]
    assert ranges("", ["me"], 1001) == [(0, 1001, 1)]


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An ordinary user's environment, of which this is the home."""
    monkeypatch.setattr(posix, "geteuid", lambda: 4711)
    for name, value in ((b"HOME", bytes(tmp_path)), (b"XDG_RUNTIME_DIR", b""), (b"XDG_DATA_HOME", b"")):
        monkeypatch.setitem(posix.environ, name, value)
    return tmp_path


def test_directories(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the session, or in /tmp without one; the one that was used stays in use while it is there."""
    settings = Settings()
    assert (settings.root, settings.run) == (f"{user}/.local/share/cooper", "/tmp/cooper-4711")
    (user / "session").mkdir()
    monkeypatch.setitem(posix.environ, b"XDG_RUNTIME_DIR", bytes(user / "session"))
    assert Settings().run == f"{user}/session/cooper"
    (user / "used").mkdir()
    (user / ".local/share/cooper").mkdir(parents=True)
    (user / ".local/share/cooper/run").symlink_to(user / "used")
    assert Settings().run == f"{user}/used"
    (user / "used").rmdir()
    assert Settings().run == f"{user}/session/cooper"
    assert Settings(run=f"{user}/other").run == f"{user}/other"


def test_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root is an ordinary user in that user's namespace, and nowhere else."""
    monkeypatch.setattr(posix, "geteuid", lambda: 0)
    for value, inside in ((f"{user_namespace()} 4711", True), ("1 4711", False), ("", False)):
        monkeypatch.setitem(posix.environ, INSIDE.encode(), value.encode())
        settings = Settings("/root")
        assert (settings.rootless, settings.inside) == (inside, inside)
