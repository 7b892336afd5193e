"""What happens to a container's groups after `create`: listing, signals, freezing and removal.

`paths` is `CgroupPlan.paths` as the state file kept it. Groups are never looked up through a process: it may
sit in groups that are not the container's. Every wait has a bound, and an error names who is in the way.
"""

from __future__ import annotations

import posix
from errno import EBUSY, EINVAL, ENOENT, ENOTEMPTY, ESRCH
from time import monotonic, sleep

from stave.cgroups import files
from stave.errors import KernelError, StateError
from stave.host.facts import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from signal import SIGKILL, pidfd_send_signal
else:
    from _signal import SIGKILL, pidfd_send_signal  # the C half of `signal`, without the enums


def processes(paths: Mapping[str, str]) -> list[int]:
    """The processes in the container's group and the groups below it, as this pid namespace sees them.

    Raises:
        KernelError: reading failed, other than for groups that are gone.
    """
    path = files.listing_group(paths)
    try:
        return files.pids_below(path) if path else []
    except OSError as error:
        raise KernelError(f"list the processes of cgroup {path}", error.errno or EINVAL) from error


def kill(paths: Mapping[str, str], timeout_s: float = 10) -> None:
    """Every process of the container has got SIGKILL; `remove` waits for their end.

    Raises:
        KernelError: new processes kept appearing until the timeout; or sending failed.
    """
    if "" in paths and _kill_at_once(paths[""]):
        return
    deadline = monotonic() + timeout_s
    known: set[int] = set()
    # A process that has been killed cannot fork: once a round finds nobody new, all have been.
    while new := set(processes(paths)) - known:
        _signal(paths, SIGKILL, still=bool(known))
        known |= new
        if monotonic() > deadline:
            raise _stuck("kill the processes of cgroup", next(iter(paths.values())), processes(paths))


def _kill_at_once(path: str) -> bool:
    try:
        files.write_file(f"{path}/cgroup.kill", "1")
    except OSError as error:
        if error.errno in files.GONE:
            # The group is gone, or the kernel is older than 5.14.
            return False
        raise KernelError(f"kill the processes of cgroup {path}", error.errno or EINVAL) from error
    return True


def signal_all(paths: Mapping[str, str], signal: int) -> None:
    """Every process of the container has got the signal.

    They stand still meanwhile if they can be made to, so that none slips away by forking. Those that stood
    still before stay so, except for SIGKILL, which a frozen v1 group would not notice.

    Raises:
        KernelError: sending failed.
    """
    if processes(paths):
        _signal(paths, signal, still=True)


def _signal(paths: Mapping[str, str], signal: int, still: bool) -> None:
    thawing = signal == SIGKILL
    if still and files.freezer_group(paths) and not is_frozen(paths):
        thawing = True
        try:
            freeze(paths, timeout_s=0.5)
        except KernelError:
            pass  # somebody sleeps in the kernel; the signal serves as well without
    try:
        _send(paths, signal)
    finally:
        if thawing and files.freezer_group(paths):
            _set_frozen(paths, False)


def _send(paths: Mapping[str, str], signal: int) -> None:
    descriptors: dict[int, int] = {}
    try:
        for pid in processes(paths):
            try:
                descriptors[pid] = posix.pidfd_open(pid)
            except OSError as error:
                if error.errno != ESRCH:
                    raise KernelError(f"open process {pid}", error.errno or EINVAL) from error
        # The number may have passed to a stranger before it was opened, but not since.
        for pid in processes(paths):
            if pid in descriptors:
                try:
                    pidfd_send_signal(descriptors[pid], signal)
                except ProcessLookupError:
                    pass
                except OSError as error:
                    raise KernelError(f"signal process {pid}", error.errno or EINVAL) from error
    finally:
        for descriptor in descriptors.values():
            posix.close(descriptor)


def freeze(paths: Mapping[str, str], timeout_s: float = 10) -> None:
    """All processes of the container stand still.

    Raises:
        StateError: there is no freezer.
        KernelError: some would not until the timeout; all run again then.
    """
    path = _set_frozen(paths, True)
    if not _until(lambda: files.is_frozen(path), timeout_s):
        _set_frozen(paths, False)
        raise _stuck("freeze cgroup", path, processes(paths))


