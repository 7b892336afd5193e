"""`cooper images`."""

from __future__ import annotations

from cooper.cli.command import IMAGE, LIST, TEXT, Command, Flag, Invocation

COMMAND = Command(
    arguments="[NAME]",
    maximum=1,
    completes=IMAGE,
    flags=(
        Flag("all", "a", text="accepted for docker's sake: all are listed"),
        Flag("quiet", "q", text="only the ids"),
        Flag("no-trunc", "", text="nothing is shortened"),
        Flag("digests", "", text="the digests that registries know them by"),
        Flag("filter", "f", LIST, "KEY=VALUE", "only those; dangling, reference, label, before, since"),
        Flag("format", "", TEXT, "TEMPLATE", "json, a Go template, or table and one"),
    ),
    examples=(
        ("cooper images", "all images"),
        ("cooper images 'web:*'", "those of one repository"),
        ("cooper images -qf dangling=true", "ids of those that have no name"),
    ),
)


def run(invocation: Invocation) -> int:
    """The images are listed, the newest first."""
    from cooper.cli.output import STDOUT, table, write
    from cooper.cli.template import print_rows
    from cooper.images.listing import COLUMNS, image_rows

    given = invocation.options
    rows = image_rows(invocation.settings, given["filter"], invocation.arguments, given["no-trunc"])
    columns = dict(COLUMNS)
    if given["digests"]:
        columns = {key: columns[key] for key in ("Repository", "Tag")} | {"Digest": "DIGEST"} | columns
    if given["quiet"]:
        write(STDOUT, "".join(f"{each}\n" for each in dict.fromkeys(row["ID"] for row in rows)))
    elif given["format"]:
        print_rows(rows, given["format"], columns)
    else:
        write(STDOUT, table(list(columns.values()), [[row[key] for key in columns] for row in rows]))
    return 0
