"""The tables in docs/ that name a test for every row: the tests are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from cooper.cli.command import Flag
from cooper.cli.table import COMMANDS

ROOT = Path(__file__).parents[2]
FEATURES = ROOT / "docs/cooper-features.md"
PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if ".py::" in page.read_text()]
# A page may give a folder of tests a short name: `NAME` stands for `tests/...`.
_SHORT = re.compile(r"`(\w+)` stands for `([\w/]+)`")
_TEST = re.compile(r"(\w[\w/]*\.py)::(\w+)")


@cache
def functions(file: Path) -> frozenset[str]:
    """The names of all functions and classes in it."""
    tree = ast.parse(file.read_text())
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    """A row is not held by a test that was renamed or removed."""
    text = page.read_text()
    for name, folder in _SHORT.findall(text):
        text = re.sub(rf"\b{name}/", f"{folder}/", text)
    missing = [
        f"{path}::{name}"
        for path, name in _TEST.findall(text)
        if not (ROOT / path).is_file() or name not in functions(ROOT / path)
    ]
    assert not missing


def test_every_row_says_how_it_stands() -> None:
    """A feature that is there has a test, in words of its own."""
    rows = [line.split("|") for line in FEATURES.read_text().splitlines() if line.startswith("| ")]
    for row in rows:
        if row[2].strip() in ("yes", "in part"):
            assert ".py::" in row[-2], row[1]


def test_every_row_of_the_runtimes_features_has_grounds() -> None:
    """A feature that is there has a test; one that is not has a reason; one that is so in part has both."""
    text = (ROOT / "docs/feature-table.md").read_text()
    rows = [
        line.strip("|").split("|") for line in text.splitlines() if re.match(r"\| (?!---|feature )", line)
    ]
    assert len(rows) > 150
    for feature, verdict, grounds in rows:
        tests = re.findall(r"`[\w/]+\.py::\w+`", grounds)
        reason = re.sub(r"`[\w/]+\.py::\w+`", "", grounds).strip(" ,")
        assert verdict.strip() in ("yes", "no", "partly"), feature
        assert tests or verdict.strip() == "no", feature
        assert reason or verdict.strip() == "yes", feature


def test_every_command_and_flag_that_the_features_name_is_there() -> None:
    """The page does not promise what the command line does not take."""
    from cooper.cli.container_flags import ATTACH_FLAGS, CREATE_FLAGS

    text = FEATURES.read_text()
    for command in re.findall(r"`cooper ([a-z]+(?: [a-z]+)?)`", text):
        assert command in COMMANDS
    flags: list[Flag] = [*CREATE_FLAGS, *ATTACH_FLAGS]
    for name in COMMANDS:
        module = __import__(f"cooper.cli.{COMMANDS[name][0]}", fromlist=("COMMAND",))
        flags += module.COMMAND.flags
    known = {name for flag in flags for name in (flag.name, *flag.aliases)}
    assert set(re.findall(r"`--([a-z-]+[a-z0-9])`", text)) <= known
