"""What a command says of itself: flags, arguments, examples. The parser, the help and the completion read it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cooper.settings import Settings

BOOL, NUMBER, TEXT, LIST = "bool", "number", "text", "list"

# What an argument or a flag's value names; completion offers what there is.
CONTAINER, RUNNING, IMAGE, VOLUME, NETWORK, FILE = (
    "container",
    "running",
    "image",
    "volume",
    "network",
    "file",
)


class Flag:
    """One flag: ``--name``, ``-short``, and other spellings of the name.

    Attributes:
        kind: BOOL, NUMBER (int), TEXT, or LIST (may be given several times: a list of str).
        default: the option's value without the flag; [] for a LIST.
        value: how the help calls the value.
        completes: what the value names, or the values that there are, with "|" between them, or "".
        hidden: whether the help leaves it out.
    """

    __slots__ = ("name", "short", "kind", "default", "value", "help", "aliases", "completes", "hidden")

    def __init__(
        self,
        name: str,
        short: str = "",
        kind: str = BOOL,
        value: str = "",
        text: str = "",
        default: bool | int | str | None = None,
        aliases: tuple[str, ...] = (),
        completes: str = "",
        hidden: bool = False,
    ) -> None:
        self.name = name
        self.short = short
        self.kind = kind
        self.value = value
        self.help = text
        self.default = {BOOL: False, TEXT: ""}.get(kind) if default is None else default
        self.aliases = aliases
        self.completes = completes
        self.hidden = hidden


class Command:
    """A command's part of the command line.

    Args:
        arguments: how the help writes the arguments.
        minimum, maximum: how many arguments it takes (maximum -1: any number).
        flags: its own; `--help` is added.
        in_order: whether all flags stand before the first argument, as the rest belongs to another program.
        examples: command lines with what they do, for the help.
        completes: what the arguments name, or "".
    """

    __slots__ = ("arguments", "minimum", "maximum", "flags", "in_order", "examples", "completes")

    def __init__(
        self,
        arguments: str = "",
        minimum: int = 0,
        maximum: int = 0,
        flags: Sequence[Flag] = (),
        in_order: bool = False,
        examples: Sequence[tuple[str, str]] = (),
        completes: str = "",
    ) -> None:
        self.arguments = arguments
        self.minimum = minimum
        self.maximum = maximum
        self.flags = flags
        self.in_order = in_order
        self.examples = examples
        self.completes = completes


class Invocation:
    """A parsed command line.

    Attributes:
        command: its name in the table, e.g. "run" or "network create".
        options: every flag of the command by its name, given or not.
        given: the names of those flags that were given.
        arguments: what is left.
    """

    __slots__ = ("command", "options", "given", "arguments", "settings")

    def __init__(self, command: str, settings: Settings) -> None:
        self.command = command
        self.settings = settings
        self.options: dict[str, Any] = {}
        self.given: set[str] = set()
        self.arguments: list[str] = []
