"""The prefix that answers newer system calls with ENOSYS."""

from __future__ import annotations

import errno

import pytest

from stave.seccomp.enosys import X32, enosys_prefix

from .bpf import ALLOW, ARM, ERRNO, I386, X32_BIT, X86_64, decide

ENOSYS = ERRNO | errno.ENOSYS
FILTER = b"\x06\0\0\0" + ALLOW.to_bytes(4, "little")  # stands for what follows the prefix

MENTIONED = {X86_64: [0, 435, -1], I386: [1, 441, -10105], X32: [X32_BIT, X32_BIT + 547]}


@pytest.mark.parametrize(
    ("arch", "number", "expected"),
    [
        (X86_64, 0, ALLOW),
        (X86_64, 435, ALLOW),
        (X86_64, 436, ENOSYS),
        (X86_64, X32_BIT - 1, ENOSYS),
        (X86_64, X32_BIT, ALLOW),
        (X86_64, X32_BIT + 547, ALLOW),
        (X86_64, X32_BIT + 548, ENOSYS),
        (X86_64, 0xFFFF_FFFF, ENOSYS),
        (I386, 441, ALLOW),
        (I386, 442, ENOSYS),
        (ARM, 9999, ALLOW),
    ],
)
def test_each_architecture_has_its_own_limit(arch: int, number: int, expected: int) -> None:
    """A number above the highest of its architecture gets ENOSYS, any other reaches the filter."""
    assert decide(enosys_prefix(MENTIONED) + FILTER, number, arch=arch) == expected


@pytest.mark.parametrize("first", [X86_64, I386, X32])
def test_order_of_architectures_does_not_matter(first: int) -> None:
    """The same verdicts come out whichever architecture is given first."""
    program = enosys_prefix({first: MENTIONED[first], **MENTIONED}) + FILTER
    assert decide(program, 436) == ENOSYS
    assert decide(program, 442, arch=I386) == ENOSYS
    assert decide(program, 1, arch=I386) == decide(program, 1, arch=ARM) == ALLOW
    # The x32 number that equals another architecture's token.
    assert decide(program, I386) == ALLOW


def test_x32_numbers_reach_the_filter_if_x32_is_not_listed() -> None:
    """Without x32 in the profile its system calls are left to the filter, which refuses them as foreign."""
    prefix = enosys_prefix({X86_64: [1]})
    assert decide(prefix + FILTER, X32_BIT + 5) == ALLOW
    assert decide(prefix + FILTER, 2) == ENOSYS


def test_private_numbers_of_arm_are_not_its_newest() -> None:
    """On ARM a mention of set_tls (0xf0005) does not make every number below it a known one."""
    prefix = enosys_prefix({ARM: [400, 0xF0005]})
    assert decide(prefix + FILTER, 401, arch=ARM) == ENOSYS
    assert decide(prefix + FILTER, 0xF0005, arch=ARM) == ALLOW


@pytest.mark.parametrize("numbers", [{}, {X86_64: []}, {I386: [-1, -10105]}])
def test_no_prefix_without_system_calls(numbers: dict[int, list[int]]) -> None:
    """A profile that mentions no system call of an architecture says nothing of its age."""
    assert enosys_prefix(numbers) == b""