def thaw(paths: Mapping[str, str], timeout_s: float = 10) -> None:
    """The processes of the container run again.

    Raises:
        StateError: there is no freezer.
        KernelError: a group above the container's is frozen.
    """
    path = _set_frozen(paths, False)
    if not _until(lambda: not files.is_frozen(path), timeout_s):
        raise KernelError(f"thaw cgroup {path}", EBUSY, hint="a group above it is frozen")


def is_frozen(paths: Mapping[str, str]) -> bool:
    """Whether the container's processes stand still, be it because a group above theirs is frozen."""
    path = files.freezer_group(paths)
    return path is not None and files.is_frozen(path)


def _set_frozen(paths: Mapping[str, str], frozen: bool) -> str:
    path = files.freezer_group(paths)
    if path is None:
        raise StateError("the container cannot be paused or resumed: it has no cgroup with a freezer")
    if "freezer" in paths:
        file, value = f"{path}/freezer.state", "FROZEN" if frozen else "THAWED"
    else:
        file, value = f"{path}/cgroup.freeze", str(int(frozen))
    try:
        files.write_file(file, value)
    except OSError as error:
        raise KernelError(f"write {value!r} to {file}", error.errno or EINVAL) from error
    return path


def remove(paths: Mapping[str, str], created: Sequence[str] = (), timeout_s: float = 10) -> None:
    """The container's groups and all below them are gone, and those of `created` that nobody else uses.

    Args:
        created: what `make_cgroup` made, parents first.
        timeout_s: how long killed processes may take to leave.

    Raises:
        KernelError: a process is still there; the hint names it and where in the kernel it sleeps.
    """
    deadline = monotonic() + timeout_s
    own = dict.fromkeys(paths.values())
    for path in own:
        _remove_tree(path, deadline)
    for path in reversed(created):
        if path not in own:
            try:
                posix.rmdir(path)
            except OSError as error:
                if error.errno not in (ENOENT, EBUSY, ENOTEMPTY):
                    raise KernelError(f"remove cgroup {path}", error.errno or EINVAL) from error


def remove_created(paths: Mapping[str, str], created: Sequence[str], timeout_s: float = 10) -> None:
    """Nothing is left of what `create` made before it failed; groups that were there before are untouched.

    Raises:
        KernelError: as in `remove`.
    """
    made = set(created)
    remove({name: path for name, path in paths.items() if path in made}, created, timeout_s)


def _remove_tree(path: str, deadline: float) -> None:
    try:
        if _is_removed(path):
            return
        for child in files.children(path):
            _remove_tree(child, deadline)
        if _until(lambda: _is_removed(path), deadline - monotonic()):
            return
        raise _stuck("remove cgroup", path, files.pids_below(path))
    except OSError as error:
        if error.errno not in files.GONE:
            raise KernelError(f"remove cgroup {path}", error.errno or EINVAL) from error


def _is_removed(path: str) -> bool:
    try:
        posix.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (EBUSY, ENOTEMPTY):
            raise
        return False
    return True


def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether the condition came true in time; cgroup v1 has no event to wait for."""
    deadline = monotonic() + timeout_s
    pause = 0.0005
    while not condition():
        if monotonic() > deadline:
            return False
        sleep(pause)
        pause = min(2 * pause, 0.02)
    return True


def _stuck(step: str, path: str, pids: Iterable[int]) -> KernelError:
    who = ", ".join([_describe(pid) for pid in pids][:5])
    hint = f"in the way: {who}" if who else "no process is visible in it"
    return KernelError(f"{step} {path}", EBUSY, hint=hint)


def _describe(pid: int) -> str:
    """Number, state letter and kernel function of a process: "process 12 (D, io_schedule)"."""
    try:
        state = read_file(f"/proc/{pid}/stat").rpartition(")")[2].split()[0]
        where = read_file(f"/proc/{pid}/wchan")
    except OSError:
        return f"process {pid}"
    return f"process {pid} ({state})" if where in ("", "0") else f"process {pid} ({state}, {where})"
