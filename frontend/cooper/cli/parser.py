"""The command line as users of docker write it, at a hundredth of what importing argparse or click costs.

``--name value``, ``--name=value``, ``-n value``, ``-nvalue``, ``-n=value``, ``-it``; a flag without a value is
true, or what follows its ``=``. ``--`` ends the flags.
"""

from __future__ import annotations

from cooper.cli.command import BOOL, LIST, NUMBER, TEXT, Command, Flag, Invocation
from cooper.cli.table import GROUPS, resolve
from cooper.errors import UsageError
from cooper.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = Flag("help", "h", text="show this help")
GLOBAL = (
    Flag("root", kind=TEXT, value="DIR", text="directory of images, containers and volumes"),
    Flag("run-root", kind=TEXT, value="DIR", text="directory of what a reboot may remove"),
    Flag("runtime", kind=TEXT, value="PROGRAM", text="the OCI runtime: a name in $PATH or a path"),
    Flag("debug", "D", text="show where an error came from"),
    Flag("version", "v", text="show the version"),
    HELP,
)
_TRUTH = {
    "1": True, "t": True, "T": True, "true": True, "TRUE": True, "True": True,
    "0": False, "f": False, "F": False, "false": False, "FALSE": False, "False": False,
}  # fmt: skip


def parse_command(words: list[str]) -> Invocation:
    """Which command the words (without the program's name) mean, with what is left of them as its arguments.

    Raises: UsageError for an unknown command or global flag.
    """
    options: dict[str, object] = {}
    rest = read(words, GLOBAL, options, set(), True)
    settings = Settings(
        str(options["root"]), str(options["run-root"]), str(options["runtime"]), bool(options["debug"])
    )
    if options["version"]:
        return Invocation("version", settings)
    name, left = resolve(rest)
    if options["help"] or not rest:
        name, left = "help", rest
    elif not name:
        if rest[0] in GROUPS:
            if len(rest) > 1 and not rest[1].startswith("-"):
                raise UsageError(
                    f"unknown command: cooper {rest[0]} {rest[1]}", f"see cooper {rest[0]} --help"
                )
            name, left = "help", rest[:1]
        else:
            raise UsageError(f"unknown command: cooper {rest[0]}", _similar(rest[0]))
    invocation = Invocation(name, settings)
    invocation.arguments = left
    return invocation


def parse_flags(invocation: Invocation, command: Command) -> None:
    """The invocation's arguments have become its options and arguments; "help" is among the options.

    Raises: UsageError: an unknown flag, a bad value, or a wrong number of arguments.
    """
    flags = (HELP, *command.flags)  # whose -h may mean --hostname
    words, options = invocation.arguments, invocation.options
    invocation.arguments = read(words, flags, options, invocation.given, command.in_order)
    count = len(invocation.arguments)
    if not options["help"] and (count < command.minimum or -1 < command.maximum < count):
        wanted = command.arguments or "no arguments"
        raise UsageError(
            f"cooper {invocation.command} takes {wanted}", f"see cooper {invocation.command} --help"
        )


def read(
    words: Sequence[str], flags: Sequence[Flag], options: dict[str, object], given: set[str], in_order: bool
) -> list[str]:
    """Fills the options; returns the arguments, which in order are all from the first on."""
    known: dict[str, Flag] = {}
    for flag in flags:
        options[flag.name] = [] if flag.kind == LIST else flag.default
        known[f"--{flag.name}"] = flag
        if flag.short:
            known[f"-{flag.short}"] = flag
        for alias in flag.aliases:
            known[f"--{alias}"] = flag
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
        for name, value in _split(word, known):
            flag = known[name]
            if value is None and flag.kind != BOOL:
                if position == len(words):
                    raise UsageError(f"{name} needs a value: {name} {flag.value}")
                value = words[position]
                position += 1
            given.add(flag.name)
            if flag.kind == LIST:
                assert value is not None
                options[flag.name].append(value)  # type: ignore[attr-defined]
            else:
                options[flag.name] = _value(name, flag, value)
    return arguments


def _split(word: str, known: dict[str, Flag]) -> list[tuple[str, str | None]]:
    """The flags in one word, with the value that the word holds, or None."""
    if word[:2] == "--":
        name, equals, value = word.partition("=")
        if name not in known:
            raise UsageError(f"unknown flag: {name}", "cooper COMMAND --help lists them")
        return [(name, value if equals else None)]
    found: list[tuple[str, str | None]] = []
    letters = word[1:]
    while letters:
        name = f"-{letters[0]}"
        if name not in known:
            where = f" in {word}" if len(word) > 2 else ""
            raise UsageError(f"unknown flag: {name}{where}", "cooper COMMAND --help lists them")
        letters = letters[1:]
        if known[name].kind != BOOL:
            return [*found, (name, letters.removeprefix("=") if letters else None)]
        if letters[:1] == "=":
            return [*found, (name, letters[1:])]
        found.append((name, None))
    return found


def _value(name: str, flag: Flag, text: str | None) -> bool | int | str:
    if flag.kind == BOOL:
        if text is None:
            return True
        if text in _TRUTH:
            return _TRUTH[text]
        raise UsageError(f"{name}: {text!r} is neither true nor false")
    assert text is not None
    if flag.kind == NUMBER:
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= 18:
            return int(text)
        raise UsageError(f"{name}: {text!r} is not a whole number")
    return text


def _similar(word: str) -> str:
    """A hint: the commands that may have been meant."""
    from difflib import get_close_matches

    from cooper.cli.table import ALIASES, COMMANDS

    close = get_close_matches(word, [name for name in (*COMMANDS, *ALIASES) if " " not in name], 2)
    return f"did you mean {' or '.join(close)}?" if close else "cooper --help lists the commands"
