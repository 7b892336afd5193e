"""stave create."""

from __future__ import annotations

from stave.cli.log import Log
from stave.cli.root import absolute, bundle_directory, state_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation
    from stave.container.caller import CreateOptions


def run(invocation: Invocation) -> int:
    """The container is created; its program waits for `start`."""
    from stave.container.create import create

    create(state_root(invocation), invocation.container_id, creation(invocation))
    return 0


def creation(invocation: Invocation) -> CreateOptions:
    """What `create` and `run` hand on about the container to be."""
    from stave.container.caller import CreateOptions

    options = invocation.options
    return CreateOptions(
        bundle_directory(options["bundle"]),
        Log(invocation).warning,
        # Absolute: hooks run with the bundle as working directory.
        pid_file=absolute(options["pid-file"]),
        console_socket=absolute(options["console-socket"]),
        no_pivot=options["no-pivot"],
        no_new_keyring=options["no-new-keyring"],
        preserve_fds=options["preserve-fds"],
        trace=invocation.global_options["trace"] or None,
        systemd=invocation.global_options["systemd-cgroup"],
    )
