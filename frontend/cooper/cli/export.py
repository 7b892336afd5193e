"""`cooper export`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, FILE, TEXT, Command, Flag, Invocation
from cooper.cli.output import NewFile

COMMAND = Command(
    arguments="CONTAINER",
    minimum=1,
    maximum=1,
    completes=CONTAINER,
    flags=(Flag("output", "o", TEXT, "FILE", "write there instead of standard output", completes=FILE),),
    examples=(("cooper export -o web.tar web", "all its files in a tar, for `cooper import`"),),
)


def run(invocation: Invocation) -> int:
    """The container's files, without what is mounted there, are in the tar."""
    from cooper.containers.lookup import find, open_database
    from cooper.containers.rootfs import Mounted
    from ociimage.layers.tar_writer import tree

    settings, path = invocation.settings, invocation.options["output"]
    database = open_database(settings)
    container = find(settings, database, invocation.arguments[0])
    with Mounted(settings, database, container) as root, NewFile(path) as output:
        for piece in tree(root, one_file_system=True):
            output.write(piece)
    return 0
