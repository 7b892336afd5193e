"""Device rules: what they mean, as lines of cgroup v1 and as a program of cgroup v2."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stave.cgroups.device_filter import compile_filter
from stave.cgroups.devices import DEFAULT_RULES, v1_writes, with_defaults
from stave.errors import ConfigError
from stave.host.facts import CgroupLayout

from .layouts import V1, plan

DENY_ALL = {"allow": False, "access": "rwm"}
# Numbers around those of the default rules and of what is generated.
REQUESTS = list(product("bc", (0, 1, 2, 5, 136, 300), (0, 1, 2, 3), ("r", "w", "m", "rw")))
NUMBERS = st.sampled_from((-1, 1, 2, 5, 136))
RULES: st.SearchStrategy[Any] = st.lists(
    st.fixed_dictionaries(
        {"allow": st.booleans()},
        optional={
            "type": st.sampled_from("abc"),
            "major": NUMBERS,
            "minor": NUMBERS,
            "access": st.sampled_from(("", "r", "w", "m", "rw", "wm", "mr", "rwm")),
        },
    ),
    max_size=6,
)


def decide(rules: list[Any], kind: str, major: int, minor: int, access: str) -> bool:
    """Whether a request is granted: each of its letters as the last rule that matches says."""

    def letter_allowed(letter: str) -> bool:
        for allow, type_, rule_major, rule_minor, letters in reversed(rules):
            if (
                type_ in ("a", kind)
                and rule_major in (-1, major)
                and rule_minor in (-1, minor)
                and letter in letters
            ):
                return bool(allow)
        return False

    return all(letter_allowed(letter) for letter in access)


def run(program: bytes, kind: str, major: int, minor: int, access: str) -> bool:
    """What the program answers; fails where the kernel's verifier would refuse it."""
    assert len(program) % 8 == 0
    bits = sum({"m": 1, "r": 2, "w": 4}[letter] for letter in access)
    context = {0: bits << 16 | {"b": 1, "c": 2}[kind], 4: major, 8: minor}
    registers: dict[int, int] = {}
    at = 0
    while True:
        assert at < len(program), "ran over the end"
        code, operands = program[at], program[at + 1]
        to, source = operands & 15, operands >> 4
        offset = int.from_bytes(program[at + 2 : at + 4], "little", signed=True)
        number = int.from_bytes(program[at + 4 : at + 8], "little")
        at += 8
        if code == 0x61:
            assert source == 1
            registers[to] = context[offset]
        elif code == 0xBC:
            registers[to] = registers[source]
        elif code == 0xB4:
            registers[to] = number
        elif code == 0x54:
            registers[to] &= number
        elif code == 0x74:
            registers[to] >>= number
        elif (
            code == 0x05
            or (code == 0x56 and registers[to] != number)
            or (code == 0x46 and registers[to] & number)
        ):
            assert offset >= 0
            at += 8 * offset
        elif code == 0x95:
            return bool(registers[0])
        else:
            assert code in (0x56, 0x46), f"unknown instruction {code:#x}"


