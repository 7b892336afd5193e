"""Help and version say what there is."""

from __future__ import annotations

import importlib

import pytest

from stave.cli.help import usage
from stave.cli.main import execute
from stave.cli.table import COMMANDS, GLOBAL


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The help names every flag and alias, and all three ways to ask for it are the same."""
    _, flags, _, _, _, arguments, _ = COMMANDS[command]
    assert execute([command, "--help"]) == 0
    text = capfd.readouterr().out
    assert text.startswith(f"usage: stave {command} ")
    assert arguments in text
    for names, _, _, _, _, _ in flags:
        for name in names:
            assert f"--{name}" in text or f"-{name}" in text
    for words in ([command, "-h"], ["help", command]):
        assert execute(words) == 0
        assert capfd.readouterr().out == text


def test_help_of_the_program(capfd: pytest.CaptureFixture[str]) -> None:
    """Without a command, every command and global flag is named."""
    assert execute([]) == 0
    text = capfd.readouterr().out
    assert all(f"\n  {command} " in text for command in COMMANDS)
    assert all(f"--{flag[0][0]}" in text for flag in GLOBAL)
    assert execute(["--help"]) == 0
    assert capfd.readouterr().out == text


def test_help_of_an_unknown_command(capfd: pytest.CaptureFixture[str]) -> None:
    """An unknown command has no help."""
    assert execute(["help", "frobnicate"]) == 1
    assert 'unknown command "frobnicate"' in capfd.readouterr().err


def test_usage_of_no_command() -> None:
    """Without a known command, the usage is the program's."""
    assert usage("frobnicate") == usage("")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_module(command: str) -> None:
    """The module that the table names can run the command."""
    assert callable(importlib.import_module(f"stave.cli.{COMMANDS[command][0]}").run)


@pytest.mark.parametrize("words", [["--version"], ["-v"], ["version"]])
def test_version(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """The version is the three lines that containerd's client and Docker take apart."""
    assert execute(words) == 0
    name, commit, spec = capfd.readouterr().out.splitlines()
    assert name.split(" version ") == ["stave", "0.1.0"]
    assert commit == "commit: v0.1.0"
    assert spec == "spec: 1.3.0"
