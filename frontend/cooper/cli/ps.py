"""`cooper ps`."""

from __future__ import annotations

from cooper.cli.command import LIST, NUMBER, TEXT, Command, Flag, Invocation

COMMAND = Command(
    flags=(
        Flag("all", "a", text="also containers that do not run"),
        Flag("quiet", "q", text="only the ids"),
        Flag("filter", "f", LIST, "KEY=VALUE", "only those; id, name, label, status, exited, ancestor, network, volume ..."),
        Flag("format", "", TEXT, "TEMPLATE", "json, a Go template, or table and one"),
        Flag("no-trunc", "", text="nothing is shortened"),
        Flag("last", "n", NUMBER, "N", "the N made last, running or not", -1),
        Flag("latest", "l", text="the one made last, running or not"),
        Flag("size", "s", text="how much each has written"),
    ),
    examples=(
        ("cooper ps -a", "all containers"),
        ("cooper ps -aqf status=exited", "ids of those that have ended"),
        ("cooper ps --format 'table {{.Names}}\\t{{.Status}}'", "two columns"),
    ),
)  # fmt: skip


def run(invocation: Invocation) -> int:
    """The containers are listed."""
    from cooper.containers.listing import list_containers

    return list_containers(invocation)
