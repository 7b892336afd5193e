"""`cooper start`."""

from __future__ import annotations

from cooper.cli.command import BOOL, CONTAINER, TEXT, Command, Flag, Invocation
from cooper.cli.output import print_line
from cooper.errors import UsageError

COMMAND = Command(
    arguments="CONTAINER ...",
    minimum=1,
    maximum=-1,
    completes=CONTAINER,
    flags=(
        Flag("attach", "a", text="show its output and wait for its end"),
        Flag("interactive", "i", text="pass on the standard input"),
        Flag("detach-keys", "", TEXT, "KEYS", "what leaves the container running (default: ctrl-p,ctrl-q)"),
        Flag("sig-proxy", "", BOOL, text="pass signals on to the program (default: true)", default=True),
    ),
    examples=(
        ("cooper start web", "run it again"),
        ("cooper start -ai shell", "go back to a shell that has ended"),
    ),
)


def run(invocation: Invocation) -> int:
    """The containers run; or the one in the foreground has ended: its exit status."""
    from cooper.containers.attached import start_attached, start_container
    from cooper.containers.lookup import for_each, open_database

    given, settings = invocation.options, invocation.settings
    database = open_database(settings)
    if given["attach"] or given["interactive"]:
        if len(invocation.arguments) != 1:
            raise UsageError("-a and -i are for one container")
        return start_attached(invocation, database)

    def start(name: str) -> None:
        start_container(settings, database, name)
        print_line(name)

    return for_each(invocation.arguments, start)
