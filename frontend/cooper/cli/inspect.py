"""`cooper inspect`."""

from __future__ import annotations

from cooper.cli.command import BOOL, CONTAINER, TEXT, Command, Flag, Invocation

COMMAND = Command(
    arguments="NAME ...",
    minimum=1,
    maximum=-1,
    completes=CONTAINER,
    flags=(
        Flag("format", "f", TEXT, "TEMPLATE", "a Go template, or json"),
        Flag(
            "type",
            "",
            TEXT,
            "KIND",
            "container, image, network or volume",
            completes="container|image|network|volume",
        ),
        Flag("size", "s", BOOL, text="also how much a container has written"),
    ),
    examples=(
        ("cooper inspect web", "all that is known of it, in JSON"),
        ("cooper inspect -f '{{.State.Status}} {{.State.Pid}}' web", "two properties"),
    ),
)


def run(invocation: Invocation) -> int:
    """The objects are printed; the exit status is 1 if one does not exist."""
    from cooper.containers.inspection import inspect_objects

    kind = "container" if invocation.command == "container inspect" else invocation.options["type"]
    return inspect_objects(invocation, kind)