def assert_reachable(program: bytes) -> None:
    """The kernel refuses a program with instructions that no path leads to."""
    seen: set[int] = set()
    ahead = [0]
    while ahead:
        at = ahead.pop()
        if at in seen:
            continue
        seen.add(at)
        code = program[8 * at]
        offset = int.from_bytes(program[8 * at + 2 : 8 * at + 4], "little", signed=True)
        if code == 0x95:
            continue
        if code in (0x05, 0x56, 0x46):
            ahead.append(at + 1 + offset)
        if code != 0x05:
            ahead.append(at + 1)
    assert seen == set(range(len(program) // 8))


@given(RULES)
def test_filter_decides_like_the_rules(rules: Any) -> None:
    """The program's answer is the rules' for every request, and the kernel could load it."""
    everything = with_defaults(rules)
    for chosen in (everything, everything[: len(rules)]):
        program = compile_filter(chosen)
        assert_reachable(program)
        for request in REQUESTS:
            assert run(program, *request) == decide(chosen, *request), request


class Group:
    """A v1 device group as the kernel keeps it; only exceptions with equal numbers are removed."""

    def __init__(self) -> None:
        self.allow = True
        self.exceptions: dict[tuple[str, str], set[str]] = {}

    def write(self, file: str, line: str) -> None:
        allow = file == "devices.allow"
        kind, numbers, access = line.split()
        if kind == "a":
            self.allow, self.exceptions = allow, {}
        elif allow == self.allow:
            self.exceptions.get((kind, numbers), set()).difference_update(access)
        else:
            self.exceptions.setdefault((kind, numbers), set()).update(access)

    def decide(self, kind: str, major: int, minor: int, letter: str) -> bool:
        for (type_, numbers), letters in self.exceptions.items():
            one, _, other = numbers.partition(":")
            if (
                type_ == kind
                and one in ("*", str(major))
                and other in ("*", str(minor))
                and letter in letters
            ):
                return not self.allow
        return self.allow


@given(RULES)
def test_v1_decides_like_the_rules(rules: Any) -> None:
    """The lines give what the rules do; only the runtime's own may have to yield to a configured denial."""
    try:
        lines = v1_writes(rules)
    except ConfigError:
        assume(False)
    group = Group()
    for file, line, _ in lines:
        group.write(file, line)
    everything = with_defaults(rules)
    for kind, major, minor, access in REQUESTS:
        for letter in access:
            expected = decide(everything, kind, major, minor, letter)
            if expected and not decide(everything[: len(rules)], kind, major, minor, letter):
                continue
            assert group.decide(kind, major, minor, letter) == expected


def test_v1_order() -> None:
    """The configured rules are written in their order and before the runtime's own; none is written twice."""
    rules: Any = [
        DENY_ALL,
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": True, "type": "b", "major": 8, "minor": 20, "access": "wr"},
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
    ]
    lines = v1_writes(rules)
    assert lines[:5] == [
        ("devices.deny", "a *:* rwm", "/linux/resources/devices/0"),
        ("devices.allow", "c 10:229 rw", "/linux/resources/devices/1"),
        ("devices.allow", "b 8:20 rw", "/linux/resources/devices/2"),
        ("devices.allow", "c 1:3 rwm", "/linux/resources/devices/3"),
        ("devices.allow", "c *:* m", ""),
    ]
    assert len(lines) == len(set(lines)) == 3 + len(DEFAULT_RULES)


def test_v1_starts_denied() -> None:
    """Without rules, or with a first one that is not about everything, all is denied first."""
    assert v1_writes([])[0] == ("devices.deny", "a *:* rwm", "/linux/resources/devices")
    rules: Any = [{"allow": True, "type": "b", "major": 8}]
    assert v1_writes(rules)[:2] == [
        ("devices.deny", "a *:* rwm", "/linux/resources/devices"),
        ("devices.allow", "b 8:* rwm", "/linux/resources/devices/0"),
    ]


def test_v1_privileged() -> None:
    """Everything allowed is one line."""
    assert v1_writes([{"allow": True, "access": "rwm"}]) == [
        ("devices.allow", "a *:* rwm", "/linux/resources/devices/0")
    ]


def test_v1_exception_to_an_earlier_rule() -> None:
    """A rule that the kernel would ignore, leaving the device open, is an error."""
    rules: Any = [
        {"allow": True, "type": "c", "major": 1},
        {"allow": False, "type": "c", "major": 1, "minor": 3},
    ]
    with pytest.raises(ConfigError, match=r"devices\[1\]: cgroup v1 cannot except a part of .*'c 1:\* rwm'"):
        v1_writes(rules)


def test_v1_denial_of_several() -> None:
    """A denial that covers earlier rules removes them one by one, as the kernel wants it."""
    rules: Any = [
        {"allow": True, "type": "b", "major": 8, "minor": 1},
        {"allow": True, "type": "b", "major": 8, "minor": 2},
        {"allow": False, "type": "b", "major": 8},
    ]
    assert [line for file, line, _ in v1_writes(rules) if file == "devices.deny"] == [
        "a *:* rwm",
        "b 8:1 rwm",
        "b 8:2 rwm",
    ]


def test_v1_without_the_controller() -> None:
    """Rules need the devices controller, the runtime's own do without."""
    layout = CgroupLayout(None, {"pids": "/cg/pids"})
    assert [one.name for one in plan({}, layout).setup] == ["make_cgroup"]
    with pytest.raises(ConfigError, match=r"devices: .*controller devices is not mounted"):
        plan({"devices": [{"allow": True, "type": "c"}]}, layout)


def test_plan_uses_the_rules() -> None:
    """The lines go to the container's group in the devices hierarchy."""
    files = [
        one.arguments[0] for one in plan({"devices": [DENY_ALL]}, V1).setup if one.name == "write_cgroup"
    ]
    assert files == ["/cg/devices/web/devices.deny"] + ["/cg/devices/web/devices.allow"] * len(DEFAULT_RULES)
