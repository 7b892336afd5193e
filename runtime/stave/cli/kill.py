"""stave kill."""

from __future__ import annotations

from stave.cli.root import state_root
from stave.cli.signals import parse_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """The signal is sent to the container's first process; with --all, to every process."""
    arguments = invocation.arguments
    signal_number = parse_signal(arguments[1] if len(arguments) > 1 else "")
    from stave.container.kill import kill

    kill(state_root(invocation), invocation.container_id, signal_number, invocation.options["all"])
    return 0
