"""`cooper rmi`."""

from __future__ import annotations

from cooper.cli.command import IMAGE, Command, Flag, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="IMAGE ...",
    maximum=-1,
    completes=IMAGE,
    flags=(
        Flag("force", "f", text="also with several names, or used by containers (which keep what they need)"),
        Flag("all", "a", text="all images"),
    ),
    examples=(
        ("cooper rmi web:1", "take the name away, and with the last one the image"),
        ("cooper rmi -a", "remove all that no container uses"),
    ),
)


def run(invocation: Invocation) -> int:
    """The names are gone, and images without a name with them."""
    from cooper.containers.images import open_store
    from cooper.containers.lookup import for_each
    from cooper.errors import UsageError
    from ociimage.errors import ImageNotFound
    from ociimage.reference import parse

    store, force = open_store(invocation.settings), invocation.options["force"]
    names = invocation.arguments
    if invocation.options["all"]:
        if names:
            raise UsageError("either --all or names")
        names = [image.id for image in store.images()]
    elif not names:
        raise UsageError("rmi of which image?")

    def remove(name: str) -> None:
        try:
            untagged, deleted = store.remove(name, force=force)
        except ImageNotFound:
            if not force:
                raise
            return
        for each in untagged:
            print_line(f"Untagged: {parse(each).familiar}")
        for each in deleted:
            print_line(f"Deleted: {each}")

    return for_each(list(dict.fromkeys(names)), remove)
