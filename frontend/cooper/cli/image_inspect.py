"""`cooper image inspect`."""

from __future__ import annotations

from cooper.cli.command import IMAGE, TEXT, Command, Flag, Invocation

COMMAND = Command(
    arguments="IMAGE ...",
    minimum=1,
    maximum=-1,
    completes=IMAGE,
    flags=(Flag("format", "f", TEXT, "TEMPLATE", "json, or a Go template"),),
    examples=(
        ("cooper image inspect web:1", "all that is known, as JSON"),
        ("cooper image inspect -f '{{.Config.Cmd}}' web:1", "one property"),
    ),
)


def run(invocation: Invocation) -> int:
    """What is known of the images is shown; the exit status is 1 if one does not exist."""
    from cooper.containers.inspection import inspect_objects

    invocation.options["size"] = False
    return inspect_objects(invocation, "image")
