"""All of the findings, in the order in which they are read."""

from __future__ import annotations

import os

from stave.doctor import control_groups, drift, kernel, namespaces, security, tools
from stave.doctor.finding import Finding
from stave.host.facts import read_facts


def examine(root: str | None, why: str = "") -> list[Finding]:
    """What this machine can do, and how the containers below `root` are.

    Args:
        root: None if there is none, and `why` says the reason.
    """
    facts = read_facts()
    return [
        *kernel.examine(),
        *namespaces.examine(),
        *control_groups.examine(facts, os.environ),
        *security.examine(facts),
        *tools.examine(),
        *(
            [Finding(drift.GROUP, "state directory", False, why)]
            if root is None
            else drift.examine(root, facts)
        ),
    ]
