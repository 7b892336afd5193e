"""`cooper push`."""

from __future__ import annotations

from cooper.cli.command import IMAGE, Command, Flag, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="IMAGE [NAME]",
    minimum=1,
    maximum=2,
    completes=IMAGE,
    flags=(Flag("quiet", "q", text="show no progress"),),
    examples=(
        ("cooper push localhost:5000/web:1", "the name says which registry; here it may be web:1"),
        ("cooper push web registry.example/me/web:1", "under another name than it has here"),
    ),
)


def run(invocation: Invocation) -> int:
    """The image is in its registry."""
    from cooper.containers.images import open_store
    from cooper.images.transfer import find_to_push, push_image
    from ociimage.reference import parse

    image = find_to_push(open_store(invocation.settings), invocation.arguments[0])
    name = str(parse(invocation.arguments[-1]))
    digest = push_image(invocation.settings, image, name, invocation.options["quiet"])
    print_line(name if invocation.options["quiet"] else f"{name}: digest: {digest}")
    return 0
