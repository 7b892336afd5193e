"""`cooper commit`."""

from __future__ import annotations

from cooper.cli.command import BOOL, CONTAINER, LIST, TEXT, Command, Flag, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="CONTAINER [IMAGE]",
    minimum=1,
    maximum=2,
    completes=CONTAINER,
    flags=(
        Flag("author", "a", TEXT, "NAME", "who made it"),
        Flag("message", "m", TEXT, "TEXT", "what was changed"),
        Flag("change", "c", LIST, "LINE", 'a change of its configuration, e.g. CMD ["httpd", "-f"]'),
        Flag("pause", "p", BOOL, text="pause the container meanwhile (default: true)", default=True),
    ),
    examples=(
        ("cooper commit web web:1", "an image of what web has changed"),
        ("cooper commit -m 'with data' -c 'CMD [\"sh\"]' web web:2", "with a message and another command"),
    ),
)


def run(invocation: Invocation) -> int:
    """The image is there, and its id printed."""
    from cooper.containers.commit import commit
    from cooper.containers.lookup import open_database

    print_line(commit(invocation, open_database(invocation.settings)))
    return 0
