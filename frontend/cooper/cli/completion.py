"""`cooper completion`: a script for the shell, which asks cooper itself what may come next."""

from __future__ import annotations

from cooper.cli.command import Command, Invocation
from cooper.cli.output import STDOUT, write
from cooper.errors import UsageError

COMMAND = Command(
    arguments="bash|zsh|fish",
    minimum=1,
    maximum=-1,
    in_order=True,
    examples=(
        ("source <(cooper completion bash)", "in ~/.bashrc"),
        ("source <(cooper completion zsh)", "in ~/.zshrc"),
        ("cooper completion fish | source", "in ~/.config/fish/config.fish"),
    ),
)

# Every script calls `cooper completion candidates WORD ...` with the words after "cooper", the last unfinished. bash
# cuts words at = and : as well: they are taken from the line instead, and only what follows the last cut is offered.
_SCRIPTS = {
    "bash": """_cooper() {
    local IFS=$' \\t\\n' word cut words
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=("")
    word=${words[-1]}
    IFS=$'\\n'
    COMPREPLY=($(cooper completion candidates -- "${words[@]:1}" 2>/dev/null))
    [[ ${COMPREPLY[0]-} == @files ]] && COMPREPLY=($(compgen -f -- "${word#--*=}")) && return
    cut=${word%"${word##*[=:]}"}
    COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}
complete -o filenames -F _cooper cooper
""",
    "zsh": """_cooper() {
    local -a found
    found=(${(f)"$(cooper completion candidates -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if [[ $found[1] == @files ]]; then compset -P '--*='; _files; else compadd -a found; fi
}
compdef _cooper cooper
""",
    "fish": """function __cooper
    set -l words (commandline -opc) (commandline -ct)
    set -l found (cooper completion candidates -- $words[2..-1] 2>/dev/null)
    if test "$found[1]" = @files
        set -l parts (string match -r '^(--[^=]*=)?(.*)' -- (commandline -ct))
        printf '%s\\n' "$parts[2]"(__fish_complete_path "$parts[3]")
    else
        printf '%s\\n' $found
    end
end
complete -c cooper -f -a '(__cooper)'
""",
}


def run(invocation: Invocation) -> int:
    """The script, or the candidates for one line, are on standard output."""
    shell, *words = invocation.arguments
    if shell == "candidates":
        from cooper.cli.candidates import candidates

        if invocation.settings.rootless:
            from cooper.rootless.namespaces import enter

            enter(invocation.settings)
        write(
            STDOUT,
            "".join(f"{word}\n" for word in candidates(invocation.settings, words[words[:1] == ["--"] :])),
        )
        return 0
    if shell not in _SCRIPTS or words:
        raise UsageError(f"no completion for {shell!r}", f"there is one for {', '.join(_SCRIPTS)}")
    write(STDOUT, _SCRIPTS[shell])
    return 0
