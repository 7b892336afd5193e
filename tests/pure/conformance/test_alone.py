"""conformance/pyproject.toml, with which the suite is installed alone, agrees with the whole project's setup.cfg."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path
from typing import Any

import pytest

import stave
from ociconformance import __version__

TOP = Path(__file__).parent.parent.parent.parent


@pytest.fixture
def alone() -> dict[str, Any]:
    """The suite's own metadata."""
    return tomllib.loads((TOP / "conformance/pyproject.toml").read_text())


@pytest.fixture
def whole() -> configparser.ConfigParser:
    """The project's."""
    parser = configparser.ConfigParser()
    parser.read(TOP / "setup.cfg")
    return parser


def test_packages(alone: dict[str, Any]) -> None:
    """It has every package of the suite, and what that imports of the project."""
    found = {
        str(file.parent.relative_to(TOP / "conformance")).replace("/", ".")
        for file in (TOP / "conformance/ociconformance").rglob("__init__.py")
    }
    assert set(alone["tool"]["setuptools"]["packages"]) == found | {"ocispec"}


def test_files(alone: dict[str, Any], whole: configparser.ConfigParser) -> None:
    """The same files that are no modules, and the same programs."""
    for package, files in alone["tool"]["setuptools"]["package-data"].items():
        assert ", ".join(files) == whole["options.package_data"][package]
    scripts = [f"{name} = {place}" for name, place in alone["project"]["scripts"].items()]
    assert scripts == whole["options.entry_points"]["console_scripts"].split("\n")[1:]


def test_requirements(alone: dict[str, Any], whole: configparser.ConfigParser) -> None:
    """What it needs, in the same versions."""
    known = (
        whole["options"]["install_requires"].split() + whole["options.extras_require"]["conformance"].split()
    )
    assert set(alone["project"]["dependencies"]) <= set(known)


def test_version() -> None:
    """There is one version."""
    assert __version__ == stave.__version__
