"""Profiles compiled by libseccomp, judged by what the filter decides."""

from __future__ import annotations

import errno
import platform
from typing import Any

import pytest

from stave.errors import ConfigError

from .bpf import ALLOW, ERRNO, I386, KILL_PROCESS, KILL_THREAD, LOG, TRACE, TRAP, X32_BIT, X86_64, decide

pytest.importorskip("stave.seccomp._libseccomp", reason="the libseccomp module is not built")

from stave.seccomp import features, profile
from stave.seccomp.profile import NEW_LISTENER, compile_profile, unknown_syscalls

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="uses system call numbers of x86_64")

READ, WRITE, GETCWD, CLONE, CLONE3, PERSONALITY = 0, 1, 79, 56, 435, 135
EPERM = ERRNO | errno.EPERM
ENOSYS = ERRNO | errno.ENOSYS
BIG = 1 << 40


def rule(name: str, action: str = "SCMP_ACT_ERRNO", *args: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"names": [name], "action": action} | ({"args": list(args)} if args else {}) | more


def arg(index: int, op: str, value: int, **more: int) -> dict[str, Any]:
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, **more}


def compiled(*rules: dict[str, Any], default: str = "SCMP_ACT_ALLOW", **more: Any) -> bytes:
    return compile_profile({"defaultAction": default, "syscalls": list(rules), **more})[0]


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        ("SCMP_ACT_KILL", KILL_THREAD),
        ("SCMP_ACT_KILL_THREAD", KILL_THREAD),
        ("SCMP_ACT_KILL_PROCESS", KILL_PROCESS),
        ("SCMP_ACT_TRAP", TRAP),
        ("SCMP_ACT_ERRNO", EPERM),
        ("SCMP_ACT_TRACE", TRACE | errno.EPERM),
        ("SCMP_ACT_LOG", LOG),
    ],
)
def test_each_action_as_rule_and_as_default(action: str, verdict: int) -> None:
    """An action applies to the system calls of its rule, or, as the default, to all others; EPERM is understood."""
    program = compiled(rule("getcwd", action))
    assert decide(program, GETCWD) == verdict
    assert decide(program, READ) == ALLOW

    program = compiled(rule("getcwd", "SCMP_ACT_ALLOW"), default=action)
    assert decide(program, GETCWD) == ALLOW
    assert decide(program, READ) == verdict


def test_errno_is_the_given_one() -> None:
    """errnoRet and defaultErrnoRet replace EPERM, for errors and for tracers; 0 is a number too."""
    rules = [
        rule("getcwd", errnoRet=errno.ENOENT),
        rule("read", "SCMP_ACT_TRACE", errnoRet=65535),
        rule("write", errnoRet=0),
    ]
    program = compiled(*rules, default="SCMP_ACT_ERRNO", defaultErrnoRet=errno.EIO)
    assert decide(program, GETCWD) == ERRNO | errno.ENOENT
    assert decide(program, READ) == TRACE | 65535
    assert decide(program, WRITE) == ERRNO
    assert decide(program, 2) == ERRNO | errno.EIO


@pytest.mark.parametrize(
    ("op", "value", "matching", "others"),
    [
        ("NE", BIG + 5, [0, 5, BIG + 4, BIG + 6], [BIG + 5]),
        ("LT", BIG + 5, [0, 6, BIG + 4], [BIG + 5, BIG + 6, 2 * BIG]),
        ("LE", BIG + 5, [0, 6, BIG + 5], [BIG + 6, 2 * BIG]),
        ("EQ", BIG + 5, [BIG + 5], [0, 5, BIG, BIG + 4, BIG + 6]),
        ("GE", BIG + 5, [BIG + 5, BIG + 6, 2 * BIG], [0, 6, BIG + 4]),
        ("GT", BIG + 5, [BIG + 6, 2 * BIG], [0, 6, BIG + 5]),
        ("EQ", 2**64 - 1, [2**64 - 1], [2**32 - 1, 0]),
    ],
)
@pytest.mark.parametrize("index", [0, 5])
def test_operators_compare_all_64_bits(
    op: str, value: int, matching: list[int], others: list[int], index: int
) -> None:
    """A rule with a condition applies where the whole argument meets it, and nowhere else."""
    program = compiled(rule("personality", "SCMP_ACT_ERRNO", arg(index, op, value)))
    for argument in matching:
        assert decide(program, PERSONALITY, *(0,) * index, argument) == EPERM
    for argument in others:
        assert decide(program, PERSONALITY, *(0,) * index, argument) == ALLOW


