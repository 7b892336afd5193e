"""Names of kernel parameters: where they lie below /proc/sys and which namespace they belong to."""

from __future__ import annotations

_IPC = frozenset(
    "kernel/" + name
    for name in (
        "auto_msgmni",
        "msg_next_id",
        "msgmax",
        "msgmnb",
        "msgmni",
        "sem",
        "sem_next_id",
        "shm_next_id",
        "shm_rmid_forced",
        "shmall",
        "shmmax",
        "shmmni",
    )
)


def sysctl_path(name: str) -> str:
    """The path below /proc/sys: both `net.ipv4.ip_forward` and `net/ipv4/ip_forward` name one.

    The separator that comes first counts; the other one then stands for a dot within a component, as
    in `net.ipv4.conf.eth0/1.forwarding` (sysctl(8)).

    Raises: ValueError when the path would be empty, absolute, or lead out of /proc/sys.
    """
    swap = str.maketrans("./", "/.")
    dot, slash = name.find("."), name.find("/")
    path = name if dot < 0 or 0 <= slash < dot else name.translate(swap)
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{name!r} is not the name of a kernel parameter")
    return path


def sysctl_namespace(path: str) -> str | None:
    """The namespace type that a parameter, as sysctl_path gives it, is private to; None for none."""
    if path.startswith("net/"):
        return "network"
    if path.startswith("fs/mqueue/") or path in _IPC:
        return "ipc"
    if path.startswith("user/"):
        return "user"
    if path in ("kernel/hostname", "kernel/domainname"):
        return "uts"
    return None
