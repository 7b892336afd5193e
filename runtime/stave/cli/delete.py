"""stave delete."""

from __future__ import annotations

from stave.cli.log import Log
from stave.cli.root import state_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """Nothing is left of the container."""
    from stave.container.delete import delete

    log_warning = Log(invocation).warning
    delete(state_root(invocation), invocation.container_id, invocation.options["force"], log_warning)
    return 0
