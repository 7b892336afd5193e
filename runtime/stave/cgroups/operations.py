"""Carries out the cgroup operations of a Program."""

from __future__ import annotations

import posix
from errno import (
    EACCES,
    EBUSY,
    EINVAL,
    ENODEV,
    ENOENT,
    ENOSPC,
    EOPNOTSUPP,
    EPERM,
    ERANGE,
)

from stave.cgroups.files import is_frozen, pids_below, write_file
from stave.errors import KernelError
from stave.host.facts import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# How often a parent may vanish between its making and that of its child.
_ATTEMPTS = 10


def make_cgroup(path: str, created: list[str]) -> None:
    """The group exists, holds no process and is not frozen.

    Args:
        created: gets the directories that were made, parents first, also when the call fails.

    Raises:
        KernelError: it cannot be made; or it was there with processes in it or below it, or is frozen, be it
            through a parent.

    Spec: config-linux.md#control-groups
    """
    step = f"make cgroup {path}"
    try:
        if not _make(path, created) and (pids := pids_below(path)):
            some = ", ".join(str(pid) for pid in pids[:5])
            raise KernelError(step, EBUSY, hint=f"it holds processes already, such as {some}")
        if is_frozen(path):
            hint = "it or a group above it is frozen: no process could start in it"
            raise KernelError(step, EBUSY, hint=hint)
    except OSError as error:
        raise _failure(step, error, _MAKE_HINTS) from error


def _make(path: str, created: list[str]) -> bool:
    for _ in range(_ATTEMPTS):
        try:
            posix.mkdir(path, 0o755)
            created.append(path)
            return True
        except FileExistsError:
            return False
        except FileNotFoundError:
            # Another container's end may take the parent away again, hence the attempts.
            _make(path.rpartition("/")[0], created)
    posix.mkdir(path, 0o755)
    created.append(path)
    return True


def delegate_cgroup(path: str, uid: int) -> None:
    """The group, and those of its files that the kernel names for it, belong to the user; the group id stays.

    Spec: config-linux.md#cgroup-ownership
    """
    try:
        names = read_file("/sys/kernel/cgroup/delegate").split()
    except FileNotFoundError:
        names = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]
    for name in ("", *names):
        try:
            posix.chown(f"{path}/{name}", uid, -1)
        except FileNotFoundError:
            # Not every group has every file.
            continue


def enable_controllers(path: str, controllers: str) -> None:
    """The groups below `path` have these controllers.

    Args:
        controllers: "+name" for those that must be there, "?name" for those that are welcome.

    Raises:
        KernelError: one that must be there is not.
    """
    step = f"enable cgroup controllers in {path}"
    try:
        available = read_file(f"{path}/cgroup.controllers").split()
        enabled = read_file(f"{path}/cgroup.subtree_control").split()
    except OSError as error:
        raise _failure(step, error, {}) from error
    missing = []
    for word in controllers.split():
        name = word[1:]
        if name in available:
            if name not in enabled:
                missing.append(word)
        elif word[0] == "+":
            hint = "the kernel has no such controller, cgroup v1 uses it, or nobody delegated it to here"
            raise KernelError(f"enable cgroup controller {name} in {path}", ENOENT, hint=hint)
    if not missing:
        return
    if _holds_processes(path):
        # Some controllers could be enabled all the same, but no process could enter the groups below then.
        for word in missing:
            if word[0] == "+":
                busy = f"enable cgroup controller {word[1:]} in {path}"
                raise KernelError(busy, EBUSY, hint=_ENABLE_HINTS[EBUSY])
        return
    try:
        write_file(f"{path}/cgroup.subtree_control", " ".join([f"+{word[1:]}" for word in missing]))
    except OSError:
        # One that cannot be had (cpu, say, while there are real-time processes) holds the others up.
        for word in missing:
            _enable_one(path, word)


def _holds_processes(path: str) -> bool:
    """Whether there are processes in the group itself; in the root of the hierarchy they do not matter."""
    try:
        read_file(f"{path}/cgroup.type")
    except OSError:
        return False
    return bool(read_file(f"{path}/cgroup.procs"))