def test_masked_equal_takes_the_mask_from_value() -> None:
    """SCMP_CMP_MASKED_EQ: argument & value == valueTwo, and valueTwo is 0 if absent."""
    program = compiled(
        rule("personality", "SCMP_ACT_ERRNO", arg(0, "MASKED_EQ", 0xF0, valueTwo=0x20)),
        rule("clone", "SCMP_ACT_ERRNO", arg(0, "MASKED_EQ", 0x7E02_0000)),
    )
    assert decide(program, PERSONALITY, 0x2F) == EPERM
    assert decide(program, PERSONALITY, 0x3F) == ALLOW
    assert decide(program, CLONE, 0x11) == EPERM
    assert decide(program, CLONE, 0x1000_0011) == ALLOW


def test_conditions_on_different_arguments_must_all_hold() -> None:
    """A rule's conditions on different arguments are joined by "and"; rules are joined by "or"."""
    program = compiled(
        rule("personality", "SCMP_ACT_ERRNO", arg(0, "EQ", 1), arg(1, "GT", 2)),
        rule("personality", "SCMP_ACT_ERRNO", arg(2, "EQ", 7)),
    )
    assert decide(program, PERSONALITY, 1, 3) == EPERM
    assert decide(program, PERSONALITY, 1, 2) == ALLOW
    assert decide(program, PERSONALITY, 0, 3) == ALLOW
    assert decide(program, PERSONALITY, 0, 0, 7) == EPERM


def test_argument_named_twice_makes_alternatives() -> None:
    """If a rule has several conditions on one argument, each of its conditions suffices."""
    program = compiled(
        rule("personality", "SCMP_ACT_ERRNO", arg(0, "EQ", 1), arg(0, "EQ", 2), arg(1, "EQ", 3))
    )
    verdicts = [decide(program, PERSONALITY, *args) for args in [(1, 0), (2, 0), (0, 3), (0, 0)]]
    assert verdicts == [EPERM, EPERM, EPERM, ALLOW]


