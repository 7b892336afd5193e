"""Which capabilities a container has. Source: capabilities(7), linux/capability.h"""

from __future__ import annotations

from ociimage.errors import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order of their numbers.
ALL = tuple(
    f"CAP_{name}"
    for name in (
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE"
        " NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT"
        " SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE"
        " AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ"
        " PERFMON BPF CHECKPOINT_RESTORE"
    ).split()
)
# Docker's: what programs of root expect, and what leads nowhere outside.
DEFAULT = tuple(
    f"CAP_{name}"
    for name in (
        "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD"
        " AUDIT_WRITE SETFCAP"
    ).split()
)


def capabilities(add: Sequence[str], drop: Sequence[str], privileged: bool, available: int) -> list[str]:
    """The set that is left of the default one, or of all if privileged, in the order of their numbers.

    Args:
        add, drop: names, with or without CAP_, in any case; or ALL, from which names of the other list are excepted.
        available: bits of those the kernel and the caller have; others of ALL and of the default are left out.

    Raises: InvalidOption for a name that there is not, or that is in both.
    """
    added, dropped = {_name(each) for each in add}, {_name(each) for each in drop}
    if both := added & dropped:
        raise InvalidOption(f"{min(both)} is both added and dropped")
    present = [name for number, name in enumerate(ALL) if available >> number & 1]
    chosen: set[str] = set() if "CAP_ALL" in dropped else set(ALL if privileged else DEFAULT)
    if "CAP_ALL" in added:
        chosen = set(ALL)
    chosen &= set(present)
    # What is asked for by name is in the set even if it cannot be had: then the runtime says so.
    chosen |= added - {"CAP_ALL"}
    chosen -= dropped
    return [name for name in ALL if name in chosen]


def _name(text: str) -> str:
    name = text.upper()
    if not name.startswith("CAP_"):
        name = f"CAP_{name}"
    if name != "CAP_ALL" and name not in ALL:
        raise InvalidOption(f"there is no capability {text!r}")
    return name
