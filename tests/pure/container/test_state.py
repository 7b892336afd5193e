"""State directories: which of the files below the root count, and whose the lock is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from stave.container.delete import delete
from stave.container.state import Container, list_all
from stave.errors import ContainerExists, ContainerNotFound


def test_stray_file(tmp_path: Path) -> None:
    """A file below the root is no container: `list` passes it over, and nothing removes it."""
    (tmp_path / "stray").touch()
    assert list_all(str(tmp_path)) == []
    with pytest.raises(ContainerNotFound):
        Container.load(str(tmp_path), "stray")
    with pytest.raises(ContainerNotFound):
        Container.load(str(tmp_path), "stray", lock=True)
    delete(str(tmp_path), "stray", True, pytest.fail)
    assert (tmp_path / "stray").exists()


def test_made_anew_while_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is that of the directory which has the name now, not of one that was deleted on the way."""
    place = tmp_path / "web"
    place.mkdir()
    flock = fcntl.flock

    def replaced_first(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        place.rename(tmp_path / "deleted")
        place.mkdir()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", replaced_first)
    container = Container(str(tmp_path), "web", {})
    container.lock()
    try:
        assert os.fstat(container.descriptor).st_ino == place.stat().st_ino
    finally:
        container.unlock()


@pytest.mark.parametrize("again", [False, True])
def test_removed_before_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    """A new directory that `delete --force` takes away before it is locked is made once more; one that somebody else
    has made in its place is theirs."""
    place = tmp_path / "web"
    lock = Container.lock

    def late(container: Container) -> None:
        monkeypatch.setattr(Container, "lock", lock)
        delete(str(tmp_path), "web", True, pytest.fail)
        if again:
            place.mkdir()
            (place / "state.json").write_text("{}")
        lock(container)

    monkeypatch.setattr(Container, "lock", late)
    if again:
        with pytest.raises(ContainerExists):
            Container.make(str(tmp_path), "web", {})
        assert (place / "state.json").exists()
        return
    container = Container.make(str(tmp_path), "web", {})
    try:
        assert os.fstat(container.descriptor).st_ino == place.stat().st_ino
    finally:
        container.unlock()
