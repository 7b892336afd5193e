"""Completion for fish."""

from __future__ import annotations

from stave.cli.completion.candidates import (
    ANYTHING,
    CONTAINER,
    DIRECTORY,
    FILE,
    arguments_of,
    spellings,
    value_of,
)
from stave.cli.table import COMMANDS, GLOBAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.table import Flag

_HEAD = """\
# fish completion of stave, made by `stave completion fish`

function __stave_containers
    set -l words (commandline --tokenize --current-process --cut-at-cursor)
    set -l root
    if set -l place (contains --index -- --root $words)
        set root --root $words[(math $place + 1)]
    end
    $words[1] $root list --quiet 2>/dev/null
end

# Prints the command on the line before the cursor; fails if there is none yet.
function __stave_command
    set -l words (commandline --tokenize --current-process --cut-at-cursor)
    set --erase words[1]
    while set --query words[1]
        switch $words[1]
            case @VALUED@
                set --erase words[1]
            case '-*'
            case '*'
                echo $words[1]
                return
        end
        set --erase words[1]
    end
    return 1
end

function __stave_command_is
    test "$(__stave_command)" = $argv[1]
end

complete --command stave --no-files
"""
_ACTIONS = {
    CONTAINER: "--arguments '(__stave_containers)'",
    DIRECTORY: "--arguments '(__fish_complete_directories)'",
    FILE: "--force-files",
    ANYTHING: "",
}


def script() -> str:
    """The script."""
    valued = " ".join(name for flag in GLOBAL if value_of(flag) is not None for name in spellings(flag))
    lines = [_HEAD.replace("@VALUED@", valued)]
    first = "--condition 'not __stave_command >/dev/null'"
    lines += [_flag(first, flag) for flag in GLOBAL]
    for name, entry in COMMANDS.items():
        lines.append(
            f"complete --command stave {first} --arguments {name} --description {_quoted(entry[-1])}"
        )
    for name, entry in COMMANDS.items():
        then = f"--condition '__stave_command_is {name}'"
        lines += [_flag(then, flag) for flag in entry[1]]
        for _, kind in arguments_of(name):
            if action := _action(kind):
                lines.append(f"complete --command stave {then} {action}")
    return "\n".join(lines) + "\n"


def _flag(condition: str, flag: Flag) -> str:
    names = [f"--{'long' if len(name) > 1 else 'short'}-option {name}" for name in flag[0]]
    value = value_of(flag)
    taken = [] if value is None else ["--require-parameter", _action(value)]
    parts = ["complete --command stave", condition, *names, *taken, f"--description {_quoted(flag[5])}"]
    return " ".join(part for part in parts if part)


def _action(kind: str) -> str:
    return _ACTIONS.get(kind, f"--arguments {_quoted(kind)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
