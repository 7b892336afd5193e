"""stave list."""

from __future__ import annotations

from stave.cli.output import STDOUT, one_line, print_line, write
from stave.cli.root import state_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stave.cli.parser import Invocation

_COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")
# Of runc's table, which scripts cut by position.
_MINIMUM_WIDTH, _GAP = 12, 3


def run(invocation: Invocation) -> int:
    """The containers below the state directory are listed."""
    from stave.container.state import list_all

    containers = list_all(state_root(invocation))
    if invocation.options["quiet"]:
        write(STDOUT, "".join([f"{container['id']}\n" for container in containers]))
    elif invocation.options["format"] == "json":
        from ocispec.jsontext import dumps

        print_line(dumps(containers))
    else:
        rows = [[one_line(str(container[name])) for name in _COLUMNS] for container in containers]
        write(STDOUT, format_table([[name.upper() for name in _COLUMNS], *rows]))
    return 0


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows as lines of aligned columns; the last column is not padded."""
    widths = [max(_MINIMUM_WIDTH, _GAP + max(map(len, column))) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    lines = ["".join([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]) for row in rows]
    return "".join([f"{line}\n" for line in lines])
