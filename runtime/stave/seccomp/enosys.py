"""The filter's prefix that answers system calls newer than the profile with ENOSYS.

A profile that refuses what it does not list also refuses system calls that its author could not know. The C library
tries a new system call and falls back to an old one on ENOSYS, but takes EPERM for the final answer: with a profile
older than the library, `ls` fails. So, per architecture, a number above the highest one that the profile mentions
is answered as a kernel would that has no such system call.

Struct sock_filter and the values below: linux/filter.h, linux/bpf_common.h, linux/audit.h.
"""

from __future__ import annotations

import errno
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
JUMP = 0x05  # BPF_JMP | BPF_JA
JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
JUMP_GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K
JUMP_NOT_LESS = 0x35  # BPF_JMP | BPF_JGE | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K

NUMBER_OFFSET = 0  # of `nr` in struct seccomp_data
ARCH_OFFSET = 4
RET_ERRNO = 0x0005_0000

X86_64 = 0xC000003E
X32 = 0x4000003E  # libseccomp's token; the kernel reports X86_64 and sets bit 30 of the number
ARM = 0x40000028

# Where an architecture's ordinary numbers end, if not at 2^32: behind it are another's, or private ones.
_END = {X86_64: 0x4000_0000, ARM: 0x000F_0000}


def enosys_prefix(numbers: Mapping[int, Iterable[int]]) -> bytes:
    """Instructions that return ENOSYS for newer system calls and otherwise go on to what follows them.

    Args:
        numbers: for each architecture (libseccomp's token) the numbers of the system calls that the profile
            mentions. Negative ones do not exist there; an architecture without any is left to the filter.
    """
    ranges: dict[int, list[tuple[int, int | None]]] = {}
    for token, mentioned in numbers.items():
        end = _END.get(token)
        ordinary = [number for number in mentioned if number >= 0 and (end is None or number < end)]
        if ordinary:
            ranges.setdefault(X86_64 if token == X32 else token, []).append((max(ordinary), end))
    if not ranges:
        return b""
    # Built from the end: every block but the last jumps over those behind it.
    code: list[bytes] = []
    for arch, refused in ranges.items():
        block = [_instruction(LOAD, NUMBER_OFFSET)]
        for highest, end in refused:
            if end is None:
                block.append(_instruction(JUMP_GREATER, highest, 0, 1))
            else:
                block.append(_instruction(JUMP_GREATER, highest, 0, 2))
                block.append(_instruction(JUMP_NOT_LESS, end, 1, 0))
            block.append(_instruction(RETURN, RET_ERRNO | errno.ENOSYS))
        if code:
            block.append(_instruction(JUMP, len(code)))
        code = [_instruction(JUMP_EQUAL, arch, 0, len(block)), *block, *code]
    return b"".join([_instruction(LOAD, ARCH_OFFSET), *code])


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    order = sys.byteorder
    return code.to_bytes(2, order) + bytes((if_true, if_false)) + value.to_bytes(4, order)