def _enable_one(path: str, word: str) -> None:
    try:
        write_file(f"{path}/cgroup.subtree_control", f"+{word[1:]}")
    except OSError as error:
        if word[0] == "+":
            raise _failure(f"enable cgroup controller {word[1:]} in {path}", error, _ENABLE_HINTS) from error


def inherit_cpuset(path: str) -> None:
    """A v1 cpuset group and those above it have CPUs and memory nodes, those of the next group with some.

    Raises:
        KernelError: reading or writing failed.
    """
    for name in ("cpuset.cpus", "cpuset.mems"):
        step, empty, group = f"read {name}", [], path
        try:
            while not (value := read_file(f"{group}/{name}").strip()):
                empty.append(group)
                group = group.rpartition("/")[0]
            step = f"copy {name} of {group}"
            for group in reversed(empty):
                write_file(f"{group}/{name}", value)
        except OSError as error:
            raise _failure(f"{step} to cgroup {group}", error, {}) from error


def write_cgroup(file: str, value: str) -> None:
    """The kernel has taken the value.

    Raises:
        KernelError: it has not.
    """
    try:
        write_file(file, value)
    except OSError as error:
        raise write_failure(file, value, error) from error


def write_cgroup_first(files: Sequence[str], values: Sequence[str]) -> None:
    """The first of the files that exists has taken the value of the same place; "" stands for "or none".

    Raises:
        KernelError: it has not, or none exists.
    """
    for file, value in zip(files, values, strict=True):
        if not file:
            return
        try:
            write_file(file, value)
            return
        except FileNotFoundError as error:
            failure = write_failure(file, value, error)
        except OSError as error:
            raise write_failure(file, value, error) from error
    raise failure


_RIGHTS = (
    "the runtime may not change this group; as an ordinary user, start it by systemd-run --user --scope -p Delegate=yes,"
    " or let systemd make the group (--systemd-cgroup)"
)
_MAKE_HINTS = {EACCES: _RIGHTS, EPERM: _RIGHTS}
_ENABLE_HINTS = {
    EACCES: _RIGHTS,
    EPERM: _RIGHTS,
    EBUSY: "a group with processes of its own cannot pass controllers on: move them into a group below it",
    EINVAL: "real-time processes outside the root group are in the way of the cpu controller",
    EOPNOTSUPP: "the group is in threaded mode",
}


def _failure(step: str, error: OSError, hints: dict[int, str]) -> KernelError:
    number = error.errno or EINVAL
    return KernelError(step, number, hint=hints.get(number, ""))


def write_failure(file: str, value: str, error: OSError) -> KernelError:
    """The error to raise where a file of a group has not taken the value."""
    group, _, name = file.rpartition("/")
    number = error.errno or EINVAL
    return KernelError(f"write {value!r} to {file}", number, hint=_write_hint(group, name, number))


def _write_hint(group: str, name: str, number: int) -> str:
    """What is known about this failure; file names tell the controller."""
    controller = name.partition(".")[0]
    if number == ENOENT:
        if controller == "hugetlb":
            return "the kernel has no huge pages of this size"
        if ".memsw." in name or ".swap." in name:
            return "the kernel does not account for swap"
        return f"the kernel's {controller} controller is missing or has no such setting"
    if controller == "cpuset" and number in (EINVAL, EACCES, ERANGE, ENOSPC):
        return f"the group above has {_parent_value(group, name)}"
    if controller == "memory" and number == EBUSY:
        return "more than that is in use"
    if controller == "cpu" and ".rt_" in name and number == EINVAL:
        return "the group above has no real-time budget left to give"
    if controller == "devices" and number == EPERM:
        return "the group above does not allow it"
    if controller in ("blkio", "io") and number == ENODEV:
        return "there is no such block device; partitions do not count"
    return _RIGHTS if number in (EACCES, EPERM) else ""


def _parent_value(group: str, name: str) -> str:
    try:
        value = read_file(f"{group.rpartition('/')[0]}/{name}").strip()
        return value or "the same as its own parent"
    except OSError:
        return "others"
