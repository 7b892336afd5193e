"""`cooper import`."""

from __future__ import annotations

from cooper.cli.command import FILE, LIST, TEXT, Command, Flag, Invocation
from cooper.cli.output import STDIN, print_line

COMMAND = Command(
    arguments="FILE|DIRECTORY|- [NAME]",
    minimum=1,
    maximum=2,
    completes=FILE,
    flags=(
        Flag("change", "c", LIST, "INSTRUCTION", 'CMD ["sh"], ENV A=b, USER, WORKDIR, EXPOSE, VOLUME, LABEL ...'),
        Flag("message", "m", TEXT, "TEXT", "a comment in the image's history"),
        Flag("platform", "", TEXT, "OS/ARCH", "the machine that the files are for, if not this one"),
    ),
    examples=(
        ("cooper import rootfs.tar busybox", "an image of the files in a tar (plain, gzip, zstd, xz, bzip2)"),
        ("docker export web | cooper import - web:old", "from standard input"),
        ("""cooper import -c 'CMD ["bash"]' ./rootfs debian""", "of a directory"),
    ),
)  # fmt: skip


def run(invocation: Invocation) -> int:
    """The image is here; its id is printed."""
    import os
    import sys

    from cooper.containers.images import open_store
    from cooper.errors import UsageError
    from cooper.images.transfer import parse_platform
    from ociimage.importing import import_directory, import_tar

    source, *names = invocation.arguments
    name = names[0] if names else ""
    store = open_store(invocation.settings)
    changes, message = invocation.options["change"], invocation.options["message"]
    platform = parse_platform(invocation.options["platform"])
    if source == "-":
        if os.isatty(STDIN):
            raise UsageError("a tar does not come from a terminal", "name a file")
        image = import_tar(store, sys.stdin.buffer, name, changes=changes, message=message, platform=platform)
    elif os.path.isdir(source):
        image = import_directory(store, source, name, changes=changes, message=message, platform=platform)
    else:
        with open(source, "rb", buffering=0) as file:
            image = import_tar(store, file, name, changes=changes, message=message, platform=platform)
    print_line(image.id)
    return 0
