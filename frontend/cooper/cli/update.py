"""`cooper update`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, TEXT, Command, Flag, Invocation
from cooper.cli.container_flags import RESOURCES

COMMAND = Command(
    arguments="CONTAINER ...",
    minimum=1,
    maximum=-1,
    completes=CONTAINER,
    flags=(
        *RESOURCES,
        Flag(
            "restart",
            "",
            TEXT,
            "POLICY",
            "no, on-failure[:TIMES], always, unless-stopped",
            completes="no|on-failure|always|unless-stopped",
        ),
    ),
    examples=(
        ("cooper update -m 200m --cpus 2 web", "other limits, at once if it runs"),
        ("cooper update --restart always web", "another restart policy"),
    ),
)


def run(invocation: Invocation) -> int:
    """The containers have the new limits and policy, now and at their next start."""
    from cooper.containers.lookup import for_each, open_database
    from cooper.containers.update import update

    database = open_database(invocation.settings)
    return for_each(invocation.arguments, lambda name: update(invocation, database, name))
