"""stave validate."""

from __future__ import annotations

from stave.cli.output import STDOUT, one_line, print_line, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """Every problem of the bundle's config.json is printed, one a line; 1 if there are any."""
    from ocispec.config import load_config
    from ocispec.errors import InvalidConfig

    try:
        load_config(invocation.arguments[0])
    except InvalidConfig as error:
        write(STDOUT, "".join([f"{one_line(str(problem))}\n" for problem in error.problems]))
        return 1
    print_line("valid")
    return 0
