"""What the kernel does with a seccomp filter: classic BPF over struct seccomp_data, on a little-endian machine."""

from __future__ import annotations

import struct

X86_64 = 0xC000003E
I386 = 0x40000003
ARM = 0x40000028
X32_BIT = 0x4000_0000

KILL_THREAD = 0
KILL_PROCESS = 0x8000_0000
TRAP = 0x0003_0000
ERRNO = 0x0005_0000
TRACE = 0x7FF0_0000
LOG = 0x7FFC_0000
ALLOW = 0x7FFF_0000


def decide(program: bytes, number: int, *args: int, arch: int = X86_64) -> int:
    """What the filter returns for a system call; a jump backwards or out of it is an error."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *args, *(0,) * (6 - len(args)))
    instructions = list(struct.iter_unpack("<HBBI", program))
    accumulator = position = 0
    while True:
        code, if_true, if_false, value = instructions[position]
        position += 1
        match code:
            case 0x20:  # load a word
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x54:  # and
                accumulator &= value
            case 0x05:  # jump always
                position += value
            case 0x15:
                position += if_true if accumulator == value else if_false
            case 0x25:
                position += if_true if accumulator > value else if_false
            case 0x35:
                position += if_true if accumulator >= value else if_false
            case 0x45:
                position += if_true if accumulator & value else if_false
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"unexpected instruction {code:#x}")
