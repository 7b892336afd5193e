"""`cooper port`."""

from __future__ import annotations

from cooper.cli.command import CONTAINER, Command, Invocation
from cooper.cli.output import print_line
from cooper.errors import NotFound

COMMAND = Command(
    arguments="CONTAINER [PORT[/PROTOCOL]]",
    minimum=1,
    maximum=2,
    completes=CONTAINER,
    examples=(
        ("cooper port web", "where its ports are on the host"),
        ("cooper port web 80", "where port 80 is"),
    ),
)


def run(invocation: Invocation) -> int:
    """The published ports are listed."""
    from cooper.containers.listing import host_ends
    from cooper.containers.lookup import find, open_database

    container = find(invocation.settings, open_database(invocation.settings), invocation.arguments[0])
    wanted = invocation.arguments[1] if len(invocation.arguments) > 1 else ""
    if wanted and "/" not in wanted:
        wanted += "/tcp"
    found = False
    for port in container.network.get("ports", []):
        inside = f"{port['container_port']}/{port['protocol']}"
        if wanted in ("", inside):
            found = True
            for outside in host_ends(port):
                print_line(outside if wanted else f"{inside} -> {outside}")
    if wanted and not found:
        raise NotFound(f"the port {wanted} of {container.name} is not published")
    return 0
