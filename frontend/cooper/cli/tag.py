"""`cooper tag`."""

from __future__ import annotations

from cooper.cli.command import IMAGE, Command, Invocation

COMMAND = Command(
    arguments="IMAGE NAME ...",
    minimum=2,
    maximum=-1,
    completes=IMAGE,
    examples=(("cooper tag web localhost:5000/web:1", "give it a name to push it under"),),
)


def run(invocation: Invocation) -> int:
    """The image has these names too."""
    from cooper.containers.images import open_store
    from ociimage.reference import parse

    store = open_store(invocation.settings)
    image, *names = invocation.arguments
    for name in names:
        parse(name)
    for name in names:
        store.tag(image, name)
    return 0
