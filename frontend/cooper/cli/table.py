"""Which module holds a command. Imported by every command: names and summaries only.

A module has ``COMMAND`` (a `Command`) and ``run(invocation) -> int``, the exit status. A command of a group has
the group's name before its own.
"""

from __future__ import annotations

# name -> (module below cooper.cli, summary)
COMMANDS: dict[str, tuple[str, str]] = {
    "version": ("version", "show the versions of cooper and of the OCI runtime"),
    "help": ("help", "show the help of a command"),
}

GROUPS: dict[str, str] = {
    "container": "manage containers",
}

# Other names of a command, as docker and podman have them.
ALIASES: dict[str, str] = {}


def resolve(words: list[str]) -> tuple[str, list[str]]:
    """The command that the words begin with, and the words after it; ("", words) if there is none."""
    for count in (2, 1):
        name = " ".join(words[:count])
        name = ALIASES.get(name, name)
        if name in COMMANDS:
            return name, words[count:]
    return "", words
