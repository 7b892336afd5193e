"""Capability names, and the five sets of process.capabilities as bit masks."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocispec.types import Capabilities as CapabilityNames
    from stave.host.facts import Facts

# In the order of their numbers, see capabilities(7).
NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)

NUMBERS: dict[str, int] = {name: number for number, name in enumerate(NAMES)}


class Capabilities:
    """The five sets, as bit masks that the kernel will accept."""

    __slots__ = ("ambient", "bounding", "effective", "inheritable", "permitted")

    def __init__(self, bounding: int, effective: int, permitted: int, inheritable: int, ambient: int) -> None:
        self.bounding = bounding
        self.effective = effective
        self.permitted = permitted
        self.inheritable = inheritable
        self.ambient = ambient


def resolve(
    sets: CapabilityNames, facts: Facts, in_user_namespace: bool, warnings: list[str]
) -> Capabilities:
    """The sets of process.capabilities, without what cannot be granted; each omission is added to `warnings`.

    Without process.capabilities (an empty mapping) the process has none, root or not.

    Args:
        in_user_namespace: the container has a user namespace. Whoever enters one holds all capabilities
            in it, whatever the runtime holds outside.

    Spec: config.md#linux-process
    """
    last = facts.last_capability
    held = -1 if in_user_namespace else facts.held_capabilities
    unknown: dict[str, None] = {}
    not_held: dict[str, None] = {}

    def mask(names: Sequence[str]) -> int:
        bits = 0
        for name in names:
            number = NUMBERS.get(name, last + 1)
            if number > last:
                unknown[name] = None
            elif not held >> number & 1:
                not_held[name] = None
            else:
                bits |= 1 << number
        return bits

    def within(kind: str, bits: int, limit: int, reason: str) -> int:
        if missing := bits & ~limit:
            warnings.append(f"process.capabilities.{kind}: left out {text(missing)}: {reason}")
        return bits & limit

    bounding = mask(sets.get("bounding", ()))
    permitted = mask(sets.get("permitted", ()))
    effective = within("effective", mask(sets.get("effective", ())), permitted, "not permitted")
    inheritable = within(
        "inheritable", mask(sets.get("inheritable", ())), bounding, "not in the bounding set"
    )
    ambient = within(
        "ambient", mask(sets.get("ambient", ())), permitted & inheritable, "not permitted and inheritable"
    )
    for names, reason in ((unknown, "unknown to this kernel"), (not_held, "not held by the runtime")):
        if names:
            warnings.append(f"process.capabilities: left out {' '.join(names)}: {reason}")
    return Capabilities(bounding, effective, permitted, inheritable, ambient)


def text(mask: int) -> str:
    """The names of the capabilities in a mask, or "none"."""
    names = [name for number, name in enumerate(NAMES) if mask >> number & 1]
    return " ".join(names) or "none"
