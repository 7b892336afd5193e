"""Capabilities: names to bit masks that the kernel accepts."""

from __future__ import annotations

from typing import Any

import pytest

from stave.host.facts import Facts
from stave.plan.capabilities import NAMES, NUMBERS, resolve, text

from .planning import V2, create, make_config, make_process, one

ALL = (1 << 41) - 1
SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


def bits(*words: str) -> int:
    """The mask of these capabilities, without "CAP_"."""
    return sum(1 << NUMBERS[f"CAP_{word}"] for word in words)


def resolved(
    sets: dict[str, list[str]], user_namespace: bool = False, **facts: int
) -> tuple[dict[str, int], list[str]]:
    """The five masks by name, and the warnings. Names are given without "CAP_"."""
    warnings: list[str] = []
    full = {key: [f"CAP_{name}" for name in names] for key, names in sets.items()}
    result = resolve(full, Facts(V2, **facts), user_namespace, warnings)  # type: ignore[arg-type]
    return {name: getattr(result, name) for name in SETS}, warnings


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("CAP_CHOWN", 0), ("CAP_KILL", 5), ("CAP_SETPCAP", 8), ("CAP_NET_BIND_SERVICE", 10),
        ("CAP_NET_ADMIN", 12), ("CAP_SYS_CHROOT", 18), ("CAP_SYS_ADMIN", 21), ("CAP_MKNOD", 27),
        ("CAP_AUDIT_WRITE", 29), ("CAP_SETFCAP", 31), ("CAP_SYSLOG", 34), ("CAP_AUDIT_READ", 37), ("CAP_BPF", 39),
        ("CAP_CHECKPOINT_RESTORE", 40),
    ],
)  # fmt: skip
def test_numbers(name: str, number: int) -> None:
    """Names have the numbers of linux/capability.h."""
    assert NUMBERS[name] == number


def test_all_are_known() -> None:
    """There are 41, none twice."""
    assert len(set(NAMES)) == 41


@pytest.mark.parametrize("name", NAMES)
def test_each_in_all_sets(name: str) -> None:
    """Every capability can be in every set."""
    word = name.removeprefix("CAP_")
    masks, warnings = resolved({key: [word] for key in SETS})
    assert set(masks.values()) == {1 << NUMBERS[name]}
    assert warnings == []


def test_none() -> None:
    """Without process.capabilities there are none, for root as well."""
    assert resolved({}) == (dict.fromkeys(SETS, 0), [])


def test_sets_are_independent() -> None:
    """What is in one set only is in that set only."""
    masks, warnings = resolved(
        {"bounding": ["KILL", "CHOWN"], "permitted": ["KILL", "MKNOD"], "effective": ["KILL"]}
    )
    assert masks == {
        "bounding": bits("KILL", "CHOWN"),
        "effective": bits("KILL"),
        "permitted": bits("KILL", "MKNOD"),
        "inheritable": 0,
        "ambient": 0,
    }
    assert warnings == []


@pytest.mark.parametrize(
    ("sets", "left_out", "reason"),
    [
        ({"effective": ["KILL"]}, "effective", "CAP_KILL: not permitted"),
        ({"inheritable": ["KILL"]}, "inheritable", "CAP_KILL: not in the bounding set"),
        ({"ambient": ["KILL"], "permitted": ["KILL"]}, "ambient", "CAP_KILL: not permitted and inheritable"),
        (
            {"ambient": ["KILL"], "inheritable": ["KILL"], "bounding": ["KILL"]},
            "ambient",
            "CAP_KILL: not permitted and inheritable",
        ),
    ],
)
def test_what_the_kernel_refuses(sets: dict[str, list[str]], left_out: str, reason: str) -> None:
    """A capability that capset(2) or prctl(2) would refuse is left out with a warning that says why."""
    masks, warnings = resolved(sets)
    assert masks[left_out] == 0
    assert warnings == [f"process.capabilities.{left_out}: left out {reason}"]


@pytest.mark.parametrize("name", ["CAP_TEST", "KILL", "cap_kill", ""])
def test_unknown(name: str) -> None:
    """A name that is no capability is left out with one warning, however many sets have it.

    Spec: config.md#linux-process
    """
    warnings: list[str] = []
    result = resolve(
        {"bounding": [name, "CAP_KILL"], "permitted": [name], "effective": [name]}, Facts(V2), False, warnings
    )
    assert result.bounding == bits("KILL")
    assert warnings == [f"process.capabilities: left out {name}: unknown to this kernel"]


def test_older_kernel() -> None:
    """What came after the running kernel is left out."""
    masks, warnings = resolved({"bounding": ["AUDIT_READ", "BPF"]}, last_capability=37)
    assert masks["bounding"] == bits("AUDIT_READ")
    assert warnings == ["process.capabilities: left out CAP_BPF: unknown to this kernel"]


def test_not_held() -> None:
    """What the runtime lacks itself is left out of every set."""
    sets = {key: ["KILL", "SYS_RESOURCE"] for key in SETS}
    masks, warnings = resolved(sets, held_capabilities=ALL & ~bits("SYS_RESOURCE"))
    assert set(masks.values()) == {bits("KILL")}
    assert warnings == ["process.capabilities: left out CAP_SYS_RESOURCE: not held by the runtime"]


def test_user_namespace() -> None:
    """In a user namespace everything can be granted, whatever the runtime holds outside."""
    masks, warnings = resolved({"bounding": ["SYS_ADMIN"]}, user_namespace=True, held_capabilities=0)
    assert masks["bounding"] == bits("SYS_ADMIN")
    assert warnings == []


def test_text() -> None:
    """Masks are shown as names."""
    assert text(bits("CHOWN", "KILL")) == "CAP_CHOWN CAP_KILL"
    assert text(0) == "none"


def plan_capabilities(**sets: list[str]) -> Any:
    """The plan of a container with these sets."""
    return create(make_config(process=make_process(capabilities=sets)))


def test_operations() -> None:
    """Each set goes where it takes effect; the change of user leaves the final effective set in force."""
    plan = plan_capabilities(
        bounding=["CAP_KILL", "CAP_CHOWN"],
        permitted=["CAP_KILL", "CAP_CHOWN"],
        effective=["CAP_CHOWN"],
        inheritable=["CAP_KILL"],
        ambient=["CAP_KILL"],
    )
    both, kill, chown = bits("KILL", "CHOWN"), bits("KILL"), bits("CHOWN")
    assert one(plan, "limit_bounding") == (both,)
    assert one(plan, "set_user")[4] == chown
    assert one(plan, "raise_ambient") == (kill, kill)
    assert one(plan, "set_capabilities") == (chown, both, kill)


def test_warnings_reach_the_plan() -> None:
    """The caller gets them with the Program."""
    assert plan_capabilities(bounding=["CAP_TEST"]).warnings == [
        "process.capabilities: left out CAP_TEST: unknown to this kernel"
    ]


def test_inheritable_is_empty_unless_asked_for() -> None:
    """No file can bring capabilities back (CVE-2022-29162)."""
    plan = plan_capabilities(bounding=["CAP_KILL"], permitted=["CAP_KILL"], effective=["CAP_KILL"])
    assert one(plan, "set_capabilities")[2] == 0
    assert one(plan, "raise_ambient") == (0, 0)