@pytest.mark.parametrize(
    ("architectures", "foreign"),
    [
        ([], {I386: KILL_THREAD, "x32": KILL_THREAD}),
        (["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], {I386: EPERM, "x32": KILL_THREAD}),
        (["SCMP_ARCH_X32", "SCMP_ARCH_X86"], {I386: EPERM, "x32": EPERM}),
    ],
)
def test_architectures(architectures: list[str], foreign: dict[int | str, int]) -> None:
    """The machine's own architecture is always in; system calls of unlisted ones kill the caller."""
    program = compiled(rule("getcwd"), architectures=architectures)
    assert decide(program, GETCWD) == EPERM
    assert decide(program, 183, arch=I386) == foreign[I386]
    assert decide(program, X32_BIT + GETCWD) == foreign["x32"]


def test_system_calls_of_a_subarchitecture_only() -> None:
    """A name that only another architecture has is filtered there and harmless here."""
    program = compiled(rule("waitpid"), architectures=["SCMP_ARCH_X86"])
    assert decide(program, 7, arch=I386) == EPERM
    assert decide(program, 7) == ALLOW


@pytest.mark.parametrize(
    "default", ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"]
)
def test_newer_system_calls_get_enosys_from_a_refusing_profile(default: str) -> None:
    """What lies above the highest number mentioned, by any rule, is ENOSYS; what lies below is refused as asked."""
    rules = [rule("getcwd", "SCMP_ACT_ALLOW"), rule("clone3", "SCMP_ACT_ERRNO")]
    program = compiled(*rules, default=default, architectures=["SCMP_ARCH_X86", "SCMP_ARCH_X32"])
    refused = decide(program, READ)
    assert refused in (EPERM, KILL_THREAD, KILL_PROCESS, TRAP)
    assert decide(program, GETCWD) == ALLOW
    assert decide(program, CLONE3) == EPERM
    assert decide(program, CLONE3 + 1) == decide(program, CLONE3 + 1, arch=I386) == ENOSYS
    assert decide(program, X32_BIT + CLONE3 + 1) == ENOSYS
    assert decide(program, CLONE3 - 1) == refused


@pytest.mark.parametrize("default", ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"])
def test_newer_system_calls_follow_a_default_that_does_not_refuse(default: str) -> None:
    """Where the default lets system calls through, or asks a tracer, that holds for newer ones too."""
    program = compiled(rule("getcwd", "SCMP_ACT_KILL"), default=default)
    assert decide(program, 5000) == decide(program, READ) != ENOSYS


def test_default_alone() -> None:
    """Without rules the default action applies to everything, newer system calls included."""
    assert decide(compiled(default="SCMP_ACT_KILL"), READ) == KILL_THREAD
    assert decide(compiled(default="SCMP_ACT_ERRNO"), 5000) == EPERM


def test_unknown_system_calls_are_left_out_and_named() -> None:
    """A name that libseccomp does not know makes no rule and no error; it can be asked for."""
    rules = [
        {"names": ["no_such_call", "getcwd", "waitpid"], "action": "SCMP_ACT_ERRNO"},
        rule("no_such_call"),
        rule("other_call"),
    ]
    assert decide(compiled(*rules), GETCWD) == EPERM
    assert unknown_syscalls({"syscalls": rules}) == ["no_such_call", "other_call"]


def test_rules_equal_to_the_default_are_left_out() -> None:
    """A rule that repeats the default is no error; one that differs in its errno only is a rule."""
    program = compiled(rule("getcwd"), rule("read", errnoRet=5), default="SCMP_ACT_ERRNO")
    assert decide(program, GETCWD) == EPERM
    assert decide(program, READ) == ERRNO | 5
    assert (
        decide(compiled(rule("read", "SCMP_ACT_KILL_THREAD"), default="SCMP_ACT_KILL"), READ) == KILL_THREAD
    )


@pytest.mark.parametrize(
    ("flags", "bits"),
    [
        ([], 0),
        (["SECCOMP_FILTER_FLAG_TSYNC"], 1),
        (["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"], 6),
        (["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_LOG"], 2),
    ],
)
def test_flags(flags: list[str], bits: int) -> None:
    """Flags become the bits of seccomp(2); WAIT_KILLABLE_RECV says nothing without notifications."""
    assert compile_profile({"defaultAction": "SCMP_ACT_ALLOW", "flags": flags})[1] == bits


NOTIFYING = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}],
}


