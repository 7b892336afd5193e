"""Help: from the table of commands and from what each command says of itself."""

from __future__ import annotations

from cooper.cli.command import BOOL, Command, Flag, Invocation
from cooper.cli.output import print_line, width
from cooper.cli.parser import GLOBAL, HELP
from cooper.cli.table import ALIASES, COMMANDS, GROUPS, resolve
from cooper.errors import UsageError

COMMAND = Command(
    arguments="[COMMAND]",
    maximum=-1,
    examples=(("cooper help run", "what `run` takes"), ("cooper help volume", "the commands on volumes")),
)


def run(invocation: Invocation) -> int:
    """The help of the named command or group, or of cooper, is printed."""
    words = [word for word in invocation.arguments if not word.startswith("-")]
    if not words:
        return print_help("")
    if words[0] in GROUPS and len(words) == 1:
        return print_help(words[0])
    name, rest = resolve(words)
    if not name or rest:
        raise UsageError(f"unknown command: cooper {' '.join(words)}", "cooper --help lists the commands")
    return print_help(name)


def print_help(name: str) -> int:
    """The help of a command, of a group, or of cooper (""), is printed."""
    if not name:
        print_line(_overview())
    elif name not in COMMANDS:
        print_line(_group(name))
    else:
        module = __import__(f"cooper.cli.{COMMANDS[name][0]}", fromlist=("COMMAND",))
        print_line(_command(name, module.COMMAND))
    return 0


def _overview() -> str:
    own = {name: entry[1] for name, entry in COMMANDS.items() if " " not in name}
    return "\n".join(
        [
            "usage: cooper [FLAGS] COMMAND ...",
            "",
            "Images and containers, on any OCI runtime.",
            "",
            "commands:",
            *_columns([(f"  {name}", text) for name, text in sorted(own.items())]),
            "",
            "groups of commands:",
            *_columns([(f"  {name}", text) for name, text in sorted(GROUPS.items())]),
            "",
            "flags:",
            *_flags(GLOBAL),
            "",
            "`cooper COMMAND --help` shows a command's flags and examples.",
        ]
    )


def _group(group: str) -> str:
    names = {name.removeprefix(f"{group} "): name for name in COMMANDS if name.startswith(f"{group} ")}
    for alias, name in ALIASES.items():
        if alias.startswith(f"{group} "):
            names.setdefault(alias.removeprefix(f"{group} "), name)
    return "\n".join(
        [
            f"usage: cooper {group} COMMAND ...",
            "",
            _sentence(GROUPS[group]),
            "",
            "commands:",
            *_columns([(f"  {short}", COMMANDS[name][1]) for short, name in sorted(names.items())]),
        ]
    )


def _command(name: str, command: Command) -> str:
    lines = [f"usage: cooper {name} [FLAGS] {command.arguments}".rstrip(), "", _sentence(COMMANDS[name][1])]
    others = [alias for alias, meant in ALIASES.items() if meant == name]
    if others:
        lines += ["", f"also: {', '.join(f'cooper {alias}' for alias in others)}"]
    taken = any(flag.short == HELP.short for flag in command.flags)
    own = Flag("help", text=HELP.help) if taken else HELP
    lines += ["", "flags:", *_flags((*command.flags, own))]
    if command.examples:
        lines += ["", "examples:"]
        for example, meaning in command.examples:
            lines += [f"  # {meaning}", f"  {example}"]
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _flags(flags: tuple[Flag, ...]) -> list[str]:
    return _columns([(_spelling(flag), flag.help) for flag in flags if not flag.hidden])


def _spelling(flag: Flag) -> str:
    short = f"  -{flag.short}, " if flag.short else "      "
    value = "" if flag.kind == BOOL else f" {flag.value}"
    return short + ", ".join(f"--{name}" for name in (flag.name, *flag.aliases)) + value


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    """Two columns, the second wrapped to the terminal."""
    from textwrap import wrap

    left = min(max((len(head) for head, _ in rows), default=0), 34) + 2
    room = max((width() or 110) - left, 30)
    lines = []
    for head, text in rows:
        parts = wrap(text, room) or [""]
        if len(head) + 2 > left:
            lines.append(head)
        else:
            lines.append(f"{head:{left}}{parts.pop(0)}".rstrip())
        lines += [" " * left + part for part in parts]
    return lines
