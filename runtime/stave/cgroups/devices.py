"""Which devices a container may use: the rules of the configuration, the runtime's own, and their v1 form.

A group starts with everything denied. Then the configured rules apply in their order, and after them the
runtime's: any node may be made, and the devices that every container has may be used.
"""

from __future__ import annotations

from stave.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ocispec.types import DeviceRule

    # (allow, type "a", "b" or "c", major, minor, access); -1 stands for every number.
    Rule = tuple[bool, str, int, int, str]

POINTER = "/linux/resources/devices"
ALL = -1

DEFAULT_RULES: tuple[Rule, ...] = (
    (True, "c", ALL, ALL, "m"),
    (True, "b", ALL, ALL, "m"),
    (True, "c", 1, 3, "rwm"),  # null
    (True, "c", 1, 5, "rwm"),  # zero
    (True, "c", 1, 7, "rwm"),  # full
    (True, "c", 1, 8, "rwm"),  # random
    (True, "c", 1, 9, "rwm"),  # urandom
    (True, "c", 5, 0, "rwm"),  # tty
    (True, "c", 5, 1, "rwm"),  # console
    (True, "c", 5, 2, "rwm"),  # ptmx
    (True, "c", 136, ALL, "rwm"),  # pts/*
)


def parse_rule(rule: DeviceRule, index: int) -> Rule:
    """The rule with its gaps filled: absent means all, and so does a negative number.

    Raises:
        ConfigError: a number has more than 32 bits.
    """
    numbers = []
    for name, number in (("major", rule.get("major", ALL)), ("minor", rule.get("minor", ALL))):
        if number >= 1 << 32:
            raise ConfigError(f"{POINTER}/{index}/{name}", f"{number} is too large for a device number")
        numbers.append(max(number, ALL))
    return rule["allow"], rule.get("type", "a"), numbers[0], numbers[1], _ordered(rule.get("access", "rwm"))


def with_defaults(rules: Sequence[DeviceRule]) -> list[Rule]:
    """All rules in their order: the last that matches a request decides; without one it is denied."""
    return [*(parse_rule(rule, index) for index, rule in enumerate(rules)), *DEFAULT_RULES]


def v1_writes(rules: Sequence[DeviceRule]) -> list[tuple[str, str, str]]:
    """What brings a new v1 group to these rules: file, line and pointer of each write.

    The configured rules appear in the group's list in their order, before the runtime's own.

    Raises:
        ConfigError: a rule is wrong, or takes away (or gives back) a part of what an earlier one covers; the
            kernel would silently keep that.
    """
    return _group(rules).writes


def v1_allowed(rules: Sequence[DeviceRule]) -> dict[tuple[str, int, int], str]:
    """The same rules as a list of what is allowed: access by (type, major, minor).

    Raises:
        ConfigError: as `v1_writes`; or all is allowed with exceptions.
    """
    group = _group(rules)
    if not group.allow:
        return {device: _ordered(access) for device, access in group.exceptions.items()}
    if group.exceptions:
        raise ConfigError(POINTER, "a list of what is allowed cannot say all with exceptions")
    return {("c", ALL, ALL): "rwm", ("b", ALL, ALL): "rwm"}


def _group(rules: Sequence[DeviceRule]) -> _Group:
    group = _Group()
    parsed = [parse_rule(rule, index) for index, rule in enumerate(rules)]
    if not parsed or parsed[0][1:] != ("a", ALL, ALL, "rwm"):
        group.apply((False, "a", ALL, ALL, "rwm"), POINTER)
    for index, rule in enumerate(parsed):
        group.apply(rule, f"{POINTER}/{index}")
    for rule in DEFAULT_RULES:
        group.apply(rule, "")
    return group


class _Group:
    """The kernel's view of a v1 group while rules are written to it.

    It has a default and, as exceptions from it, access by (type, major, minor). A rule like the default
    removes exceptions that have the very same numbers, and those only; others it silently leaves alone.
    """

    __slots__ = ("allow", "exceptions", "writes")

    def __init__(self) -> None:
        self.allow = True
        self.exceptions: dict[tuple[str, int, int], frozenset[str]] = {}
        self.writes: list[tuple[str, str, str]] = []

    def apply(self, rule: Rule, pointer: str) -> None:
        allow, kind, major, minor, access = rule
        if rule[1:] == ("a", ALL, ALL, "rwm"):
            self.allow = allow
            self.exceptions = {}
            self.write(allow, "a *:* rwm", pointer)
            return
        # To the kernel "a" means everything, whatever numbers follow.
        for one in ("b", "c") if kind == "a" else (kind,):
            if access:
                self.apply_one(allow, (one, major, minor), frozenset(access), pointer)

    def apply_one(
        self, allow: bool, device: tuple[str, int, int], access: frozenset[str], pointer: str
    ) -> None:
        if allow != self.allow:
            known = self.exceptions.get(device, frozenset())
            if not access <= known:
                self.exceptions[device] = known | access
                self.write(allow, _line(device, access), pointer)
            return
        for other, known in list(self.exceptions.items()):
            if not known & access or not _overlap(device, other):
                continue
            if not _covers(device, other):
                if pointer:
                    line = _line(other, known)
                    raise ConfigError(pointer, f"cgroup v1 cannot except a part of the earlier rule {line!r}")
                continue  # one of the runtime's own rules cannot be told to the kernel: the denial stays
            self.write(allow, _line(other, known & access), pointer)
            if known <= access:
                del self.exceptions[other]
            else:
                self.exceptions[other] = known - access

    def write(self, allow: bool, line: str, pointer: str) -> None:
        self.writes.append(("devices.allow" if allow else "devices.deny", line, pointer))


def _covers(device: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    return device[0] == other[0] and device[1] in (ALL, other[1]) and device[2] in (ALL, other[2])


def _overlap(device: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    same_major = device[1] == other[1] or ALL in (device[1], other[1])
    return device[0] == other[0] and same_major and (device[2] == other[2] or ALL in (device[2], other[2]))


def _line(device: tuple[str, int, int], access: frozenset[str]) -> str:
    kind, major, minor = device
    return f"{kind} {_number(major)}:{_number(minor)} {_ordered(access)}"


def _ordered(access: Collection[str]) -> str:
    return "".join([letter for letter in "rwm" if letter in access])


def _number(number: int) -> str:
    return "*" if number == ALL else str(number)
