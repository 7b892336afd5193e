"""`cooper export`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, FILE, TEXT, Command, Flag, Invocation
from cooper.cli.output import STDOUT, write
from cooper.errors import Error, UsageError

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
    import posix

    from cooper.containers.lookup import find, open_database
    from cooper.containers.rootfs import Mounted
    from ociimage.layers.tar_writer import tree

    settings, path = invocation.settings, invocation.options["output"]
    if not path and posix.isatty(STDOUT):
        raise UsageError("a tar is not for a terminal", "use -o FILE, or pass it on to another program")
    database = open_database(settings)
    container = find(settings, database, invocation.arguments[0])
    output = STDOUT
    if path:
        try:
            output = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Error(f"write {path}: {error.strerror}") from error
    with Mounted(settings, database, container) as root:
        for piece in tree(root, one_file_system=True):
            write(output, piece)
    return 0
