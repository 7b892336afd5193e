"""What a failure inside the container is called when it is told to the caller.

Imported only when something has failed.
"""

from __future__ import annotations

import errno
import posix

from stave.container.subjects import subject_of
from stave.errors import Error, HookError, KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.native.module import Message
    from stave.plan.program import Operation

_ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
# What the kernel's errno alone would leave a person guessing at.
_HINTS: dict[tuple[str, int], str] = {
    ("mount", errno.ENODEV): "the kernel does not know this type of file system",
    ("mount", errno.EBUSY): "already mounted there with other options",
    ("bind", errno.ENOTDIR): "a directory cannot be mounted onto a file",
    ("bind", errno.EISDIR): "a file cannot be mounted onto a directory",
    (
        "set_scheduler",
        errno.EPERM,
    ): "it takes CAP_SYS_NICE, and a real-time budget of the cgroup's (cpu.rt_runtime_us)",
    ("set_rlimit", errno.EPERM): "a higher hard limit takes CAP_SYS_RESOURCE",
    ("set_oom_score_adj", errno.EACCES): "a score lower than the runtime's own takes CAP_SYS_RESOURCE",
    ("set_scheduler", errno.EBUSY): "the CPUs cannot guarantee so much time to deadlines",
    ("set_scheduler", errno.EINVAL): "this kernel has no such scheduler, or its flags do not go together",
    ("set_io_priority", errno.EPERM): "the real-time class takes CAP_SYS_ADMIN or CAP_SYS_NICE",
    ("set_affinity", errno.EINVAL): "none of these CPUs is there and in the process's cpuset",
    (
        "set_memory_policy",
        errno.EINVAL,
    ): "the container's cpuset does not hold the nodes, or the kernel not the mode",
    ("set_memory_policy", errno.ENOSYS): "this kernel has no NUMA",
    ("unmount", errno.EINVAL): "nothing is mounted there",
    ("setns", errno.EINVAL): "a user namespace cannot be joined twice, nor from several threads",
    ("join_cgroup", errno.EOPNOTSUPP): "the group is threaded, or its domain is invalid",
    ("join_cgroup", errno.EBUSY): "the group passes controllers on to groups below it",
    ("join_cgroup", errno.ENOSPC): "the cpuset has no CPUs or no memory nodes",
    ("unshare", errno.ENOSPC): "a limit in /proc/sys/user is reached",
    ("write_sysctl", errno.ENOENT): "this kernel has no such setting, or it is not part of a namespace",
    ("pivot_root", errno.EINVAL): "a root on the initial ramfs cannot be pivoted: use --no-pivot",
    ("set_user", errno.EINVAL): "the id is not mapped in the container's user namespace",
    ("load_seccomp", errno.EACCES): "without noNewPrivileges a filter takes CAP_SYS_ADMIN",
    ("load_seccomp", errno.EINVAL): "the kernel refuses the filter or its flags",
    ("open_label", errno.ENOENT): "the kernel has no such security module",
    ("write_label", errno.ENOENT): "no such profile is loaded",
    ("write_label", errno.EINVAL): "the security module does not know it",
    ("write_label", errno.EACCES): "the security module does not let the runtime give it",
    ("write_label", errno.EPERM): "the security module does not let the runtime give it",
    ("open_console", errno.ENODEV): "mounts lacks a devpts",
    ("open_console", errno.ENOENT): "mounts lacks a devpts",
}

_NOT_OWNED = (
    "a user namespace may only mount one with a namespace of its own for it,"
    " and where nothing of the outer one is hidden"
)


def failure(operation: Operation, message: Message) -> Error:
    """The exception for what stave-init reported of an operation."""
    return describe(operation.name, operation.pointer, subject_of(operation), message)


def describe(name: str, pointer: str, subject: str, message: Message) -> Error:
    """The exception for a failure of operation `name`, whose property `pointer` and `subject` name."""
    text = message.detail.partition(b"\0")[0].decode("utf-8", "replace")
    step, path, note = (text.split("\n", 2) + ["", "", ""])[:3]
    note = " / ".join(note.strip().splitlines())
    if name == "mount" and note[1:2] == " ":  # the kernel begins with the level: e for an error
        note = note[2:]
    if name == "run_container_hook":
        return hook_failure(pointer, subject, message.error, message.value, note)
    if name == "find_executable":
        return Error(_not_found(subject, message.error, note))
    if name == "execute":
        return _not_executed(path or subject, message)
    if name == "mount" and message.error == errno.EPERM and path in ("proc", "sysfs"):
        note = note or _NOT_OWNED
    if step == "map the owners of" and message.error == errno.EINVAL:
        note = note or "this file system cannot be idmapped on this kernel"
    hint = note or hint_of(name, message.error)
    what = name.replace("_", " ") if name in ("mount", "bind", "remount") else ""
    operation = ": ".join([part for part in (what, step) if part]) or name.replace("_", " ")
    if path and path != subject:
        operation += path if operation.endswith("/") else f" {path}"
    return KernelError(operation, message.error, pointer, subject, hint)


