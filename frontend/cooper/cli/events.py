"""`cooper events`."""

from __future__ import annotations

from cooper.cli.command import LIST, TEXT, Command, Flag, Invocation

COMMAND = Command(
    flags=(
        Flag("since", "", TEXT, "TIME", "from then on: 10m, 2026-01-31T12:00:00Z"),
        Flag("until", "", TEXT, "TIME", "up to then, and end"),
        Flag("filter", "f", LIST, "KEY=VALUE", "only those: container, event, image, type"),
        Flag("format", "", TEXT, "TEMPLATE", "json or a Go template"),
    ),
    examples=(
        ("cooper events", "what happens to containers, as it happens"),
        ("cooper events --since 1h --until 0s -f event=die", "which ended in the last hour"),
    ),
)


def run(invocation: Invocation) -> int:
    """Events are printed, until ctrl-c or the time given."""
    from cooper.containers.watch import watch

    return watch(invocation)
