"""The commands about bundles: spec, validate, explain."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest

from ocispec.config import load_config
from stave.cli.main import execute

from .conftest import Lifecycle


@pytest.mark.parametrize("flags", [[], ["--rootless"]])
def test_spec_is_valid(tmp_path: Path, flags: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """What `spec` writes is indented with tabs and valid, and `validate` says so."""
    assert execute(["spec", "--bundle", str(tmp_path), *flags]) == 0
    text = (tmp_path / "config.json").read_text()
    assert text.startswith('{\n\t"ociVersion": "1.3.0",\n\t"process": {\n\t\t"terminal": true,')
    assert text.endswith("\n}\n")
    namespaces = [entry["type"] for entry in load_config(str(tmp_path))["linux"]["namespaces"]]
    assert ("user" in namespaces) == bool(flags)
    assert execute(["validate", str(tmp_path)]) == 0
    assert capfd.readouterr() == ("valid\n", "")


def test_spec_keeps_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A config.json that is there stays; by default that of the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text("mine")
    assert execute(["spec"]) == 1
    assert capfd.readouterr().err == "stave: spec: config.json exists: remove it first\n"
    assert (tmp_path / "config.json").read_text() == "mine"


def test_validate_names_every_problem(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each problem is a line with its JSON pointer and the section of the specification."""
    config = {"ociVersion": "1.3.0", "root": {"path": 1}, "process": {"cwd": "/", "args": "sh"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert execute(["validate", str(tmp_path)]) == 1
    out, err = capfd.readouterr()
    assert err == ""
    assert {line.partition(": ")[0] for line in out.splitlines()} == {"/root/path", "/process/args"}
    assert all(".md#" in line for line in out.splitlines())


def test_validate_without_a_configuration(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A bundle without config.json is a failure that names the file."""
    assert execute(["validate", str(tmp_path)]) == 1
    assert f"{tmp_path}/config.json: No such file or directory" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("flags", "expected"), [([], "the program\n"), (["--json"], '[\n  "the program"\n]\n')]
)
def test_explain(
    lifecycle: Lifecycle,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    flags: list[str],
    expected: str,
) -> None:
    """The plan's Program is printed in the form asked for, its warnings on standard error."""
    plan = types.SimpleNamespace(program="the program", warnings=["left out"])
    calls = lifecycle("create", plan_bundle=plan)
    explain = types.ModuleType("stave.plan.explain")
    explain.as_text = lambda program: f"{program}\n"  # type: ignore[attr-defined]
    explain.as_json = lambda program: [program]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stave.plan.explain", explain)
    assert execute(["explain", *flags, str(tmp_path)]) == 0
    assert calls == [((str(tmp_path.resolve()),), {"cgroup_manager": "cgroupfs"})]
    assert capfd.readouterr() == (expected, f"stave: explain {tmp_path}: warning: left out\n")
