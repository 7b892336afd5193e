"""stave run."""

from __future__ import annotations

from stave.cli.create import creation
from stave.cli.root import state_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """The container has run (its program's exit status is returned), or with --detach is running."""
    from stave.container.run import run as run_container

    options = invocation.options
    return run_container(
        state_root(invocation),
        invocation.container_id,
        creation(invocation),
        detach=options["detach"],
        keep=options["keep"],
        no_subreaper=options["no-subreaper"],
    )
