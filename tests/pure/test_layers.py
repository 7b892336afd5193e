"""Imports point down only.

In stave: cli, doctor, container, then plan, cgroups, seccomp and host, then native. `cooper` rests on `ociimage`, and with
`ociconformance` runs any runtime's executable, so neither imports stave; `ocispec` is below all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCES = {
    "stave": ROOT / "runtime",
    "ocispec": ROOT / "spec",
    "ociimage": ROOT / "bundles",
    "cooper": ROOT / "frontend",
    "ociconformance": ROOT / "conformance",
}

# What each package may import of the others. `errors` and the package itself are for all.
ALLOWED = {
    "stave.library": {"container", "ocispec"},
    "stave.cli": {"doctor", "container", "plan", "seccomp", "cgroups", "host", "ocispec"},
    "stave.doctor": {"container", "plan", "seccomp", "cgroups", "host", "native", "ocispec"},
    "stave.container": {"criu", "plan", "seccomp", "cgroups", "host", "native", "ocispec"},
    "stave.criu": set(),
    "stave.cgroups": {"plan", "host", "native", "ocispec"},
    "stave.seccomp": {"plan", "ocispec"},
    "stave.plan": {"host", "ocispec"},
    "stave.host": {"ocispec"},
    "stave.native": {"plan"},
    "stave.errors": set(),
    "stave": {"library"},
    "ocispec": {"ocispec"},
    "ociimage": {"ocispec"},
    "cooper": {"ociimage", "ocispec"},
    "ociconformance": {"ocispec"},
}
# stave.plan makes no system call.
SYSTEM = {"os", "posix", "subprocess", "socket", "ctypes", "cffi", "fcntl", "select", "signal", "shutil"}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module's name and file."""
    for package, root in SOURCES.items():
        for file in sorted((root / package).rglob("*.py")):
            yield ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"), file


def imports(file: Path) -> set[str]:
    """The modules that a file imports, wherever in it, but for those that only type checkers see."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text()))
    return found


def package_of(name: str) -> str:
    """The layer that a module belongs to."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "stave" else parts[0]


@pytest.mark.parametrize(("name", "file"), list(modules()))
def test_imports_point_down(name: str, file: Path) -> None:
    """A module imports of ours only what its layer may."""
    own = package_of(name)
    for imported in imports(file):
        if imported.split(".")[0] not in SOURCES:
            continue
        layer = package_of(imported)
        if layer in (own, "stave", "stave.errors"):
            continue
        assert layer.removeprefix("stave.") in ALLOWED[own], f"{name} imports {imported}"


@pytest.mark.parametrize(("name", "file"), [each for each in modules() if each[0].startswith("stave.plan")])
def test_the_planner_makes_no_system_call(name: str, file: Path) -> None:
    """Its modules import nothing to make one with."""
    assert {imported.split(".")[0] for imported in imports(file)}.isdisjoint(SYSTEM)


def test_every_package_is_installed() -> None:
    """A folder of modules is a package: only those are installed."""
    assert not {file.parent for _, file in modules() if not (file.parent / "__init__.py").exists()}
