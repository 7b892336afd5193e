"""Programs in words: what `stave explain` prints. Nothing on the hot path needs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stave.errors import describe
from stave.plan import constants, operations
from stave.plan.capabilities import NAMES as CAPABILITIES
from stave.plan.process import PERSONAS
from stave.plan.program import Operation, Program
from stave.plan.rlimits import NAMES as RLIMITS
from stave.plan.scheduling import (
    IO_CLASS_SHIFT,
    IO_CLASSES,
    MEMORY_FLAGS,
    MEMORY_MODES,
    POLICIES,
    SCHEDULER_FLAGS,
)

# The size of one struct sock_filter, and of one struct bpf_insn.
_INSTRUCTION = 8
_RLIM_INFINITY = (1 << 64) - 1
_FILE_TYPES = {
    constants.S_IFIFO: "fifo",
    constants.S_IFCHR: "character device",
    constants.S_IFBLK: "block device",
}
# Arguments that say something when they are empty, too.
_SETS = ("keep", "effective", "permitted", "inheritable", "ambient")
_SECCOMP_FLAGS = {
    1: "SECCOMP_FILTER_FLAG_TSYNC",
    2: "SECCOMP_FILTER_FLAG_LOG",
    4: "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    8: "SECCOMP_FILTER_FLAG_NEW_LISTENER",
    16: "SECCOMP_FILTER_FLAG_TSYNC_ESRCH",
    32: "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
}


def as_text(program: Program) -> str:
    """One line per operation: number, side, operation, arguments, and where it comes from.

    Arguments that ask for nothing (no flags, empty lists, what is absent) are left out.
    """
    lines = []
    for entry in as_json(program):
        words = [f"{entry['number']:3} {entry['side']:9} {entry['operation']}"]
        for name, value in entry["arguments"].items():
            if name in _SETS or value is not None and value != []:
                words.append(f"{name}={_word(value)}")
        if entry["property"]:
            words.append(f"({entry['property']})")
        lines.append(" ".join(words) + "\n")
    return "".join(lines)


def as_json(program: Program) -> list[dict[str, Any]]:
    """The operations as JSON objects: number, side, operation, property, pointer and arguments by name.

    Flags are lists of the kernel's names, modes octal text, programs their number of instructions.
    """
    return [_entry(number, operation) for number, operation in enumerate(program, 1)]


def _entry(number: int, operation: Operation) -> dict[str, Any]:
    table = operations.CONTAINER if operation.in_container else operations.RUNTIME
    names = table[operation.name][0].split()
    return {
        "number": number,
        "side": "container" if operation.in_container else "runtime",
        "operation": operation.name,
        "property": describe(operation.pointer),
        "pointer": operation.pointer,
        "arguments": {
            name: _value(operation.name, name, argument)
            for name, argument in zip(names, operation.arguments, strict=True)
        },
    }


def _value(operation: str, argument: str, value: Any) -> Any:
    decode = _DECODERS.get(f"{operation}.{argument}") or _DECODERS.get(argument)
    if value is None or decode is None:
        return list(value) if isinstance(value, tuple) else value
    return decode(value)


class _Names(list[str]):
    """Names of flags, as opposed to other lists of texts."""


def _word(value: object) -> str:
    if isinstance(value, _Names):
        return "|".join(value) or "none"
    if isinstance(value, str) and value and not any(character in ' "\n=' for character in value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _flags(names: Mapping[int, str]) -> Callable[[int], _Names]:
    def decode(value: int) -> _Names:
        found = _Names()
        for bits, name in names.items():
            if value & bits == bits:
                found.append(name)
                value &= ~bits
        if value:
            found.append(f"{value:#x}")
        return found

    return decode


def _constants(prefix: str) -> Callable[[int], _Names]:
    names = {value: name for name, value in vars(constants).items() if name.startswith(prefix)}
    # Those of several bits first, as their parts have names of their own.
    return _flags(dict(sorted(names.items(), key=lambda item: -item[0].bit_count())))


def _mode(value: int) -> str:
    kind = _FILE_TYPES.get(value & ~0o7777)
    return f"{value & 0o7777:04o} {kind}" if kind else f"{value:04o}"


def _capabilities(value: int) -> _Names:
    return _Names(name for number, name in enumerate(CAPABILITIES) if value >> number & 1)


def _groups(value: bytes) -> list[int]:
    return [int.from_bytes(value[at : at + 4], "little") for at in range(0, len(value), 4)]


def _instructions(value: bytes) -> str:
    return f"{len(value) // _INSTRUCTION} instructions"


def _limit(value: int) -> int | str:
    return "unlimited" if value == _RLIM_INFINITY else value


def _persona(value: int) -> str:
    return next((name for name, persona in PERSONAS.items() if persona == value), hex(value))


def _properties(value: Sequence[tuple[str, tuple[str, Any]]]) -> list[str]:
    shown = [(name, each.hex() if isinstance(each, bytes) else each) for name, (_, each) in value]
    return [f"{name}={each}" for name, each in shown]


def _text_of_mask(value: bytes) -> str:
    return hex(int.from_bytes(value, "little"))


def _memory_mode(value: int) -> str:
    names = [name for name, bit in MEMORY_FLAGS.items() if value & bit]
    mode = value & ~sum(MEMORY_FLAGS.values())
    return "|".join([name for name, number in MEMORY_MODES.items() if number == mode] + names)


def _io_priority(value: int) -> str:
    names = {number: name for name, number in IO_CLASSES.items()}
    return f"{names.get(value >> IO_CLASS_SHIFT, 'IOPRIO_CLASS_NONE')}:{value & (1 << IO_CLASS_SHIFT) - 1}"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


_namespaces = _constants("CLONE_NEW")
_attributes = _constants("MOUNT_ATTR_")
_mount_flags = _constants("MS_")

# By argument, and by operation where a name means several things.
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "start_scope.properties": _properties,
    "clone.flags": _namespaces,
    "unshare.flags": _namespaces,
    "setns.type": _namespaces,
    "open_namespace.type": _namespaces,
    "set_propagation.flags": _mount_flags,
    "propagation": _mount_flags,
    "attributes": _attributes,
    "set": _attributes,
    "clear": _attributes,
    "recursive_set": _attributes,
    "recursive_clear": _attributes,
    "options": _flags({value: name for name, value in vars(operations).items() if name.startswith("MOUNT_")}),
    "mode": _mode,
    "umask": _mode,
    "keep": _capabilities,
    "effective": _capabilities,
    "permitted": _capabilities,
    "inheritable": _capabilities,
    "ambient": _capabilities,
    "groups": _groups,
    "program": _instructions,
    "load_seccomp.flags": _flags(_SECCOMP_FLAGS),
    "mask": _text_of_mask,
    "nodes": _text_of_mask,
    "set_memory_policy.mode": _memory_mode,
    "set_io_priority.priority": _io_priority,
    "set_scheduler.policy": lambda value: next(name for name, number in POLICIES.items() if number == value),
    "set_scheduler.flags": _flags({number: name for name, number in SCHEDULER_FLAGS.items()}),
    "resource": lambda number: RLIMITS[number],
    "soft": _limit,
    "hard": _limit,
    "persona": _persona,
    "before": _text,
    "after": _text,
}
