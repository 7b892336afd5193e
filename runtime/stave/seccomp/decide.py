"""What a compiled filter answers: the kernel's part, done here for `stave explain`.

Only the instructions that libseccomp and `enosys` write. Source: linux/filter.h, linux/seccomp.h
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_LOAD, _AND, _RETURN, _JUMP = 0x20, 0x54, 0x06, 0x05
_EQUAL, _GREATER, _NOT_LESS, _ANY_BIT = 0x15, 0x25, 0x35, 0x45


def decide(program: bytes, architecture: int, number: int, arguments: Sequence[int]) -> int:
    """The filter's answer, SECCOMP_RET_* with its data, to one system call.

    Args:
        program: an array of struct sock_filter that the kernel would take.
        architecture: AUDIT_ARCH_*.
        arguments: six, unsigned.
    """
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments)
    instructions = list(struct.iter_unpack("=HBBI", program))
    accumulator = position = 0
    while True:
        code, if_true, if_false, value = instructions[position]
        position += 1
        if code == _LOAD:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == _AND:
            accumulator &= value
        elif code == _JUMP:
            position += value
        elif code == _RETURN:
            return int(value)
        else:
            position += if_true if _holds(code, accumulator, value) else if_false


def _holds(code: int, accumulator: int, value: int) -> bool:
    if code == _EQUAL:
        return accumulator == value
    if code == _GREATER:
        return accumulator > value
    if code == _NOT_LESS:
        return accumulator >= value
    if code == _ANY_BIT:
        return bool(accumulator & value)
    raise ValueError(f"unexpected BPF instruction {code:#x}")
