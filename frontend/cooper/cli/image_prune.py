"""`cooper image prune`."""

from __future__ import annotations

from cooper.cli.command import LIST, Command, Flag, Invocation
from cooper.cli.output import confirm, print_line

COMMAND = Command(
    flags=(
        Flag("all", "a", text="all that no container uses, not only those without a name"),
        Flag("force", "f", text="do not ask"),
        Flag("filter", "", LIST, "KEY=VALUE", "only those: label, until=DURATION (made before that)"),
    ),
    examples=(("cooper image prune", "remove images without a name"), ("cooper image prune -af --filter until=240h", "all unused that are older than ten days")),
)  # fmt: skip


def run(invocation: Invocation) -> int:
    """What is not used is gone; how much room that makes is printed."""
    from cooper.containers.images import open_store
    from cooper.containers.values import human_size
    from cooper.images.listing import prunable
    from ociimage.collect import prune
    from ociimage.reference import parse

    accept = prunable(invocation.options["filter"])
    which = "that no container uses" if invocation.options["all"] else "without a name"
    if not invocation.options["force"] and not confirm(f"remove all images {which}"):
        return 1
    store = open_store(invocation.settings)
    names, ids, freed = prune(store, all_unused=invocation.options["all"], accept=accept)
    for name in names:
        print_line(f"Untagged: {parse(name).familiar}")
    for each in ids:
        print_line(f"Deleted: {each}")
    print_line(f"Total reclaimed space: {human_size(freed)}")
    return 0
