"""stave restore."""

from __future__ import annotations

from stave.cli.checkpoint import criu_options
from stave.cli.parser import Invocation
from stave.cli.root import absolute, bundle_directory, cgroup_manager, state_root


def run(invocation: Invocation) -> int:
    """The restored container has run (its program's exit status is returned), or with --detach is running."""
    from stave.container.criu_options import RestoreOptions
    from stave.container.restore import restore

    flags = invocation.options
    options = RestoreOptions(
        **criu_options(invocation),
        bundle=bundle_directory(flags["bundle"]),
        pid_file=absolute(flags["pid-file"]),
        console_socket=absolute(flags["console-socket"]),
        cgroup_manager=cgroup_manager(invocation),
        lsm_profile=flags["lsm-profile"],
        lsm_mount_context=flags["lsm-mount-context"],
    )
    return restore(
        state_root(invocation),
        invocation.container_id,
        options,
        detach=flags["detach"],
        no_subreaper=flags["no-subreaper"],
    )
