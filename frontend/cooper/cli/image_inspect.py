"""`cooper image inspect`."""

from __future__ import annotations

from cooper.cli.command import IMAGE, TEXT, Command, Flag, Invocation
from cooper.cli.output import print_line

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
    """What is known of the images is shown."""
    from cooper.cli.template import print_rows
    from cooper.containers.images import open_store
    from ocispec import jsontext

    store = open_store(invocation.settings)
    rows = [store.resolve(name).inspect() for name in invocation.arguments]
    if invocation.options["format"]:
        print_rows(rows, invocation.options["format"], {})
    else:
        print_line(jsontext.dumps(rows, indent=4))
    return 0
