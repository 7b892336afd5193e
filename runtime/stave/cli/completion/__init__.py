"""stave completion: a script for the shell, generated from the table of commands."""

from __future__ import annotations

from stave.cli.output import write
from stave.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation

SHELLS = ("bash", "zsh", "fish")


def run(invocation: Invocation) -> int:
    """The script is on the standard output."""
    shell = invocation.arguments[0]
    if shell not in SHELLS:
        raise UsageError(f'no completion for the shell "{shell}": there is one for {", ".join(SHELLS)}')
    module = __import__(f"stave.cli.completion.{shell}", fromlist=("script",))
    write(1, module.script())
    return 0
