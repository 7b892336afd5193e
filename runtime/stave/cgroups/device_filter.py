"""Device rules as a BPF program for cgroup v2 (BPF_PROG_TYPE_CGROUP_DEVICE), and its attachment.

The kernel runs the program whenever a process of the group opens or makes a device node. The program walks
the rules from the last to the first and strikes out the requested kinds of access that a rule allows: it
answers no at the first one denied, yes when nothing is left, and no when the rules are at an end.
"""

from __future__ import annotations

import posix
from errno import EINVAL, EPERM

from stave.errors import KernelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stave.cgroups.devices import Rule

    # bpf(2): command, attributes (the kernel may write to them), and buffers whose addresses belong into the
    # attributes as 64-bit numbers: (offset, buffer). Returns what the call does, or raises OSError.
    Bpf = Callable[[int, bytearray, Sequence[tuple[int, bytes | bytearray]]], int]

# linux/bpf.h: classes and operations of instructions
_LOAD = 0x61  # dst = *(u32 *)(src + offset)
_AND, _RIGHT_SHIFT, _MOVE = 0x54, 0x74, 0xB4  # 32 bits, immediate
_UNLESS_EQUAL, _IF_ANY = 0x56, 0x46  # jump, 32 bits, immediate
_EXIT = 0x95
# Registers: the result, the argument, and what of the request is still undecided.
_RESULT, _CONTEXT, _TYPE, _ACCESS, _MAJOR, _MINOR = range(6)

_TYPES = {"b": 1, "c": 2}
_ACCESSES = {"m": 1, "r": 2, "w": 4}
_EVERYTHING = 7


def compile_filter(rules: Sequence[Rule]) -> bytes:
    """The program (struct bpf_insn[], little-endian) that decides as these rules do.

    A kind of access is granted if the last rule that names it for the device allows it.
    """
    program = [
        # struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor
        _instruction(_LOAD, _TYPE, 0, 0, _CONTEXT),
        _instruction(_LOAD, _MAJOR, 0, 4, _CONTEXT),
        _instruction(_LOAD, _MINOR, 0, 8, _CONTEXT),
        _instruction(0xBC, _ACCESS, 0, 0, _TYPE),  # copy
        _instruction(_AND, _TYPE, 0xFFFF),
        _instruction(_RIGHT_SHIFT, _ACCESS, 16),
    ]
    for allow, kind, major, minor, letters in reversed(rules):
        access = sum(_ACCESSES[letter] for letter in letters)
        if not access:
            continue
        verdict = _verdict(allow, access)
        tests = [(_TYPE, _TYPES.get(kind, -1)), (_MAJOR, major), (_MINOR, minor)]
        tests = [test for test in tests if test[1] >= 0]
        for position, (register, number) in enumerate(tests):
            over = len(tests) - position - 1 + len(verdict)
            program.append(_instruction(_UNLESS_EQUAL, register, number, over))
        program += verdict
        if not tests and access == _EVERYTHING:
            return b"".join(program)  # the kernel refuses programs with unreachable instructions
    return b"".join([*program, *_answer(0)])


def _verdict(allow: bool, access: int) -> list[bytes]:
    """What a rule does to a request for its device."""
    if access == _EVERYTHING:
        return _answer(int(allow))
    if allow:
        strike = _instruction(_AND, _ACCESS, _EVERYTHING & ~access)
        return [strike, _instruction(_UNLESS_EQUAL, _ACCESS, 0, 2), *_answer(1)]
    return [
        _instruction(_IF_ANY, _ACCESS, access, 1),
        _instruction(0x05, 0, 0, 2),  # jump
        *_answer(0),
    ]


def _answer(result: int) -> list[bytes]:
    return [_instruction(_MOVE, _RESULT, result), _instruction(_EXIT)]


def _instruction(code: int, to: int = 0, number: int = 0, offset: int = 0, source: int = 0) -> bytes:
    number &= 0xFFFFFFFF
    return bytes((code, to | source << 4)) + offset.to_bytes(2, "little") + number.to_bytes(4, "little")


# bpf(2) commands, and constants of their attributes
_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH, _PROG_GET_FD_BY_ID, _PROG_QUERY = 5, 8, 9, 13, 16
_CGROUP_DEVICE_PROGRAM = 15
_CGROUP_DEVICE = 6
_ALLOW_MULTI, _REPLACE = 2, 4
_QUERY_SIZE = 64  # more programs than the kernel lets anybody attach to one group


def attach_device_filter(path: str, program: bytes, bpf: Bpf) -> None:
    """The group at `path` lets its processes use exactly the devices that the program allows.

    A filter that was there is replaced, atomically where it was the only one.

    Raises:
        KernelError: with the operation that failed.
    """
    step = "open"
    group = loaded = -1
    old: list[int] = []
    try:
        group = posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        step = "list the device filters of"
        old = _attached(group, bpf)
        step = "load a device filter for"
        loaded = load_filter(program, bpf)
        step = "attach a device filter to"
        if len(old) == 1:
            flags, replaced = _ALLOW_MULTI | _REPLACE, old[0]
        else:
            flags, replaced = _ALLOW_MULTI, 0
        bpf(_PROG_ATTACH, _words(group, loaded, _CGROUP_DEVICE, flags, replaced), ())
        # With several, all have to allow a request: until the old ones are gone too little is allowed.
        step = "detach a device filter from"
        for one in old if len(old) > 1 else ():
            bpf(_PROG_DETACH, _words(group, one, _CGROUP_DEVICE), ())
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "")
        raise KernelError(f"{step} cgroup {path}", error.errno or EINVAL, hint=hint) from error
    finally:
        for descriptor in (group, loaded, *old):
            if descriptor >= 0:
                posix.close(descriptor)


_HINTS = {
    EINVAL: "does the kernel have CONFIG_CGROUP_BPF",
    EPERM: "device filters need CAP_BPF or CAP_SYS_ADMIN in the host's user namespace",
}


def _attached(group: int, bpf: Bpf) -> list[int]:
    """New descriptors of the device programs attached to the group itself."""
    identifiers = bytearray(4 * _QUERY_SIZE)
    # target, attach type, query flags, attach flags; address of the identifiers; their number, both ways
    attributes = _words(group, _CGROUP_DEVICE, 0, 0, 0, 0, _QUERY_SIZE, 0)
    bpf(_PROG_QUERY, attributes, ((16, identifiers),))
    found = []
    for index in range(int.from_bytes(attributes[24:28], "little")):
        identifier = int.from_bytes(identifiers[4 * index : 4 * index + 4], "little")
        found.append(bpf(_PROG_GET_FD_BY_ID, _words(identifier, 0, 0), ()))
    return found


def load_filter(program: bytes, bpf: Bpf) -> int:
    """A descriptor of the program, which the kernel has checked. Raises OSError."""
    # type, number of instructions; addresses of the instructions and of the licence; no log
    attributes = _words(_CGROUP_DEVICE_PROGRAM, len(program) // 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    return bpf(_PROG_LOAD, attributes, ((8, program), (16, b"Apache-2.0\0")))


def _words(*values: int) -> bytearray:
    return bytearray(b"".join([value.to_bytes(4, "little") for value in values]))
