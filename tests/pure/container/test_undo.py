"""What a failed `create` undoes."""

from __future__ import annotations

from pathlib import Path

import pytest

from stave.container import mounts
from stave.container.caller import CreateOptions
from stave.container.create import _Creation
from stave.container.state import Container
from stave.errors import KernelError


def test_a_step_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a warning, and the next ones are done: what went wrong first is what `create` fails with."""

    def refuse(root: str, before: list[str]) -> None:
        raise KernelError(f"unmount {root}/data", 16)

    monkeypatch.setattr(mounts, "unmount_new", refuse)
    warnings: list[str] = []
    container = Container.make(str(tmp_path), "web", {"rootfs": "/rootfs", "sharedMounts": {"before": []}})
    try:
        _Creation(container, {}, CreateOptions("/bundle", warnings.append)).undo()  # type: ignore[typeddict-item]
    finally:
        container.unlock()
    assert warnings == ["unmount /rootfs/data: Device or resource busy"]
    assert list(tmp_path.iterdir()) == []
