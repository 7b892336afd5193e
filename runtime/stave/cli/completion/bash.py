"""Completion for bash."""

from __future__ import annotations

from stave.cli.completion.candidates import arguments_of, spellings, value_of
from stave.cli.table import COMMANDS, GLOBAL

_SCRIPT = r"""# bash completion of stave, made by `stave completion bash`

# The flags of a command; those before any command for "".
_stave_flags() {
    case $1 in
@FLAGS@
    esac
}

# What the value of a command's flag may be: words, or a kind. Fails for a flag that takes none.
_stave_value() {
    case $1/$2 in
@VALUES@
        *) return 1 ;;
    esac
}

# The same of a command's argument, counted from 1.
_stave_argument() {
    case $1/$2 in
@ARGUMENTS@
    esac
}

_stave() {
    local current=${COMP_WORDS[COMP_CWORD]} command= value= root= word found index=1 count=0 in_value=
    COMPREPLY=()
    # bash makes a word of its own of "=".
    [[ $current == = ]] && current=
    while ((index < COMP_CWORD)); do
        word=${COMP_WORDS[index]}
        ((index += 1))
        if [[ $word == -* ]]; then
            value=$(_stave_value "$command" "$word") || continue
            [[ ${COMP_WORDS[index]} == = ]] && ((index += 1))
            if ((index >= COMP_CWORD)); then
                in_value=yes
            elif [[ $word == --root ]]; then
                root=${COMP_WORDS[index]}
            fi
            ((index += 1))
        elif [[ -z $command ]]; then
            command=$word
        else
            ((count += 1))
        fi
    done
    if [[ -n $in_value ]]; then
        found=$value
    elif [[ $current == -* ]]; then
        case $command/$count in
            @IN_ORDER@) found= ;;
            *) found=$(_stave_flags "$command") ;;
        esac
    elif [[ -z $command ]]; then
        found='@COMMANDS@'
    else
        found=$(_stave_argument "$command" $((count + 1)))
    fi
    case $found in
        :directory) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
        :file) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        :container)
            found=$("${COMP_WORDS[0]}" ${root:+--root "$root"} list --quiet 2>/dev/null)
            mapfile -t COMPREPLY < <(compgen -W "$found" -- "$current")
            return
            ;;
        *)
            mapfile -t COMPREPLY < <(compgen -W "$found" -- "$current")
            return
            ;;
    esac
    compopt -o filenames 2>/dev/null
}

complete -F _stave stave
"""


def script() -> str:
    """The script."""
    tables = {"": GLOBAL, **{name: entry[1] for name, entry in COMMANDS.items()}}
    flags, values, arguments = [], [], []
    for command, table in tables.items():
        names = " ".join(spellings(flag)[0] for flag in table)
        flags.append(f"        {command or quoted('')}) echo {quoted(names)} ;;")
        for flag in table:
            if (value := value_of(flag)) is not None:
                pattern = " | ".join(f"{command}/{name}" for name in spellings(flag))
                values.append(f"        {pattern}) echo {quoted(value)} ;;")
    for command in COMMANDS:
        for number, (_, kind) in enumerate(arguments_of(command), 1):
            arguments.append(f"        {command}/{number}) echo {quoted(kind)} ;;")
    in_order = " | ".join(f"{name}/[1-9]*" for name, entry in COMMANDS.items() if entry[4])
    return (
        _SCRIPT.replace("@FLAGS@", "\n".join(flags))
        .replace("@VALUES@", "\n".join(values))
        .replace("@ARGUMENTS@", "\n".join(arguments))
        .replace("@IN_ORDER@", in_order)
        .replace("@COMMANDS@", " ".join(COMMANDS))
    )


def quoted(text: str) -> str:
    """The text as one word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"
