"""`cooper load`."""

from __future__ import annotations

from cooper.cli.command import FILE, TEXT, Command, Flag, Invocation
from cooper.cli.output import STDIN, print_line

COMMAND = Command(
    flags=(
        Flag(
            "input", "i", TEXT, "PATH", "an archive, or the directory of an OCI image layout", completes=FILE
        ),
        Flag("quiet", "q", text="show no progress"),
    ),
    examples=(
        ("cooper load -i images.tar", "what docker save, podman save or cooper save have written"),
        ("ssh host docker save web | cooper load", "from standard input; it may be compressed"),
    ),
)


def run(invocation: Invocation) -> int:
    """All images of the archive are here."""
    import posix
    import sys

    from cooper.containers.images import open_store
    from cooper.errors import UsageError
    from cooper.images.progress import Progress
    from ociimage.archives.load import load
    from ociimage.reference import parse

    path = invocation.options["input"]
    if path in ("", "-"):
        if posix.isatty(STDIN):
            raise UsageError("an archive does not come from a terminal", "name a file with --input")
        path = ""
    with Progress(invocation.options["quiet"]) as progress:
        images = load(
            open_store(invocation.settings),
            path or sys.stdin.buffer,
            progress=lambda digest, done, total: progress("load", digest, done, total),
        )
    for image in images:
        for name in image.tags or [image.id]:
            print_line(f"Loaded image: {parse(name).familiar if image.tags else name}")
    return 0
