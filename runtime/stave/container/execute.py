"""exec: one more process in a container."""

from __future__ import annotations

import posix

from stave.cgroups.plan import join_operations
from stave.container.caller import check_console, check_preserved, send_pidfd, send_terminal, write_pid_file
from stave.container.executor import Executor
from stave.container.state import CREATED, PAUSED, RUNNING, STOPPED, Container
from stave.errors import NOT_RUNNING, Error, StateError
from stave.host.facts import read_facts
from stave.plan.execute import plan_exec
from stave.seccomp.cache import filter_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocispec.types import Process
    from stave.container.caller import ExecOptions


def default_process(root: str, container_id: str) -> Process:
    """A copy of the container's own process, for `exec` to change."""
    process: Process = Container.load(root, container_id).config().get("process", {})  # type: ignore[assignment]
    return process


def execute(root: str, container_id: str, process: Process, options: ExecOptions) -> int:
    """The process runs in the container (detach), or has run.

    Returns:
        0 if detached, else the process's exit status, or 128 and the number of the signal that ended it.

    Raises: as `begin`.
    """
    console_socket = options.console_socket
    check_console(process, console_socket, detach=options.detach)
    if not options.detach:
        from stave.container.foreground import hold_signals, wait_in_foreground

        hold_signals()
    executor = begin(root, container_id, process, options)
    try:
        if executor.master >= 0 and console_socket:
            send_terminal(console_socket, executor.master)
        if options.pidfd_socket:
            send_pidfd(options.pidfd_socket, executor.pid, "setns")
        if options.pid_file:
            write_pid_file(options.pid_file, executor.pid)
        if options.trace is not None:
            from stave.container.trace import write_trace

            write_trace(options.trace, executor.times)
    except BaseException:
        executor.kill()
        raise
    if options.detach:
        return 0
    return wait_in_foreground(executor.pid, -1 if console_socket else executor.master)


def begin(root: str, container_id: str, process: Process, options: ExecOptions) -> Executor:
    """The process runs in the container, as our child; `pid` and `master` of what is returned tell of it.

    Args:
        process: an object like config.json's `process`.

    Raises:
        StateError: the container is stopped, or paused.
        Error: the process could not be started.
    """
    container = Container.load(root, container_id)
    _check_status(container, options.ignore_paused)
    check_preserved(options.preserve_fds)
    config = container.config()
    plan = plan_exec(
        process,
        container_id=container_id,
        bundle=container.state["bundle"],
        config=config,
        facts=read_facts(config, process),
        cgroup_join=join_operations(_groups(container, options.cgroups)),
        namespaces=container.state["namespaces"],
        seccomp=filter_of(config, root),
        preserve_fds=options.preserve_fds,
    )
    for warning in plan.warnings:
        options.log_warning(warning)
    executor = Executor(
        plan.program,
        state_directory=container.directory,
        descriptors={"container": open_process(container)},
        on_pid=lambda pid: None,
        on_seccomp=lambda listener: _send_listener(container, executor.pid, listener),
        preserve_fds=options.preserve_fds,
        streams=options.streams,
        traced=options.trace is not None,
    )
    try:
        executor.run()
    except BaseException:
        executor.kill()
        raise
    finally:
        executor.close()
    return executor


def _send_listener(container: Container, pid: int, listener: int) -> None:
    from stave.container.seccomp_listener import send_listener

    send_listener(container, pid, container.status(), listener)


def _check_status(container: Container, ignore_paused: bool) -> None:
    status = container.status()
    if status == STOPPED:
        raise StateError("cannot exec in a stopped container")
    if status == PAUSED and not ignore_paused:
        raise StateError("cannot exec in a paused container (use --ignore-paused to override)")
    if status not in (CREATED, RUNNING, PAUSED):
        raise StateError(f"cannot exec in a container in the {status} state")


def open_process(container: Container) -> int:
    """A pidfd of the first process, proved to be of that process; setns(2) takes its namespaces."""
    try:
        process = posix.pidfd_open(container.pid)
    except OSError:
        raise StateError(NOT_RUNNING) from None
    if not container.is_alive():
        posix.close(process)
        raise StateError(NOT_RUNNING)
    return process


def _groups(container: Container, wanted: Sequence[str]) -> dict[str, str]:
    """The groups to join: the container's own, or sub-groups of them."""
    groups: dict[str, str] = dict(container.state["cgroups"])
    for text in wanted:
        names, colon, path = text.rpartition(":")
        if ".." in path.split("/"):
            raise Error(f'--cgroup "{text}": ".." leads out of the container\'s cgroup')
        for name in names.split(",") if colon else list(groups):
            if name not in groups:
                raise Error(f'--cgroup "{text}": the container has no cgroup of controller "{name}"')
            groups[name] = f"{container.state['cgroups'][name]}/{path.strip('/')}".rstrip("/")
    return groups
