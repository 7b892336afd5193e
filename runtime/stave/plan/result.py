"""What the planner hands to whoever runs the plan."""

from __future__ import annotations

from stave.plan.program import Program


class Plan:
    """A Program and what there is to know about it.

    Attributes:
        program: the operations.
        warnings: what was asked for and left out because it cannot be granted here.
        namespaces: CLONE_NEW* bits of the namespaces that the container does not share with the runtime,
            whether new or joined by path.
    """

    __slots__ = ("namespaces", "program", "warnings")

    def __init__(self, namespaces: int) -> None:
        self.program = Program()
        self.warnings: list[str] = []
        self.namespaces = namespaces
