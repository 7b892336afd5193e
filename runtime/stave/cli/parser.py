"""The command line as callers of runc write it, without argparse, whose import costs more than a `state`.

``-name`` and ``--name`` are the same for every flag; a value follows after ``=`` or as the next word. Global
flags stand before the command. A command's flags may follow its arguments, but for `exec` and `ps`, where
everything after the container belongs to the other program. ``--`` ends the flags.
"""

from __future__ import annotations

from stave.cli.table import BOOL, COMMANDS, GLOBAL, LIST, NUMBER
from stave.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from stave.cli.table import Flag

_TRUTH = {
    "1": True, "t": True, "T": True, "true": True, "TRUE": True, "True": True,
    "0": False, "f": False, "F": False, "false": False, "FALSE": False, "False": False,
}  # fmt: skip
_MAX_NUMBER = 2**31 - 1


class Invocation:
    """A parsed command line; each flag of the table is in the options by its first name, given or not.

    A flag's value is of the kind that the table states: bool, int, str, or a list of str. The warnings are
    those that the log still holds back.
    """

    __slots__ = ("command", "global_options", "options", "arguments", "warnings")

    def __init__(self) -> None:
        self.command = ""
        self.global_options: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.arguments: list[str] = []
        self.warnings: list[str] = []

    @property
    def container_id(self) -> str:
        """The first argument: the container (or the bundle, for `validate` and `explain`), "" without one."""
        return self.arguments[0] if self.arguments else ""


def parse(words: Sequence[str], invocation: Invocation | None = None) -> Invocation:
    """The invocation that the words (without the program's name) stand for.

    Args:
        invocation: filled as far as it is understood, even when the rest is wrong.

    Raises:
        UsageError: an unknown command or flag, a bad value, or a wrong number of arguments.
    """
    invocation = invocation or Invocation()
    rest = _read(words, GLOBAL, invocation.global_options, True)
    if invocation.global_options["version"]:
        invocation.command = "version"
        return invocation
    if invocation.global_options["help"] or not rest:
        invocation.command = "help"
        return invocation
    command = rest[0]
    if command not in COMMANDS:
        raise UsageError(f'unknown command "{command}"')
    invocation.command = command
    _, flags, minimum, maximum, in_order, _, _ = COMMANDS[command]
    invocation.arguments = _read(rest[1:], flags, invocation.options, in_order)
    if invocation.options["help"]:
        invocation.command, invocation.arguments = "help", [command]
    else:
        _check_count(command, len(invocation.arguments), minimum, maximum)
    return invocation


def _read(words: Sequence[str], flags: Sequence[Flag], options: dict[str, Any], in_order: bool) -> list[str]:
    """Fills the options; returns the arguments, which in order are all from the first on."""
    known: dict[str, Flag] = {}
    for flag in flags:
        options[flag[0][0]] = [] if flag[1] == LIST else flag[2]
        for name in flag[0]:
            known[name] = flag
    spelled: dict[str, str] = {}
    arguments: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            return [*arguments, *words[position:]]
        if word[:1] != "-" or word == "-":
            if in_order:
                return list(words[position - 1 :])
            arguments.append(word)
            continue
        name, equals, value = word[2 if word[:2] == "--" else 1 :].partition("=")
        if name not in known:
            if arguments:  # as the signal in `kill ID -9`
                arguments.append(word)
                continue
            raise UsageError(f"flag provided but not defined: -{name}")
        names, kind, _, choices, _, _ = known[name]
        if not equals and kind != BOOL:
            if position == len(words):
                raise UsageError(f"flag needs an argument: -{name}")
            value = words[position]
            position += 1
        if kind == LIST:
            options[names[0]].append(value)
            continue
        if spelled.setdefault(names[0], name) != name:
            raise UsageError(f"cannot use two forms of the same flag: {name} {spelled[names[0]]}")
        options[names[0]] = _value(name, kind, choices, value if equals or kind != BOOL else "true")
    return arguments


def _value(name: str, kind: str, choices: tuple[str, ...], text: str) -> bool | int | str:
    if kind == BOOL:
        if text in _TRUTH:
            return _TRUTH[text]
        raise UsageError(f'invalid boolean value "{text}" for -{name}: parse error')
    if kind == NUMBER:
        if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_NUMBER:
            return int(text)
        raise UsageError(f'invalid value "{text}" for flag -{name}: parse error')
    if choices and text not in choices:
        raise UsageError(f'invalid value "{text}" for flag -{name}: not one of {", ".join(choices)}')
    return text


def _check_count(command: str, count: int, minimum: int, maximum: int) -> None:
    if minimum == maximum != count:
        raise UsageError(f'"{command}" requires exactly {minimum} argument(s)')
    if count < minimum:
        raise UsageError(f'"{command}" requires a minimum of {minimum} argument(s)')
    if -1 < maximum < count:
        raise UsageError(f'"{command}" requires a maximum of {maximum} argument(s)')
