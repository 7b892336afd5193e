"""What a profile decides for one system call: what `stave explain --seccomp` prints.

The rules say which cases there are, the compiled filter says what happens in each: it is asked with arguments that
are an example of the case. So the answer is that of the kernel, also where rules contradict each other.
"""

from __future__ import annotations

import errno
from itertools import islice, product
from typing import Any

from stave.errors import Error, describe
from stave.seccomp._libseccomp import lib
from stave.seccomp.decide import decide
from stave.seccomp.enosys import X32, X86_64
from stave.seccomp.features import ARCHITECTURES
from stave.seccomp.profile import (
    ACTIONS,
    LAST_ARGUMENT,
    LAST_VALUE,
    NUMBERED,
    POINTER,
    architecture_token,
    compile_profile,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Object = Mapping[str, Any]
    Case = tuple[str, list[Object]]  # the rule's pointer, and the conditions that all must hold

_DATA = 0xFFFF  # SECCOMP_RET_DATA
_64_BIT = 0x8000_0000  # __AUDIT_ARCH_64BIT
_EXAMPLES = 100_000  # more are not tried

_HOLDS: dict[str, Callable[[int, int, int], bool]] = {
    "SCMP_CMP_NE": lambda argument, value, _: argument != value,
    "SCMP_CMP_LT": lambda argument, value, _: argument < value,
    "SCMP_CMP_LE": lambda argument, value, _: argument <= value,
    "SCMP_CMP_EQ": lambda argument, value, _: argument == value,
    "SCMP_CMP_GE": lambda argument, value, _: argument >= value,
    "SCMP_CMP_GT": lambda argument, value, _: argument > value,
    "SCMP_CMP_MASKED_EQ": lambda argument, mask, value: argument & mask == value & mask,
}
_SIGNS = {"NE": "!=", "LT": "<", "LE": "<=", "EQ": "==", "GE": ">=", "GT": ">"}


def explain_syscall(profile: Object, name: str) -> list[dict[str, Any]]:
    """What the profile decides for a system call, per architecture, the machine's own first.

    Each entry has `architecture` (SCMP_ARCH_*, or "any other"), `number` (None: no such system call there) and
    `cases`: `conditions` that all hold (none: whatever the arguments; after other cases: otherwise), `action`,
    `errno` (of SCMP_ACT_TRACE the tracer's message) or None, and the `reason`: the property that says so.

    Args:
        profile: the object linux.seccomp, valid by the schema.
        name: of the system call, or its number, in digits.

    Raises:
        ConfigError: as `compile_profile`.
        Error: libseccomp knows no such system call.
    """
    program = compile_profile(profile)[0]
    if not name.isdecimal() and lib.seccomp_syscall_resolve_name(name.encode()) == -1:
        raise Error(f"libseccomp knows no system call {name}")
    names = {architecture_token(each): each for each in ARCHITECTURES}
    own = lib.seccomp_arch_native()
    listed = [architecture_token(each) for each in profile.get("architectures", ())]
    entries: list[dict[str, Any]] = []
    for token in dict.fromkeys([own, *listed]):
        number = int(name) if name.isdecimal() else _number(token, name)
        cases = [] if number < 0 else _cases(program, profile, token, number)
        entries.append(
            {"architecture": names[token], "number": number if cases else None, "cases": cases},
        )
    refused = decide(program, 0, 0, (0,) * 6)
    entries.append(
        {
            "architecture": "any other",
            "number": None,
            "cases": [_verdict(refused, [], f"{POINTER}/architectures")],
        }
    )
    return entries


def as_text(entries: Iterable[Mapping[str, Any]], name: str) -> str:
    """What `explain_syscall` found, a line per case."""
    lines = []
    for entry in entries:
        cases = entry["cases"]
        number = entry["number"]
        if number is not None:
            same = name == str(number)
            lines.append(f"{entry['architecture']}: {name}" + ("" if same else f" is {number}"))
        else:
            lines.append(entry["architecture"] + (":" if cases else f": has no {name} of its own"))
        for case in cases:
            words = [case["action"]]
            if case["errno"] is not None:
                words.append(str(case["errno"]))
                if case["action"] == "SCMP_ACT_ERRNO" and case["errno"] in errno.errorcode:
                    words.append(errno.errorcode[case["errno"]])
            if case["conditions"]:
                words.append(f"if {' and '.join(case['conditions'])}")
            elif len(cases) > 1:
                words.append("otherwise")
            lines.append(f"  {' '.join(words)} ({case['reason']})")
    return "".join(f"{line}\n" for line in lines)


def _number(token: int, name: str) -> int:
    """The system call's number on an architecture, negative if it has none there."""
    return lib.seccomp_syscall_resolve_name_arch(token, name.encode())


def _cases(program: bytes, profile: Object, token: int, number: int) -> list[dict[str, Any]]:
    rules = _rules(profile, token, number)
    limit = LAST_VALUE if token & _64_BIT else 0xFFFF_FFFF
    indices = sorted({condition["index"] for _, conditions in rules for condition in conditions})
    examples = [
        dict(zip(indices, values, strict=True))
        for values in islice(product(*(_values(rules, index, limit) for index in indices)), _EXAMPLES)
    ]
    architecture = X86_64 if token == X32 else token

    def answer(example: Mapping[int, int]) -> int:
        arguments = [example.get(index, 0) for index in range(LAST_ARGUMENT + 1)]
        return decide(program, architecture, number, arguments)

    cases = []
    for pointer, conditions in rules:
        matching = [example for example in examples if _all_hold(conditions, example)]
        if matching and conditions:
            # Rather one that is no example of another case, too.
            best = min(matching, key=lambda each: sum(_all_hold(others, each) for _, others in rules))
            cases.append(_verdict(answer(best), [_words(each) for each in conditions], pointer))
    rest = [example for example in examples if not any(_all_hold(each, example) for _, each in rules if each)]
    if rest:
        reasons = [pointer for pointer, conditions in rules if not conditions]
        answered = answer(rest[0])
        reason = reasons[0] if reasons else f"{POINTER}/defaultAction"
        case = _verdict(answered, [], reason)
        if not reasons and answered != _default(profile):
            case["reason"] = "it is newer than every system call that the profile names"
        cases.append(case)
    return cases


def _rules(profile: Object, token: int, number: int) -> list[Case]:
    """The cases that the rules for a system call distinguish. Spec: config-linux.md#seccomp"""
    found: list[Case] = []
    for position, rule in enumerate(profile.get("syscalls", ())):
        if any(_number(token, name) == number for name in rule["names"]):
            pointer = f"{POINTER}/syscalls/{position}"
            args = list(rule.get("args", ()))
            several = len({condition["index"] for condition in args}) < len(args)
            found += [(pointer, [condition]) for condition in args] if several else [(pointer, args)]
    return found


def _values(rules: Sequence[Case], index: int, limit: int) -> list[int]:
    """Values of an argument among which there is one for each outcome of its conditions."""
    found = {0: None, limit: None}
    for _, conditions in rules:
        for condition in conditions:
            if condition["index"] != index:
                continue
            value = condition["value"]
            near = (value, value - 1, value + 1)
            if condition["op"] == "SCMP_CMP_MASKED_EQ":
                wanted = condition.get("valueTwo", 0) & value
                near = (wanted, wanted ^ value & -value, wanted | ~value & limit)
            found.update(dict.fromkeys(each for each in near if 0 <= each <= limit))
    return list(found)


def _all_hold(conditions: Iterable[Object], example: Mapping[int, int]) -> bool:
    return all(
        _HOLDS[each["op"]](example[each["index"]], each["value"], each.get("valueTwo", 0))
        for each in conditions
    )


def _words(condition: Object) -> str:
    argument, value = f"argument {condition['index']}", condition["value"]
    if condition["op"] == "SCMP_CMP_MASKED_EQ":
        return f"{argument} & {value:#x} == {condition.get('valueTwo', 0):#x}"
    return f"{argument} {_SIGNS[condition['op'].removeprefix('SCMP_CMP_')]} {value:#x}"


def _default(profile: Object) -> int:
    name = profile["defaultAction"]
    data = profile.get("defaultErrnoRet", errno.EPERM) if name in NUMBERED else 0
    return ACTIONS[name] | data


def _verdict(answer: int, conditions: list[str], pointer: str) -> dict[str, Any]:
    # SCMP_ACT_KILL is the older name of SCMP_ACT_KILL_THREAD.
    name = next(each for each, bits in reversed(ACTIONS.items()) if bits == answer & ~_DATA)
    data = answer & _DATA if name in NUMBERED else None
    return {"conditions": conditions, "action": name, "errno": data, "reason": describe(pointer)}
