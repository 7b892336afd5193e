"""Completion for zsh, by its own `_arguments`."""

from __future__ import annotations

from stave.cli.completion.bash import quoted
from stave.cli.completion.candidates import (
    ANYTHING,
    CONTAINER,
    DIRECTORY,
    FILE,
    arguments_of,
    spellings,
    value_of,
)
from stave.cli.table import COMMANDS, GLOBAL, LIST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stave.cli.table import Flag

_SCRIPT = r"""#compdef stave
# zsh completion of stave, made by `stave completion zsh`

_stave_containers() {
    local -a containers
    containers=(${(f)"$(_call_program containers $service ${opt_args[--root]:+--root ${opt_args[--root]}} list --quiet 2>/dev/null)"})
    compadd -a containers
}

_stave_commands() {
    local -a commands
    commands=(
@COMMANDS@
    )
    _describe command commands
}

_stave() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C \
@GLOBAL@
        '1:command:_stave_commands' \
        '*::argument:->argument' && return
    [[ $state == argument ]] || return
    curcontext=${curcontext%:*}-$words[1]:
    case $words[1] in
@CASES@
    esac
}

if [[ $funcstack[1] == _stave ]]; then
    _stave "$@"
else
    compdef _stave stave
fi
"""
_ACTIONS = {CONTAINER: "_stave_containers", DIRECTORY: "_directories", FILE: "_files", ANYTHING: ""}


def script() -> str:
    """The script."""
    commands = [f"        {quoted(f'{name}:{_escaped(entry[-1])}')}" for name, entry in COMMANDS.items()]
    cases = []
    for name, entry in COMMANDS.items():
        specifications = [
            *_flags(entry[1]),
            *(
                quoted(f"{number}:{argument}:{_action(kind)}")
                for number, (argument, kind) in enumerate(arguments_of(name), 1)
            ),
        ]
        if entry[4]:
            specifications.append(quoted("*::argument:_default"))
        lines = " \\\n                ".join(specifications)
        cases.append(f"        {name})\n            _arguments \\\n                {lines}\n            ;;")
    return (
        _SCRIPT.replace("@COMMANDS@", "\n".join(commands))
        .replace("@GLOBAL@", "\n".join(f"        {each} \\" for each in _flags(GLOBAL)))
        .replace("@CASES@", "\n".join(cases))
    )


def _flags(flags: Sequence[Flag]) -> list[str]:
    """One specification per spelling of each flag."""
    found = []
    for flag in flags:
        names = spellings(flag)
        value = value_of(flag)
        again = "*" if flag[1] == LIST else f"({' '.join(names)})"
        for name in names:
            text = f"{again}{name}"
            if value is None:
                text += f"[{_escaped(flag[5])}]"
            else:
                joint = "=" if name.startswith("--") else "+"
                text += f"{joint}[{_escaped(flag[5])}]:{_escaped(flag[4])}:{_action(value)}"
            found.append(quoted(text))
    return found


def _action(kind: str) -> str:
    return _ACTIONS.get(kind, f"({kind})")


def _escaped(text: str) -> str:
    """Without a meaning of its own in a specification."""
    for character in "\\[]:":
        text = text.replace(character, f"\\{character}")
    return text
