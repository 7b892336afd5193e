"""stave start."""

from __future__ import annotations

import sys

from stave.cli.create import notify_socket
from stave.cli.log import Log
from stave.cli.root import state_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """The container's program runs."""
    from stave.container.start import start

    if manager := notify_socket():
        from stave.container.service import start_notifying

        start_notifying(state_root(invocation), invocation.container_id, manager, Log(invocation).warning)
        return 0
    connection = int(sys._xoptions.get("start-connection", -1))
    start(state_root(invocation), invocation.container_id, Log(invocation).warning, connection)
    return 0
