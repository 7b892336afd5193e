"""Start-up: what the hot commands import. Every module costs a tenth of a millisecond and more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stave.native.bundle import HOT

from .driver import Container

# Read in the interpreter before anything of ours.
BUILT_IN = frozenset(
    "__future__ __main__ _abc _blake2 _cffi_backend _codecs _frozen_importlib _frozen_importlib_external _imp _io"
    " _json _signal _socket _thread _warnings _weakref abc builtins codecs encodings encodings.aliases"
    " encodings.utf_8 errno fcntl io marshal math posix select sys time zipimport".split()
)
COMPILED = frozenset(("stave.native._native", "stave.native._native.lib"))
PROGRAM = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import posix
leave = posix._exit
def tell(status):
    with open(1, "a") as output:
        output.write("MODULES " + " ".join(sys.modules) + "\\n")
    leave(status)
posix._exit = tell
from stave.cli.main import main
main()
"""


def imported(container: Container, *words: str) -> set[str]:
    """The modules that a successful command has imported in the end."""
    import stave

    site = str(Path(stave.__file__).parent.parent)
    root = str(container.stave.root)
    output = container.bundle / "modules"
    with output.open("wb") as file:
        command = [sys.executable, "-I", "-S", "-c", PROGRAM, site, "--root", root, *words]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, check=True, timeout=60)
    (line,) = [line for line in output.read_text().splitlines() if line.startswith("MODULES ")]
    return set(line.split()[1:])


@pytest.fixture
def life(container: Container) -> dict[str, set[str]]:
    """The modules of each command in a container's life."""
    container.runs("sleep", "1000")
    container.write_config()
    name, bundle = container.id, str(container.bundle)
    lives = {
        "create": imported(container, "create", "--bundle", bundle, name),
        "state": imported(container, "state", name),
        "start": imported(container, "start", name),
        "exec": imported(container, "exec", name, "true"),
        "kill": imported(container, "kill", name, "KILL"),
        "delete": imported(container, "delete", "--force", name),
    }
    container.runs("true")
    container.write_config()
    return lives | {"run": imported(container, "run", "--bundle", bundle, name)}


def test_hot_commands_import_hot_modules_only(life: dict[str, set[str]]) -> None:
    """Nothing is imported that the bundle lacks, but what the interpreter has built in; no os, re, json, typing."""
    for command, modules in life.items():
        assert modules - BUILT_IN - COMPILED - set(HOT) == set(), command


@pytest.mark.parametrize("command", ["state", "start", "kill", "delete"])
def test_commands_that_need_no_c(life: dict[str, set[str]], command: str) -> None:
    """They get by without the compiled module and the planner."""
    assert {"_cffi_backend", "stave.plan.create", "ocispec.config"}.isdisjoint(life[command])


def test_exec_plans_no_mounts(life: dict[str, set[str]]) -> None:
    """exec leaves out what only create needs."""
    assert {"stave.plan.mounts", "stave.cgroups.v1", "stave.cgroups.v2", "ocispec.config"}.isdisjoint(
        life["exec"]
    )
