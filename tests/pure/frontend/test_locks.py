"""The locks of containers."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cooper.containers import locks
from cooper.containers.locks import ContainerLock
from cooper.errors import Conflict
from cooper.settings import Settings


def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not get the lock in time is told which process has it, and who asks later gets it."""
    monkeypatch.setattr(locks, "PATIENCE_S", 0.01)
    settings = cast(Settings, SimpleNamespace(run=str(tmp_path)))
    with ContainerLock(settings, "one"):
        with pytest.raises(Conflict, match=rf"process {os.getpid()}\).*try again"):
            ContainerLock(settings, "one").__enter__()
        with ContainerLock(settings, "one", wait=False) as other:
            assert not other.held
    with ContainerLock(settings, "one") as lock:
        assert lock.held
