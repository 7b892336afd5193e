"""What a profile decides for one system call, as `stave explain --seccomp` says it."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stave.cli.main import execute
from stave.errors import Error

from . import bpf

pytest.importorskip("stave.seccomp._libseccomp", reason="the libseccomp module is not built")

from stave.seccomp.decide import decide
from stave.seccomp.explain import as_text, explain_syscall
from stave.seccomp.profile import compile_profile

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="uses system call numbers of x86_64")


def condition(op: str, value: int, index: int = 0, **more: int) -> dict[str, Any]:
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, **more}


PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    "syscalls": [
        {"names": ["read", "clone3"], "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [condition("MASKED_EQ", 0x7E02_0000, valueTwo=0)],
        },
        {
            "names": ["personality"],
            "action": "SCMP_ACT_ALLOW",
            "args": [condition("EQ", 0), condition("EQ", 8)],
        },
        {
            "names": ["mmap"],
            "action": "SCMP_ACT_KILL_PROCESS",
            "args": [condition("GT", 1 << 40, 1), condition("LE", 3, 2)],
        },
        {"names": ["getppid"], "action": "SCMP_ACT_TRACE", "errnoRet": 7},
    ],
}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("read", "read is 0\n  SCMP_ACT_ALLOW (linux.seccomp.syscalls[0])\n"),
        (
            "clone",
            "clone is 56\n"
            "  SCMP_ACT_ALLOW if argument 0 & 0x7e020000 == 0x0 (linux.seccomp.syscalls[1])\n"
            "  SCMP_ACT_ERRNO 1 EPERM otherwise (linux.seccomp.defaultAction)\n",
        ),
        (
            "personality",
            "personality is 135\n"
            "  SCMP_ACT_ALLOW if argument 0 == 0x0 (linux.seccomp.syscalls[2])\n"
            "  SCMP_ACT_ALLOW if argument 0 == 0x8 (linux.seccomp.syscalls[2])\n"
            "  SCMP_ACT_ERRNO 1 EPERM otherwise (linux.seccomp.defaultAction)\n",
        ),
        (
            "mmap",
            "mmap is 9\n"
            "  SCMP_ACT_KILL_PROCESS if argument 1 > 0x10000000000 and argument 2 <= 0x3 (linux.seccomp.syscalls[3])\n"
            "  SCMP_ACT_ERRNO 1 EPERM otherwise (linux.seccomp.defaultAction)\n",
        ),
        ("getppid", "getppid is 110\n  SCMP_ACT_TRACE 7 (linux.seccomp.syscalls[4])\n"),
        ("mount", "mount is 165\n  SCMP_ACT_ERRNO 1 EPERM (linux.seccomp.defaultAction)\n"),
        (
            "openat2",
            "openat2 is 437\n"
            "  SCMP_ACT_ERRNO 38 ENOSYS (it is newer than every system call that the profile names)\n",
        ),
        (
            "600",
            "600\n  SCMP_ACT_ERRNO 38 ENOSYS (it is newer than every system call that the profile names)\n",
        ),
        ("165", "165\n  SCMP_ACT_ERRNO 1 EPERM (linux.seccomp.defaultAction)\n"),
    ],
)
def test_cases(name: str, said: str) -> None:
    """Each case of the rules, with the filter's answer and its reason; what is newer than the profile has its own."""
    assert as_text(explain_syscall(PROFILE, name)[:1], name) == f"SCMP_ARCH_X86_64: {said}"


def test_architectures() -> None:
    """A number per architecture; what the profile doesn't list is killed; some have no such system call."""
    own, other, rest = explain_syscall(PROFILE, "read")
    assert (own["architecture"], own["number"]) == ("SCMP_ARCH_X86_64", 0)
    assert (other["architecture"], other["number"]) == ("SCMP_ARCH_X86", 3)
    assert rest["cases"][0]["action"] == "SCMP_ACT_KILL_THREAD"
    said = as_text(explain_syscall(PROFILE, "_llseek"), "_llseek").splitlines()
    assert said[0] == "SCMP_ARCH_X86_64: has no _llseek of its own"
    assert said[1] == "SCMP_ARCH_X86: _llseek is 140"


def test_rule_without_effect() -> None:
    """The answer is that of the filter, not of the rule: one for all arguments leaves none to a narrower one."""
    rules = [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["read"], "action": "SCMP_ACT_KILL_PROCESS", "args": [condition("EQ", 3)]},
    ]
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}
    narrow, wide = explain_syscall(profile, "read")[0]["cases"]
    answered = bpf.decide(compile_profile(profile)[0], 0, 3)
    assert narrow["action"] == ("SCMP_ACT_ALLOW" if answered == bpf.ALLOW else "SCMP_ACT_KILL_PROCESS")
    assert (wide["action"], wide["reason"]) == ("SCMP_ACT_ALLOW", "linux.seccomp.syscalls[0]")


@given(
    number=st.integers(0, 500),
    arguments=st.lists(st.integers(0, (1 << 64) - 1), min_size=6, max_size=6),
    arch=st.sampled_from([bpf.X86_64, bpf.I386, bpf.ARM]),
)
def test_filter_is_read_as_the_kernel_does(number: int, arguments: list[int], arch: int) -> None:
    """The answer to any system call is that of a second reading of the same filter."""
    assert decide(FILTER, arch, number, arguments) == bpf.decide(FILTER, number, *arguments, arch=arch)


FILTER = compile_profile(PROFILE)[0]


def test_unknown_name() -> None:
    """A name that libseccomp does not know is an error."""
    with pytest.raises(Error, match="libseccomp knows no system call nosuch"):
        explain_syscall(PROFILE, "nosuch")


def test_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`explain --seccomp` prints it, also in JSON; without a profile there is nothing to explain."""
    assert execute(["spec", "--bundle", str(tmp_path)]) == 0
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    assert execute(["explain", "--seccomp", "read", str(tmp_path)]) == 1
    assert "every system call is allowed" in capfd.readouterr().err
    config["linux"]["seccomp"] = PROFILE
    file.write_text(json.dumps(config))
    assert execute(["explain", "--seccomp", "read", str(tmp_path)]) == 0
    assert capfd.readouterr().out == as_text(explain_syscall(PROFILE, "read"), "read")
    assert execute(["explain", "--json", "--seccomp=read", str(tmp_path)]) == 0
    assert json.loads(capfd.readouterr().out) == explain_syscall(PROFILE, "read")
