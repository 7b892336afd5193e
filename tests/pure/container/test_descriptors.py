"""Descriptors: what fails on the way leaves none open, which matters to those who use the library."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stave.container.execute import open_process
from stave.container.executor import Executor
from stave.container.hooks import run_hook
from stave.container.id_mapper import run_id_mapper
from stave.container.state import Container
from stave.errors import HookError, KernelError, StateError
from stave.native import module as native
from stave.plan.program import Operation, Program


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """As many are open in the end as in the beginning."""
    native.check(native.lib.stave_abi(), "")  # the compiled module is loaded
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before


def test_a_hook_that_is_not_there() -> None:
    """The pipe and the state are closed."""
    with pytest.raises(HookError):
        run_hook("/hooks/prestart/0", {"path": "/no/such"}, b"{}", "/")


def test_an_id_mapper_that_is_not_there() -> None:
    """The same."""
    with pytest.raises(FileNotFoundError):
        run_id_mapper(1, Operation("run_id_mapper", "/linux/uidMappings", ("/no/such", ("0", "0", "1"))))


def test_a_pid_that_is_another_process() -> None:
    """It has been opened to look at its start time."""
    container = Container("/nowhere", "web", {"pid": os.getpid(), "startTime": 0})
    with pytest.raises(StateError, match="not running"):
        open_process(container)


def test_no_process_can_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sockets and the Program go with the Executor."""

    def refuse(directory: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(native, "init_image", refuse)
    program = Program()
    program.add("clone", "/linux/namespaces", 0)
    executor = Executor(program, state_directory=str(tmp_path), descriptors={}, on_pid=lambda _: None)
    with pytest.raises(KernelError, match="No space left"):
        executor.run()
    executor.close()
