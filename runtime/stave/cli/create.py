"""stave create."""

from __future__ import annotations

import posix

from stave.cli.log import Log
from stave.cli.root import absolute, bundle_directory, cgroup_manager, state_root

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
        cgroup_manager=cgroup_manager(invocation),
        pidfd_socket=absolute(options["pidfd-socket"]),
        config=absolute(options["config"]),
        listen_fds=_listen_fds(),
        notify_socket=notify_socket(),
    )


def notify_socket() -> str:
    """Where a service manager wants to hear of the container; "" for nowhere. Source: sd_notify(3)"""
    return posix.environ.get(b"NOTIFY_SOCKET", b"").decode("utf-8", "surrogateescape")


def _listen_fds() -> int:
    """How many sockets a service manager hands over to this very process. Source: sd_listen_fds(3)"""
    if posix.environ.get(b"LISTEN_PID") != str(posix.getpid()).encode():
        return 0
    count = posix.environ.get(b"LISTEN_FDS", b"")
    return int(count) if count.isdigit() else 0
