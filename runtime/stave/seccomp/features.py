"""What linux.seccomp may contain here, for `stave features`."""

from __future__ import annotations

from errno import EEXIST

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
        "archs": [name for name in ARCHITECTURES if _library_takes(architecture_token(name))],
        "knownFlags": sorted(FLAGS),
        "supportedFlags": sorted(name for name, bit in FLAGS.items() if _kernel_takes(bit)),
    }


def library_version() -> str:
    """The version of the libseccomp that is loaded, as "2.5.4"."""
    version = lib.seccomp_version()
    return f"{version.major}.{version.minor}.{version.micro}"


def _library_takes(token: int) -> bool:
    """Whether filters for the architecture can be made here: not for one with the other byte order."""
    if not token:
        return False
    context = lib.seccomp_init(ACTIONS["SCMP_ACT_ALLOW"])
    try:
        return lib.seccomp_arch_add(context, token) in (0, -EEXIST)
    finally:
        lib.seccomp_release(context)


def _kernel_takes(bit: int) -> bool:
    if bit == WAIT_KILLABLE_RECV:
        bit |= NEW_LISTENER  # it is refused alone
    return bool(lib.kernel_knows_flag(bit))
