"""stave state."""

from __future__ import annotations

from stave.cli.output import print_line
from stave.cli.root import state_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """The container's state is printed.

    Spec: runtime.md#query-state
    """
    from ocispec.jsontext import dumps
    from stave.container.state import describe

    print_line(dumps(describe(state_root(invocation), invocation.container_id), indent=2))
    return 0
