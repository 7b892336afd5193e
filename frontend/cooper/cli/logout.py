"""`cooper logout`."""

from __future__ import annotations

from cooper.cli.command import Command, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="[REGISTRY]",
    maximum=1,
    examples=(("cooper logout localhost:5000", "forget the name and the password"),),
)


def run(invocation: Invocation) -> int:
    """Nothing is kept for the registry."""
    from cooper.cli.login import registry_domain
    from ociimage.registry.credentials import erase

    domain = registry_domain(invocation.arguments)
    print_line(f"Removed login for {domain}" if erase(domain) else f"Not logged in to {domain}")
    return 0
