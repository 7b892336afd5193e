"""What holds for every command."""

from __future__ import annotations

import importlib

import pytest

from cooper.cli.command import Command
from cooper.cli.main import execute
from cooper.cli.table import ALIASES, COMMANDS, GROUPS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_explained(name: str) -> None:
    """Its module has flags with help, an example that begins with its name, and a function to run."""
    module = importlib.import_module(f"cooper.cli.{COMMANDS[name][0]}")
    command: Command = module.COMMAND
    assert callable(module.run)
    assert command.examples, f"{name} has no example"
    spellings = {
        name,
        name.removeprefix("container "),
        *(alias for alias, meant in ALIASES.items() if meant == name),
    }
    assert any(f"cooper {each}" in example for example, _ in command.examples for each in spellings)
    assert all(meaning for _, meaning in command.examples)
    names = [
        spelling for flag in command.flags for spelling in (flag.name, flag.short, *flag.aliases) if spelling
    ]
    assert len(names) == len(set(names)), "a flag is there twice"
    for flag in command.flags:
        assert flag.hidden or flag.help, f"--{flag.name} has no help"


@pytest.mark.parametrize("name", ["", *sorted(COMMANDS), *sorted(GROUPS)])
def test_help_is_printed(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """`cooper help NAME` and `cooper NAME --help` print the same."""
    assert execute(["help", *name.split()]) == 0
    asked = capfd.readouterr().out
    assert asked.startswith(f"usage: cooper {name}".rstrip())
    assert execute([*name.split(), "--help"]) == 0
    assert capfd.readouterr().out == asked or name == ""


def test_aliases_lead_to_commands() -> None:
    """Every alias means a command, and hides none."""
    for alias, meant in ALIASES.items():
        assert meant in COMMANDS
        assert alias not in COMMANDS


def test_errors_are_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """A usage error is one line on standard error, and the exit status is docker's 125."""
    assert execute(["version", "--nonsense"]) == 125
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("cooper: unknown flag: --nonsense")
    assert captured.err.count("\n") == 1
