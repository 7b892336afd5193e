"""`cooper healthcheck run`."""

from __future__ import annotations

from cooper.cli.command import RUNNING, Command, Invocation

COMMAND = Command(
    arguments="CONTAINER",
    minimum=1,
    maximum=1,
    completes=RUNNING,
    examples=(("cooper healthcheck run web", "check it now; the exit status is 1 if it is unhealthy"),),
)


def run(invocation: Invocation) -> int:
    """The container's own check has run once: 0 for healthy, 1 for not. Its state of health stays as it is."""
    from cooper.containers.execute import check_health

    return check_health(invocation.settings, invocation.arguments[0])
