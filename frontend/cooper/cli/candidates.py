"""What may come next on a command line: commands, flags, and the names of what there is."""

from __future__ import annotations

from cooper.cli.command import BOOL, CONTAINER, FILE, IMAGE, NETWORK, RUNNING, VOLUME, Command, Flag
from cooper.cli.parser import GLOBAL, HELP
from cooper.cli.table import ALIASES, COMMANDS, GROUPS, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cooper.settings import Settings

FILES = ["@files"]


def candidates(settings: Settings, words: Sequence[str]) -> list[str]:
    """The words that may stand where the last one stands, which is the beginning of them; FILES for any path."""
    *before, current = words or [""]
    before = _after_global(before)
    name, rest = resolve(list(before))
    if not name:
        found = _commands(before)
        return _starting([*found, *(_flags(GLOBAL) if not before else [])], current)
    module = __import__(f"cooper.cli.{COMMANDS[name][0]}", fromlist=("COMMAND",))
    command: Command = module.COMMAND
    flags = (*command.flags, HELP)
    expected, arguments = _read(rest, flags)
    head, equals, value = current.partition("=")
    if expected is None and equals and head.startswith("--"):
        flag = next((each for each in flags if head[2:] in (each.name, *each.aliases)), None)
        found = _named(settings, flag.completes, value) if flag is not None else []
        return found if found == FILES else [f"{head}={each}" for each in found]
    if expected is not None:
        return _named(settings, expected.completes, current)
    if current.startswith("-") and not (command.in_order and arguments):
        return _starting(_flags(flags), current)
    if command.in_order and arguments:
        return FILES
    return _named(settings, command.completes, current)


def _after_global(words: list[str]) -> list[str]:
    while words and words[0].startswith("-"):
        flag = next((each for each in GLOBAL if f"--{each.name}" == words[0]), None)
        del words[: 2 if flag is not None and flag.kind != BOOL else 1]
    return words


def _commands(before: list[str]) -> list[str]:
    names = [*COMMANDS, *ALIASES]
    if not before:
        return sorted({*GROUPS, *(name for name in names if " " not in name)})
    group = f"{before[0]} "
    return (
        sorted(name.removeprefix(group) for name in names if name.startswith(group))
        if len(before) == 1
        else []
    )


def _flags(flags: Sequence[Flag]) -> list[str]:
    return [f"--{flag.name}" for flag in flags if not flag.hidden]


def _read(words: Sequence[str], flags: Sequence[Flag]) -> tuple[Flag | None, int]:
    """The flag whose value comes next, and how many arguments there are already."""
    known = {f"--{name}": flag for flag in flags for name in (flag.name, *flag.aliases)}
    known |= {f"-{flag.short}": flag for flag in flags if flag.short}
    expected: Flag | None = None
    arguments = 0
    for word in words:
        if expected is not None:
            expected = None
        elif word.startswith("-") and len(word) > 1:
            flag = known.get(word) or known.get(f"-{word[-1]}")
            expected = flag if flag is not None and flag.kind != BOOL and "=" not in word else None
        else:
            arguments += 1
    return expected, arguments


def _starting(words: Sequence[str], beginning: str) -> list[str]:
    return [word for word in words if word.startswith(beginning)]


def _named(settings: Settings, kind: str, beginning: str) -> list[str]:
    """Names of what there is of the kind; paths where a path may stand as well."""
    if "|" in kind:
        return _starting(kind.split("|"), beginning)
    if kind in ("", FILE) or beginning.startswith(("/", ".", "~")):
        return FILES
    from cooper.containers.lookup import every, open_database

    if kind == IMAGE:
        from cooper.containers.images import open_store
        from ociimage.reference import parse

        return _starting(
            [parse(name).familiar for image in open_store(settings).images() for name in image.tags],
            beginning,
        )
    database = open_database(settings)
    names: list[str] = []
    if kind in (CONTAINER, RUNNING):
        names = [
            each.name for each in every(settings, database) if kind == CONTAINER or each.state == "running"
        ]
    elif kind == VOLUME:
        from cooper.volumes import store as volumes

        volumes.ensure(database)
        names = [each.name for each in volumes.every(database)]
    elif kind == NETWORK:
        from cooper.networks.store import Store

        names = ["host", "none", *(each.name for each in Store(database, settings).networks())]
    return _starting(names, beginning)
