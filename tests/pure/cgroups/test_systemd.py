"""The systemd driver's decisions: names, properties, annotations."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from stave.cgroups.systemd import properties, units, variant
from stave.cgroups.systemd.plan import plan_scope
from stave.cgroups.systemd.properties import INFINITY, annotated, device_list, limits, unset
from stave.cgroups.systemd.units import scope_of, slice_path
from stave.cgroups.systemd.variant import parse
from stave.errors import ConfigError
from stave.host.facts import CgroupLayout

V2 = CgroupLayout("/cg", {})
HYBRID = CgroupLayout("/cg/unified", {"memory": "/cg/memory", "name=systemd": "/cg/systemd"})


@pytest.mark.parametrize("module", [properties, units, variant])
def test_examples(module: object) -> None:
    """The examples in the docstrings are true."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "rootless", "expected"),
    [
        ("", False, ("system.slice", "stave-c.scope")),
        ("::name", False, ("system.slice", "name.scope")),
        ("::name", True, ("user.slice", "name.scope")),
        ("a-b.slice:libpod:x", False, ("a-b.slice", "libpod-x.scope")),
        ("-.slice:p:n", False, ("-.slice", "p-n.scope")),
    ],
)
def test_scopes(path: str, rootless: bool, expected: tuple[str, str]) -> None:
    """slice, prefix and name, each with its default."""
    assert scope_of(path, "c", rootless) == expected


@pytest.mark.parametrize(
    "path",
    [
        *("/a/b", "a.slice:b", "a.slice:b:c:d", "a.slice:b:", "a.slice::x.slice", "a:b:c", ".slice:b:c"),
        *(
            "a--b.slice:c:d",
            "a-.slice:c:d",
            "-a.slice:c:d",
            "a/b.slice:c:d",
            "a.slice:c:../d",
            "a.slice:c:d\n",
        ),
        "a.slice:p:" + "n" * 250,
    ],
)
def test_no_scopes(path: str) -> None:
    """Whatever systemd would refuse, or would lead out of the slice, is refused by its property."""
    with pytest.raises(ConfigError, match="linux.cgroupsPath"):
        scope_of(path, "c", False)


def test_slice_of_slices() -> None:
    """Each dash is a level."""
    assert slice_path("a-b-c.slice") == "/a.slice/a-b.slice/a-b-c.slice"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", ("b", True)),
        ("-7", ("i", -7)),
        ("uint64 18446744073709551615", ("t", 2**64 - 1)),
        ("byte 255", ("y", 255)),
        ("1.5", ("d", 1.5)),
        ("double 2", ("d", 2.0)),
        (r"'it\'s'", ("s", "it's")),
        ('"a,b"', ("s", "a,b")),
        ("['a', 'b']", ("as", ["a", "b"])),
        ("[('/dev/x', uint64 5)]", ("a(st)", [("/dev/x", 5)])),
        (" [ 1 , 2 ] ", ("ai", [1, 2])),
    ],
)
def test_values(text: str, expected: tuple[str, Any]) -> None:
    """The forms that are needed."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "yes",
            "'open",
            "[1",
            "[]",
            "()",
            "[1, 'a']",
            "1 2",
            "uint64 -1",
            "byte 256",
            "2147483648",
            "@as []",
        ),
        *(
            "{'a': 1}",
            "<1>",
            "'\\x41'",
            "1e5",
            "uint64",
            "--5",
            "٣",
            "[" * 20 + "1" + "]" * 20,
            "'" + "a" * 5000 + "'",
        ),
        *("1.5.2", ".5", "1,", "[,1]", "nothing", "'a\0b'"),
    ],
)
def test_no_values(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError):
        parse(text)


def test_limits_on_v2() -> None:
    """Each limit that systemd has a property for; what has none is for the files."""
    resources: Any = {
        "memory": {"limit": 1000, "reservation": 500, "swap": 3000},
        "cpu": {"shares": 1024, "quota": 5000, "period": 30000, "cpus": "0-2", "mems": "1", "burst": 1},
        "pids": {"limit": 0},
        "blockIO": {"weight": 10, "throttleReadBpsDevice": [{"major": 8, "minor": 1, "rate": 7}]},
        "unified": {
            "memory.high": "900",
            "cpu.max": "max 200000",
            "pids.max": "max",
            "memory.oom.group": "1",
        },
    }
    found = limits(resources, True)
    assert found == [
        ("MemoryMax", ("t", 1000)),
        ("MemoryLow", ("t", 500)),
        ("MemorySwapMax", ("t", 2000)),
        ("CPUWeight", ("t", 100)),
        ("CPUQuotaPeriodUSec", ("t", 30000)),
        ("CPUQuotaPerSecUSec", ("t", 170000)),  # a sixth, rounded up to hundredths
        ("AllowedCPUs", ("ay", b"\x07")),
        ("AllowedMemoryNodes", ("ay", b"\x02")),
        ("TasksMax", ("t", 0)),
        ("IOWeight", ("t", 1)),
        ("IOReadBandwidthMax", ("a(st)", [("/dev/block/8:1", 7)])),
        ("MemoryHigh", ("t", 900)),
        ("CPUQuotaPerSecUSec", ("t", INFINITY)),
        ("TasksMax", ("t", INFINITY)),
        ("OOMPolicy", ("s", "kill")),
    ]
    assert unset(found[:1] + found[6:7] + found[10:11]) == [
        ("MemoryMax", ("t", INFINITY)),
        ("AllowedCPUs", ("ay", b"")),
        ("IOReadBandwidthMax", ("a(st)", [])),
    ]


def test_limits_on_v1() -> None:
    """systemd has other names for them, and fewer."""
    resources: Any = {"memory": {"limit": -1, "reservation": 5}, "cpu": {"shares": 2, "cpus": "0"}}
    assert limits(resources, False) == [("MemoryLimit", ("t", INFINITY)), ("CPUShares", ("t", 2))]


def test_annotations() -> None:
    """Seconds become microseconds; other annotations are none of systemd's."""
    found = annotated(
        {
            "org.systemd.property.TimeoutStopSec": "1.5",
            "org.systemd.property.CollectMode": "'inactive-or-failed'",
            "org.example": "x",
        }
    )
    assert found == [("TimeoutStopUSec", ("t", 1500000)), ("CollectMode", ("s", "inactive-or-failed"))]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Exec Start", "1"),
        ("", "1"),
        ("A", "1"),
        ("CollectMode", "inactive"),
        ("TimeoutStopSec", "'1'"),
        ("XSec", "-1"),
    ],
)
def test_bad_annotations(name: str, value: str) -> None:
    """The annotation is named."""
    with pytest.raises(ConfigError, match="org.systemd.property"):
        annotated({f"org.systemd.property.{name}": value})


