"""stave pause, stave resume."""

from __future__ import annotations

from stave.cli.root import state_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """The container's processes are frozen, or go on."""
    from stave.container.pause import pause, resume

    action = pause if invocation.command == "pause" else resume
    action(state_root(invocation), invocation.container_id)
    return 0