def hint_of(name: str, error: int) -> str:
    """What to make of this errno of an operation; "" if it speaks for itself."""
    return _HINTS.get((name, error), "")


# A hook that took this long is told how long.
_NOTEWORTHY_S = 1.0


def hook_failure(
    pointer: str, path: str, error: int, status: int, output: str, seconds: float = 0
) -> HookError:
    """A hook that could not be run (error), ran out of time (ETIMEDOUT), or failed (wait status) after some time."""
    from stave.errors import describe as written

    if error == errno.ETIMEDOUT:
        reason = "took longer than its timeout"
    elif error:
        reason = posix.strerror(error)
    elif posix.WIFSIGNALED(status):
        reason = f"killed by signal {posix.WTERMSIG(status)}"
    else:
        reason = f"exit status {posix.WEXITSTATUS(status)}"
    said = f': output: "{output}"' if output else ""
    ran = f" (ran for {seconds:.1f} s)" if seconds >= _NOTEWORTHY_S else ""
    return HookError(f"{written(pointer)}: hook {path}{ran}{said}: {reason}")


def sudden_death(status: int) -> Error:
    """The container's process ended without a word."""
    if posix.WIFSIGNALED(status) and posix.WTERMSIG(status) == 9:
        reason = "linux.resources.memory.limit, or that of a group above, may be too low"
        return Error(f"the container's first process was killed: {reason}")
    if posix.WIFSIGNALED(status):
        return Error(f"the container's first process was killed by signal {posix.WTERMSIG(status)}")
    return Error(f"the container's first process left with status {posix.WEXITSTATUS(status)}")


def _not_found(name: str, error: int, note: str) -> str:
    """Worded as runc does: podman and Docker make exit statuses 126 and 127 of it."""
    if error == errno.ENOENT and "/" not in name:
        return f'exec: "{name}": executable file not found in $PATH'
    if error == errno.ENOENT:
        return f'exec: "{name}": stat {name}: no such file or directory'
    if error == errno.EISDIR:
        return f'exec: "{name}": is a directory: permission denied'
    return f'exec: "{name}": {note + ": " if note else ""}{posix.strerror(error).lower()}'


def _not_executed(path: str, message: Message) -> Error:
    hint = ""
    if message.descriptor >= 0:
        try:
            hint = _diagnose(message.descriptor, message.error)
        finally:
            posix.close(message.descriptor)
    return Error(f"exec {path}: {hint + ': ' if hint else ''}{posix.strerror(message.error).lower()}")


def _diagnose(descriptor: int, error: int) -> str:
    """Why a file that exists was not executed, from its first bytes; "" if nothing looks wrong."""
    head = posix.pread(descriptor, 4096, 0)
    if posix.fstatvfs(descriptor).f_flag & posix.ST_NOEXEC:
        return "its file system is mounted noexec"
    if head[:2] == b"#!":
        line = head.partition(b"\n")[0]
        interpreter = line[2:].split()[0].decode("utf-8", "replace") if line[2:].split() else ""
        if line.endswith(b"\r"):
            return f'its first line ends in a carriage return, so the interpreter "{interpreter}\\r" is looked for'
        if error in (errno.ENOENT, errno.EACCES):
            return f"its interpreter {interpreter} is missing or may not be executed"
        return ""
    if head[:4] == b"\x7fELF":
        byte_order = "little" if head[5] == 1 else "big"
        machine = int.from_bytes(head[18:20], byte_order)  # type: ignore[arg-type]
        here = posix.uname().machine
        if error == errno.ENOEXEC and machine != _ELF_MACHINES.get(here, machine):
            return f"it is a program for another machine (ELF machine {machine}, this is {here})"
        if error == errno.ENOENT:
            return f"its loader {_loader(head)} is missing"
        return ""
    if error == errno.ENOEXEC:
        return "it is neither an ELF program nor a script that begins with #!"
    return ""


def _loader(head: bytes) -> str:
    start = head.find(b"/lib")
    return head[start:].partition(b"\0")[0].decode("utf-8", "replace") if start >= 0 else "(ELF interpreter)"
