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
    from collections.abc import Callable, Sequence

    from ocispec.types import Process


def default_process(root: str, container_id: str) -> Process:
    """A copy of the container's own process, for `exec` to change."""
    process: Process = Container.load(root, container_id).config().get("process", {})  # type: ignore[assignment]
    return process


def execute(
    root: str,
    container_id: str,
    process: Process,
    *,
    detach: bool = False,
    pid_file: str | None = None,
    console_socket: str | None = None,
    pidfd_socket: str | None = None,
    preserve_fds: int = 0,
    cgroups: Sequence[str] = (),
    ignore_paused: bool = False,
    trace: str | None = None,
    log_warning: Callable[[str], None],
) -> int:
    """The process runs in the container (detach), or has run.

    Args:
        pid_file: gets its decimal pid.
        console_socket: where a terminal's master goes.
        pidfd_socket: where a pidfd of the process goes.
        trace: file for a trace of the operations.

    The others are those of `begin`.

    Returns:
        0 if detached, else the process's exit status, or 128 and the number of the signal that ended it.

    Raises: as `begin`.
    """
    check_console(process, console_socket, detach=detach)
    if not detach:
        from stave.container.foreground import hold_signals, wait_in_foreground

        hold_signals()
    executor = begin(
        root,
        container_id,
        process,
        preserve_fds=preserve_fds,
        cgroups=cgroups,
        ignore_paused=ignore_paused,
        traced=trace is not None,
        log_warning=log_warning,
    )
    try:
        if executor.master >= 0 and console_socket:
            send_terminal(console_socket, executor.master)
        if pidfd_socket:
            send_pidfd(pidfd_socket, executor.pid, "setns")
        if pid_file:
            write_pid_file(pid_file, executor.pid)
    except BaseException:
        executor.kill()
        raise
    if trace is not None:
        from stave.container.trace import write_trace

        write_trace(trace, executor.times)
    if detach:
        return 0
    return wait_in_foreground(executor.pid, -1 if console_socket else executor.master)


def begin(
    root: str,
    container_id: str,
    process: Process,
    *,
    preserve_fds: int = 0,
    cgroups: Sequence[str] = (),
    ignore_paused: bool = False,
    streams: Sequence[int] = (0, 1, 2),
    traced: bool = False,
    log_warning: Callable[[str], None],
) -> Executor:
    """The process runs in the container, as our child; `pid` and `master` of what is returned tell of it.

    Args:
        process: an object like config.json's `process`.
        cgroups: sub-groups to join instead of the container's own, "PATH" or "controller[,controller]:PATH".
        ignore_paused: let the process join a paused container; it runs when that is resumed.
        streams: descriptors that become its standard input, output and error.

    Raises:
        StateError: the container is stopped, or paused.
        Error: the process could not be started.
    """
    container = Container.load(root, container_id)
    _check_status(container, ignore_paused)
    check_preserved(preserve_fds)
    config = container.config()
    plan = plan_exec(
        process,
        container_id=container_id,
        bundle=container.state["bundle"],
        config=config,
        facts=read_facts(config, process),
        cgroup_join=join_operations(_groups(container, cgroups)),
        namespaces=container.state["namespaces"],
        seccomp=filter_of(config, root),
        preserve_fds=preserve_fds,
    )
    for warning in plan.warnings:
        log_warning(warning)
    executor = Executor(
        plan.program,
        state_directory=container.directory,
        descriptors={"container": open_process(container)},
        on_pid=lambda pid: None,
        on_seccomp=lambda listener: _send_listener(container, executor.pid, listener),
        preserve_fds=preserve_fds,
        streams=streams,
        traced=traced,
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
