"""`cooper pull`."""

from __future__ import annotations

from cooper.cli.command import TEXT, Command, Flag, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="IMAGE ...",
    minimum=1,
    maximum=-1,
    flags=(
        Flag("quiet", "q", text="show no progress"),
        Flag("platform", "", TEXT, "OS/ARCH", "of another kind of machine"),
    ),
    examples=(
        ("cooper pull debian:12", "from Docker Hub"),
        ("cooper pull localhost:5000/web:1", "from another registry; on loopback it needs no TLS"),
    ),
)


def run(invocation: Invocation) -> int:
    """The images are here."""
    from cooper.images.transfer import pull_image
    from ociimage.reference import parse

    given = invocation.options
    for name in invocation.arguments:
        image = pull_image(invocation.settings, name, given["platform"], given["quiet"])
        if not given["quiet"]:
            print_line(f"id: {image.id}")
        print_line(str(parse(name)))
    return 0