@pytest.mark.parametrize(
    ("flags", "bits"),
    [
        ([], NEW_LISTENER),
        (["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], NEW_LISTENER | 32),
        (["SECCOMP_FILTER_FLAG_TSYNC"], NEW_LISTENER | 1 | 16),
    ],
)
def test_flags_of_notifications(flags: list[str], bits: int) -> None:
    """A filter with notifications gives a descriptor to answer them from, and the kernel takes each flag with it."""
    assert compile_profile(NOTIFYING | {"flags": flags})[1] == bits


ALLOWING = {"defaultAction": "SCMP_ACT_ALLOW"}


@pytest.mark.parametrize(
    ("wrong", "pointer", "reason"),
    [
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "defaultAction", "for single system calls"),
        ({"defaultAction": "ALLOW"}, "defaultAction", "unknown action ALLOW"),
        (ALLOWING | {"defaultErrnoRet": 1}, "defaultErrnoRet", "SCMP_ACT_ALLOW takes no errno"),
        (
            {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096},
            "defaultErrnoRet",
            "between 0 and 4095",
        ),
        (ALLOWING | {"flags": ["X"]}, "flags/0", "unknown flag X"),
        (ALLOWING | {"architectures": ["SCMP_ARCH_X86", "X86"]}, "architectures/1", "does not know"),
        (ALLOWING | {"architectures": ["SCMP_ARCH_Z80"]}, "architectures/0", "does not know"),
        (ALLOWING | {"architectures": ["SCMP_ARCH_S390X"]}, "architectures/0", "byte order"),
        (
            ALLOWING | {"syscalls": [rule("read"), rule("read", "KILL")]},
            "syscalls/1/action",
            "unknown action",
        ),
        (
            ALLOWING | {"syscalls": [rule("sendmsg", "SCMP_ACT_NOTIFY")]},
            "syscalls/0/names/0",
            "would stop the process before its listener can be sent",
        ),
        (
            ALLOWING | {"syscalls": [rule("read", "SCMP_ACT_KILL", errnoRet=1)]},
            "syscalls/0/errnoRet",
            "takes no errno",
        ),
        (
            ALLOWING | {"syscalls": [rule("read", "SCMP_ACT_TRACE", errnoRet=65536)]},
            "syscalls/0/errnoRet",
            "between 0 and 65535",
        ),
        (
            ALLOWING | {"syscalls": [rule("read", "SCMP_ACT_ERRNO", arg(0, "EQ", 1), arg(1, "IN", 1))]},
            "syscalls/0/args/1/op",
            "unknown operator SCMP_CMP_IN",
        ),
        (
            ALLOWING | {"syscalls": [rule("read", "SCMP_ACT_ALLOW", arg(6, "EQ", 1))]},
            "syscalls/0/args/0/index",
            "between 0 and 5",
        ),
        (
            ALLOWING | {"syscalls": [rule("read", "SCMP_ACT_ERRNO", arg(0, "EQ", 1 << 64))]},
            "syscalls/0/args/0/value",
            "is not between",
        ),
        (
            ALLOWING
            | {
                "syscalls": [
                    rule("read", "SCMP_ACT_KILL", arg(0, "EQ", 1)),
                    rule("read", "SCMP_ACT_ERRNO", arg(0, "EQ", 1)),
                ]
            },
            "syscalls/1/action",
            "contradicts an earlier rule for read",
        ),
    ],
)
def test_errors_name_the_property(wrong: dict[str, Any], pointer: str, reason: str) -> None:
    """What cannot be honoured is refused with the pointer of the property and the reason."""
    with pytest.raises(ConfigError, match=reason) as caught:
        compile_profile(wrong)
    assert caught.value.pointer == f"/linux/seccomp/{pointer}"


def test_profile_too_long_for_the_kernel() -> None:
    """A profile that makes more instructions than the kernel takes is refused, with both numbers."""
    conditions = [rule("read", "SCMP_ACT_ERRNO", arg(0, "EQ", BIG * value)) for value in range(1, 1500)]
    with pytest.raises(ConfigError, match=r"BPF instructions, the kernel takes 4096"):
        compiled(*conditions)


def test_binary_tree_decides_like_the_plain_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """libseccomp's tree over system call numbers changes the length of the way, not the verdict."""
    listed = [
        "read",
        "getcwd",
        "openat2",
        "clone3",
        "futex_waitv",
        "socketcall",
        "time",
        "pipe2",
        "statx",
        "mkdir",
    ]
    rules = [
        {"names": listed, "action": "SCMP_ACT_ALLOW"},
        rule("personality", "SCMP_ACT_ALLOW", arg(0, "EQ", 0xFFFF_FFFF)),
        rule("clone", "SCMP_ACT_ALLOW", arg(0, "MASKED_EQ", 0x7E02_0000)),
        rule("socket", "SCMP_ACT_ALLOW", arg(0, "NE", 40)),
        rule("ptrace", "SCMP_ACT_KILL"),
    ]
    architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    tree = compiled(*rules, default="SCMP_ACT_ERRNO", architectures=architectures)
    monkeypatch.setattr(profile, "BINARY_TREE", 1)
    plain = compiled(*rules, default="SCMP_ACT_ERRNO", architectures=architectures)
    assert tree != plain
    for arch, first in [(X86_64, 0), (X86_64, X32_BIT), (I386, 0)]:
        for number in range(first, first + 600):
            for argument in (0, 40, 0xFFFF_FFFF, 0x1000_0000):
                want = decide(plain, number, argument, arch=arch)
                assert decide(tree, number, argument, arch=arch) == want, (hex(arch), number, argument)


def test_features_list_what_is_accepted() -> None:
    """Every name of the features document compiles."""
    listed: Any = features.supported()
    assert listed["enabled"] is True
    for action in listed["actions"]:
        compiled(rule("mkdir", action), default="SCMP_ACT_TRACE")
    for name in listed["operators"]:
        compiled(rule("read", "SCMP_ACT_ERRNO", arg(0, name.removeprefix("SCMP_CMP_"), 1)))
    compile_profile(ALLOWING | {"flags": listed["knownFlags"]})
    assert set(listed["supportedFlags"]) <= set(listed["knownFlags"])
    for name in listed["archs"]:
        compile_profile(ALLOWING | {"architectures": [name]})
    assert {"SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32"} <= set(listed["archs"])
