"""Help and usage, by argparse, from the table that the parser reads."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter

from stave.cli.output import STDOUT, write
from stave.cli.table import BOOL, COMMANDS, GLOBAL, LIST
from stave.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stave.cli.parser import Invocation
    from stave.cli.table import Flag


def run(invocation: Invocation) -> int:
    """The help of the named command, or of all, is printed."""
    command = invocation.arguments[0] if invocation.arguments else ""
    if command and command not in COMMANDS:
        raise UsageError(f'unknown command "{command}"')
    write(STDOUT, argument_parser(command).format_help())
    return 0


def usage(command: str) -> str:
    """The usage lines of the command; of the program for "" or an unknown one."""
    return argument_parser(command if command in COMMANDS else "").format_usage()


def argument_parser(command: str) -> ArgumentParser:
    """The argparse parser of a command's own flags, or of the global ones for ""; it knows no arguments."""
    if not command:
        width = max(map(len, COMMANDS))
        commands = "\n".join(f"  {name:{width}}  {entry[-1]}" for name, entry in COMMANDS.items())
        return _parser(
            "stave",
            "A low-level OCI container runtime, with the command line of runc.",
            GLOBAL,
            "COMMAND ...",
            f"commands:\n{commands}\n\n`stave help COMMAND` shows a command's flags.",
        )
    _, flags, _, _, _, arguments, summary = COMMANDS[command]
    return _parser(f"stave {command}", f"{summary[0].upper()}{summary[1:]}.", flags, arguments, "")


def _parser(
    program: str, description: str, flags: Sequence[Flag], arguments: str, epilog: str
) -> ArgumentParser:
    parser = ArgumentParser(
        program,
        description=description,
        epilog=epilog,
        formatter_class=RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    for names, kind, default, _, value, text in flags:
        spellings = [f"--{name}" if len(name) > 1 else f"-{name}" for name in names]
        if kind == BOOL:
            parser.add_argument(*spellings, action="store_true", default=default, help=text)
        else:
            action = "append" if kind == LIST else "store"
            parser.add_argument(*spellings, action=action, default=default, metavar=value, help=text)
    # The arguments are text only: argparse has no form for "CONTAINER [PROGRAM [ARGUMENT ...]]".
    parser.usage = f"{parser.format_usage().removeprefix('usage: ').rstrip()} {arguments}".rstrip()
    return parser
