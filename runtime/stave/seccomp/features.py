"""What linux.seccomp may contain here, for `stave features`."""

from __future__ import annotations

from stave.seccomp._libseccomp import lib
from stave.seccomp.profile import (
    ACTIONS,
    FLAGS,
    NEW_LISTENER,
    OPERATORS,
    WAIT_KILLABLE_RECV,
    architecture_token,
)

ARCHITECTURES = (
    *("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K"),
    *("SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32"),
    *("SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32"),
    *("SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE"),
    *("SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB"),
    *("SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"),
)


def supported() -> dict[str, bool | list[str]]:
    """The object linux.seccomp of the features document; `supportedFlags` are those that the kernel takes.

    Spec: features-linux.md#seccomp
    """
    return {
        "enabled": True,
        "actions": sorted(ACTIONS),
        "operators": sorted(OPERATORS),
        "archs": [name for name in ARCHITECTURES if architecture_token(name)],
        "knownFlags": sorted(FLAGS),
        "supportedFlags": sorted(name for name, bit in FLAGS.items() if _kernel_takes(bit)),
    }


def _kernel_takes(bit: int) -> bool:
    if bit == WAIT_KILLABLE_RECV:
        bit |= NEW_LISTENER  # it is refused alone
    return bool(lib.kernel_knows_flag(bit))
