"""Single operations of a Program, carried out outside a container's life."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stave.container.executor import Executor
from stave.plan.constants import CLONE_NEWNS
from stave.plan.program import Program

from .driver import Stave


def in_new_root(stave: Stave, root: Path, *operations: tuple[Any, ...]) -> None:
    """The operations have been done with `root` as the container's root, in a mount namespace of their own."""
    program = Program()
    program.add("clone", "", CLONE_NEWNS)
    program.add("set_propagation", "", 1 << 18 | 1 << 14)
    program.add("open_root", "", str(root), 1, 0)
    for name, *arguments in operations:
        program.add(name, "", *arguments)
    program.add("wait_for_runtime", "")
    executor = Executor(
        program, state_directory=str(stave.directory), descriptors={}, on_pid=lambda pid: None
    )
    try:
        executor.run()
    finally:
        executor.kill()
