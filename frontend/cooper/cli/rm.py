"""`cooper rm`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, NUMBER, Command, Flag, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="CONTAINER ...",
    maximum=-1,
    completes=CONTAINER,
    flags=(
        Flag("force", "f", text="also containers that run (they are killed) or that do not exist"),
        Flag("volumes", "v", text="also its volumes without a name"),
        Flag("time", "t", NUMBER, "SECONDS", "with --force, stop it and kill after so long"),
        Flag("all", "a", text="all containers"),
    ),
    examples=(("cooper rm web", "remove what has ended"), ("cooper rm -f web", "remove it even if it runs")),
)


def run(invocation: Invocation) -> int:
    """The containers are gone."""
    from cooper.containers.lookup import chosen, for_each, open_database
    from cooper.containers.remove import remove_container
    from cooper.errors import NotFound

    settings, given = invocation.settings, invocation.options
    database = open_database(settings)

    def remove(name: str) -> None:
        try:
            remove_container(settings, database, name, given["force"], given["volumes"], given["time"])
        except NotFound:
            if not given["force"]:
                raise
            return
        print_line(name)

    return for_each(chosen(settings, database, invocation.arguments, given["all"]), remove)
