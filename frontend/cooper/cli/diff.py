"""`cooper diff`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, TEXT, Command, Flag, Invocation
from cooper.cli.output import STDOUT, printable, write
from cooper.errors import UsageError

COMMAND = Command(
    arguments="CONTAINER",
    minimum=1,
    maximum=1,
    completes=CONTAINER,
    flags=(Flag("format", "", TEXT, "FORMAT", "json instead of lines"),),
    examples=(("cooper diff web", "which files it has added (A), changed (C) and deleted (D)"),),
)


def run(invocation: Invocation) -> int:
    """The changed files are listed."""
    from cooper.containers.lookup import find, open_database
    from cooper.containers.rootfs import changes

    settings = invocation.settings
    container = find(settings, open_database(settings), invocation.arguments[0])
    if not container.image_id:
        raise UsageError(
            f"the container {container.name} has no image to compare with: it was made with --rootfs"
        )
    found = changes(settings, container)
    if invocation.options["format"] == "json":
        from ocispec import jsontext

        kinds: dict[str, list[str]] = {}
        for kind, path in found:
            kinds.setdefault({"A": "added", "C": "changed", "D": "deleted"}[kind], []).append(path)
        write(STDOUT, jsontext.dumps(kinds) + "\n")
        return 0
    write(STDOUT, "".join(f"{kind} {printable(path)}\n" for kind, path in found))
    return 0