def config(**resources: Any) -> Any:
    """A configuration with these limits, in a scope."""
    return {"linux": {"cgroupsPath": "m-n.slice:p:c", "resources": resources}, "annotations": {}}


def test_plan_on_v2() -> None:
    """systemd makes the group when the process is there; then the files get their values, without any move."""
    plan = plan_scope(config(pids={"limit": 5}), "c", V2, rootless=False, manager_group="")
    path = "/cg/m.slice/m-n.slice/p-c.scope"
    assert plan.paths == {"": path}
    assert (plan.setup, plan.join, plan.scope) == ([], [], "p-c.scope")
    assert [each.name for each in plan.late] == ["start_scope", "attach_device_filter", "write_cgroup"]
    assert plan.late[0].arguments[:2] == ("p-c.scope", False)
    assert ("TasksMax", ("t", 5)) in plan.late[0].arguments[2]
    assert plan.late[2].arguments == (f"{path}/pids.max", "5")


def test_plan_as_a_user() -> None:
    """The scope lies below the group of the user's own systemd; device rules are left out."""
    plan = plan_scope(config(), "c", V2, rootless=True, manager_group="/user.slice/u.service")
    assert plan.paths == {"": "/cg/user.slice/u.service/m.slice/m-n.slice/p-c.scope"}
    assert [each.name for each in plan.late] == ["start_scope"]
    assert plan.late[0].arguments[1] is True


def test_plan_on_v1() -> None:
    """The controllers' groups are the runtime's to make, systemd's own is not; the process joins them all."""
    plan = plan_scope(config(memory={"limit": 1 << 20}), "c", HYBRID, rootless=False, manager_group="")
    made = [each.arguments[0] for each in plan.setup if each.name == "make_cgroup"]
    assert made == ["/cg/memory/m.slice/m-n.slice/p-c.scope"]
    assert [each.name for each in plan.setup] == ["make_cgroup"]
    assert [each.name for each in plan.late] == ["start_scope", "write_cgroup"]
    assert len(plan.join) == 2


def test_devices_on_v1() -> None:
    """systemd has the list of what is allowed; what it has no word for is denied, not allowed."""
    rules: list[Any] = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": True, "type": "b", "major": 8, "access": "r"},
        {"allow": True, "type": "c", "minor": 7, "access": "rwm"},
    ]
    policy, (name, (kind, entries)) = device_list(rules)
    assert (policy, name, kind) == (("DevicePolicy", ("s", "strict")), "DeviceAllow", "a(ss)")
    assert entries[:2] == [("/dev/char/10:229", "rw"), ("block-8", "r")]
    assert (
        ("char-*", "m") in entries and ("char-136", "rwm") in entries and ("/dev/char/1:3", "rwm") in entries
    )
    assert not any(path.endswith(":7") and not path.endswith("1:7") for path, _ in entries)
    everything: list[Any] = [{"allow": True, "access": "rwm"}]
    assert device_list(everything)[1][1][1] == [("char-*", "rwm"), ("block-*", "rwm")]
    with pytest.raises(ConfigError, match="linux.resources.devices"):
        device_list([*everything, {"allow": False, "type": "c", "major": 10, "minor": 229, "access": "rwm"}])
