"""`cooper container prune`."""

from __future__ import annotations

from cooper.cli.command import LIST, Command, Flag, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    flags=(
        Flag("force", "f", text="do not ask"),
        Flag("filter", "", LIST, "KEY=VALUE", "only those: label, until=DURATION"),
    ),
    examples=(("cooper container prune", "remove all containers that do not run"),),
)


def run(invocation: Invocation) -> int:
    """Containers that do not run are gone."""
    from cooper.cli.output import confirm
    from cooper.containers.prune import prune_containers

    if not invocation.options["force"] and not confirm("remove all containers that do not run"):
        return 1
    for name in prune_containers(invocation.settings, invocation.options["filter"]):
        print_line(name)
    return 0
