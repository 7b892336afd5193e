"""`cooper history`."""

from __future__ import annotations

from cooper.cli.command import IMAGE, TEXT, Command, Flag, Invocation

COMMAND = Command(
    arguments="IMAGE",
    minimum=1,
    maximum=1,
    completes=IMAGE,
    flags=(
        Flag("no-trunc", "", text="nothing is shortened"),
        Flag("quiet", "q", text="only the ids"),
        Flag("format", "", TEXT, "TEMPLATE", "json, a Go template, or table and one"),
    ),
    examples=(("cooper history web:1", "which commands made which layers, and how large they are"),),
)


def run(invocation: Invocation) -> int:
    """The image's history is shown, the newest first."""
    from cooper.cli.template import print_rows
    from cooper.containers.images import open_store
    from cooper.images.listing import HISTORY, history_rows

    given = invocation.options
    image = open_store(invocation.settings).resolve(invocation.arguments[0])
    rows = history_rows(image, given["no-trunc"])
    print_rows(rows, given["format"], HISTORY, "ID" if given["quiet"] else "")
    return 0
