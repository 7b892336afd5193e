"""What may stand where on the command line, in words that are the same for all shells."""

from __future__ import annotations

import signal

from stave.cli.table import BOOL, COMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.table import Flag

# Kinds of candidates that the shell finds by itself or asks for; otherwise they are words.
CONTAINER, DIRECTORY, FILE, ANYTHING = ":container", ":directory", ":file", ""
_KINDS = {"CONTAINER": CONTAINER, "BUNDLE": DIRECTORY, "DIR": DIRECTORY, "FILE": FILE, "SOCKET": FILE}


def spellings(flag: Flag) -> list[str]:
    """The flag as it is typed, its first name first."""
    return [f"--{name}" if len(name) > 1 else f"-{name}" for name in flag[0]]


def value_of(flag: Flag) -> str | None:
    """What the flag's value may be: a kind, or words; None for a flag without one."""
    _, kind, _, choices, value, _ = flag
    if kind == BOOL:
        return None
    return " ".join(choices) or _KINDS.get(value, ANYTHING)


def arguments_of(command: str) -> list[tuple[str, str]]:
    """Name and kind, or words, of each argument that can be known."""
    found = []
    for name in COMMANDS[command][5].replace("[", "").replace("]", "").split():
        if name in ("PROGRAM", "OPTION", "..."):
            break  # the rest belongs to another program
        found.append((name, _argument(name)))
    return found


def _argument(name: str) -> str:
    if "|" in name:
        return name.replace("|", " ")
    if name == "COMMAND":
        return " ".join(COMMANDS)
    if name == "SIGNAL":
        return " ".join(each.name.removeprefix("SIG") for each in signal.Signals)
    return _KINDS.get(name, ANYTHING)
