"""Changing limits in use: what is merged, written, in which order, and what brings it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stave.cgroups.plan import plan_limits
from stave.cgroups.update import (
    Write,
    carry_out,
    check_usage,
    merge,
    order,
    read_current,
    select,
    undo_value,
)
from stave.errors import ConfigError, Error, KernelError
from stave.host.facts import CgroupLayout
from stave.plan.program import Operation

from .layouts import V1_FULL, V2

RULE = {"allow": True, "type": "c", "major": 9, "minor": 9}


@pytest.mark.parametrize(
    ("old", "changes", "merged"),
    [
        ({}, {"memory": {"limit": 5}}, {"memory": {"limit": 5}}),
        (
            {"memory": {"limit": 5, "swap": 9}, "pids": {"limit": 7}},
            {"memory": {"limit": 6}},
            {"memory": {"limit": 6, "swap": 9}, "pids": {"limit": 7}},
        ),
        # What engines send for "unchanged".
        (
            {"memory": {"limit": 5}, "cpu": {"shares": 3, "cpus": "0"}},
            {"memory": {"limit": 0}, "cpu": {"shares": 0, "cpus": ""}},
            {"memory": {"limit": 5}, "cpu": {"shares": 3, "cpus": "0"}},
        ),
        (
            {"pids": {"limit": 5}, "cpu": {"idle": 1, "burst": 5}, "memory": {"swappiness": 9}},
            {"pids": {"limit": 0}, "cpu": {"idle": 0, "burst": 0}, "memory": {"swappiness": 0}},
            {"pids": {"limit": 0}, "cpu": {"idle": 0, "burst": 0}, "memory": {"swappiness": 0}},
        ),
        ({"devices": [RULE]}, {"devices": [dict(RULE, allow=False)]}, {"devices": [RULE]}),
        ({}, {"devices": [RULE]}, {}),
        (
            {"memory": {"limit": 5, "swap": 9}},
            {"memory": {"limit": -1}},
            {"memory": {"limit": -1, "swap": -1}},
        ),
        ({"memory": {"limit": 5}}, {"memory": {"limit": -1}}, {"memory": {"limit": -1}}),
        (
            {"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}]}},
            {
                "blockIO": {
                    "throttleReadBpsDevice": [
                        {"major": 8, "minor": 16, "rate": 6},
                        {"major": 8, "minor": 0, "rate": 7},
                    ]
                }
            },
            {
                "blockIO": {
                    "throttleReadBpsDevice": [
                        {"major": 8, "minor": 0, "rate": 7},
                        {"major": 8, "minor": 16, "rate": 6},
                    ]
                }
            },
        ),
        (
            {"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]},
            {"hugepageLimits": [{"pageSize": "1GB", "limit": 2}, {"pageSize": "2MB", "limit": 3}]},
            {"hugepageLimits": [{"pageSize": "2MB", "limit": 3}, {"pageSize": "1GB", "limit": 2}]},
        ),
        (
            {"network": {"priorities": [{"name": "eth0", "priority": 1}]}},
            {"network": {"classID": 4, "priorities": [{"name": "eth0", "priority": 2}]}},
            {"network": {"classID": 4, "priorities": [{"name": "eth0", "priority": 2}]}},
        ),
        (
            {"rdma": {"mlx": {"hcaHandles": 1}}, "unified": {"memory.high": "5"}},
            {"rdma": {"mlx": {"hcaObjects": 2}}, "unified": {"memory.min": "6"}},
            {
                "rdma": {"mlx": {"hcaHandles": 1, "hcaObjects": 2}},
                "unified": {"memory.high": "5", "memory.min": "6"},
            },
        ),
    ],
)
def test_merge(old: Any, changes: Any, merged: Any) -> None:
    """Changes win, what they leave out stays, zeros that mean "unchanged" do not count; nothing is edited."""
    before = repr((old, changes))
    assert merge(old, changes) == merged
    assert repr((old, changes)) == before


def selected(old: Any, changes: Any, layout: CgroupLayout) -> list[tuple[str, Any]]:
    """Name (of the file, or of another operation) and value of what an update does."""
    paths = {"": "/cg/web"} if layout.is_v2 else {name: f"{at}/web" for name, at in layout.v1.items()}
    plans = [plan_limits(resources, paths, layout) for resources in (old, merge(old, changes))]
    found = []
    for operation in select(plans[0], plans[1], changes):
        first, value = operation.arguments
        name = first[0] if isinstance(first, list) else first
        is_write = operation.name.startswith("write")
        found.append((name.rpartition("/")[2] if is_write else operation.name, value))
    return found


MEMORY = {"memory": {"limit": 5, "swap": 9}}


@pytest.mark.parametrize(
    ("old", "changes", "expected"),
    [
        (MEMORY, {"memory": {"limit": 6}}, [("memory.limit_in_bytes", "6")]),
        (MEMORY, {"memory": {"limit": 5}}, [("memory.limit_in_bytes", "5")]),
        (MEMORY, {"memory": {"limit": 0}, "pids": {"limit": 0}}, [("pids.max", "0")]),
        (MEMORY, {"devices": [RULE]}, []),
        (
            {"cpu": {"shares": 5, "idle": 1}},
            {"cpu": {"idle": 0}},
            [("cpu.shares", "5"), ("cpu.idle", "0")],
        ),
        (
            {"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}]}},
            {"blockIO": {"throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 6}]}},
            [("blkio.throttle.write_bps_device", "8:0 6")],
        ),
        ({}, {"rdma": {"mlx": {"hcaHandles": 1}}}, [("rdma.max", "mlx hca_handle=1")]),
    ],
)
def test_what_is_written_to_v1(old: Any, changes: Any, expected: list[tuple[str, Any]]) -> None:
    """What differs, and what was asked for; nothing else."""
    assert selected(old, changes, V1_FULL) == expected


@pytest.mark.parametrize(
    ("old", "changes", "expected"),
    [
        (MEMORY, {"memory": {"limit": 6}}, [("memory.swap.max", ["3"]), ("memory.max", "6")]),
        ({"cpu": {"quota": 5, "period": 9}}, {"cpu": {"quota": 6}}, [("cpu.max", "6 9")]),
        ({"cpu": {"quota": 5, "period": 9}}, {"cpu": {"period": 9}}, [("cpu.max", "5 9")]),
        ({"unified": {"memory.high": "5"}}, {"unified": {"memory.high": "5"}}, [("memory.high", "5")]),
    ],
)
def test_what_is_written_to_v2(old: Any, changes: Any, expected: list[tuple[str, Any]]) -> None:
    """The same, where properties share files."""
    assert selected(old, changes, V2) == [*expected]


def test_a_controller_that_was_not_needed() -> None:
    """One that the old limits did without is enabled first; the others are left alone."""
    found = selected({}, {"pids": {"limit": 1}}, V2)
    assert [name for name, _ in found] == ["enable_controllers", "pids.max"]
    assert "+pids" in found[0][1]
    assert selected({"pids": {"limit": 2}}, {"pids": {"limit": 1}}, V2) == [("pids.max", "1")]


def named(*writes: tuple[str, str, str | None]) -> list[str]:
    """The files of these writes (file, value, content before) in the order in which they are done."""
    return [each.file for each in order([Write(file, value, "", before) for file, value, before in writes])]


LIMIT, SWAP = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
PERIOD, QUOTA, BURST = "cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.cfs_burst_us"


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        # The limit must not pass the one of memory and swap, on the way up or down.
        ([(LIMIT, "50", "10"), (SWAP, "60", "20")], [SWAP, LIMIT]),
        ([(LIMIT, "-1", "10"), (SWAP, "-1", "20")], [SWAP, LIMIT]),
        ([(LIMIT, "5", "10"), (SWAP, "6", "20")], [LIMIT, SWAP]),
        ([(LIMIT, "15", "10"), (SWAP, "30", "20")], [LIMIT, SWAP]),
        ([(LIMIT, "5", "9223372036854771712"), (SWAP, "6", "9223372036854771712")], [LIMIT, SWAP]),
        # The share of CPU time in between is never above both the old one and the new one.
        ([(PERIOD, "20", "10"), (QUOTA, "10", "5")], [PERIOD, QUOTA]),
        ([(PERIOD, "10", "20"), (QUOTA, "5", "10")], [QUOTA, PERIOD]),
        # The burst must not pass the quota.
        ([(QUOTA, "50", "10"), (BURST, "40", "5")], [QUOTA, BURST]),
        ([(QUOTA, "10", "50"), (BURST, "5", "40")], [BURST, QUOTA]),
        ([(PERIOD, "10", "20"), (QUOTA, "10", "50"), (BURST, "5", "40")], [BURST, QUOTA, PERIOD]),
        ([("cpu.max", "10 100", "50 100"), ("cpu.max.burst", "5", "40")], ["cpu.max.burst", "cpu.max"]),
        ([("cpu.max", "max 100", "50 100"), ("cpu.max.burst", "5", "40")], ["cpu.max", "cpu.max.burst"]),
        # An idle group takes no weight, and forgets the one it had.
        ([("cpu.shares", "5", "3"), ("cpu.idle", "0", "1")], ["cpu.idle", "cpu.shares"]),
        ([("cpu.shares", "5", "1024"), ("cpu.idle", "1", "0")], ["cpu.shares", "cpu.idle"]),
        ([("cpu.weight", "5", "1"), ("cpu.idle", "1", "1")], ["cpu.idle"]),
        (
            [("cpu.rt_period_us", "10", "100"), ("cpu.rt_runtime_us", "5", "50")],
            ["cpu.rt_runtime_us", "cpu.rt_period_us"],
        ),
        (
            [("cpu.rt_period_us", "100", "10"), ("cpu.rt_runtime_us", "50", "5")],
            ["cpu.rt_period_us", "cpu.rt_runtime_us"],
        ),
        ([("a", "1", None), (SWAP, "5", None), ("b", "2", None)], ["a", SWAP, "b"]),
    ],
)
def test_order(writes: list[tuple[str, str, str | None]], expected: list[str]) -> None:
    """The kernel never sees values that contradict each other."""
    assert named(*writes) == expected


@pytest.mark.parametrize(
    ("file", "value", "before", "undo"),
    [
        ("pids.max", "5", "max\n", "max"),
        ("cpu.max", "5 100", "max 100000\n", "max 100000"),
        ("cpuset.cpus", "0", "\n", "\n"),
        ("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", "0"),
        ("blkio.throttle.read_bps_device", "8:0 5", "8:16 3\n8:0 4\n", "8:0 4"),
        ("blkio.throttle.read_bps_device", "8:0 5", "", "8:0 0"),
        ("io.max", "8:0 rbps=5", "", "8:0 rbps=max wbps=max riops=max wiops=max"),
        ("io.max", "8:0 rbps=5", "8:0 rbps=3 wbps=max\n8:16 rbps=1\n", "8:0 rbps=3 wbps=max"),
        ("io.weight", "8:0 5", "default 100\n", "8:0 default"),
        ("io.weight", "5", "default 100\n", "default 100"),
        (
            "rdma.max",
            "mlx hca_handle=1",
            "mlx hca_handle=max hca_object=7\n",
            "mlx hca_handle=max hca_object=7",
        ),
        ("memory.reclaim", "5", None, None),
    ],
)
def test_undo(file: str, value: str, before: str | None, undo: str | None) -> None:
    """What was there before can be written again, entry by entry where a file holds several."""
    assert undo_value(Write(f"/cg/{file}", value, "", before)) == undo


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """A directory that stands for a group."""
    for name, content in (("pids.max", "7\n"), ("memory.current", "500\n"), ("memory.swap.current", "100\n")):
        (tmp_path / name).write_text(content)
    return tmp_path


def operation(group: Path, file: str, value: str) -> Operation:
    """A write to a file of the group."""
    return Operation("write_cgroup", f"/linux/resources/{file}", (f"{group}/{file}", value))


def test_a_missing_file_comes_first(group: Path) -> None:
    """Where one file is not there, none is written; the error has the property and the file."""
    with pytest.raises(KernelError, match="linux.resources.none: write '1' to .*/none .*No such file"):
        read_current([operation(group, "pids.max", "9"), operation(group, "none", "1")])
    assert (group / "pids.max").read_text() == "7\n"


def test_a_choice_of_files(group: Path) -> None:
    """The first file that is there is the one, or none where that is allowed."""
    files = [f"{group}/none", f"{group}/pids.max"]
    (write,) = read_current([Operation("write_cgroup_first", "", (files, ["1", "2"]))])
    assert (write.file, write.value, write.before) == (f"{group}/pids.max", "2", "7\n")
    assert read_current([Operation("write_cgroup_first", "", ([f"{group}/none", ""], ["1", "1"]))]) == []


def test_all_or_nothing(group: Path) -> None:
    """After a failure the files hold what they held before; what cannot be set back is named."""
    writes = read_current([operation(group, "pids.max", "9")])
    broken = Write(f"{group}/gone/x", "1", "/linux/resources/x", None)
    with pytest.raises(KernelError, match="linux.resources.x: write '1' to .*/gone/x"):
        carry_out([*writes, broken])
    assert (group / "pids.max").read_text().startswith("7")
    writes[0].before = None
    with pytest.raises(Error, match=r"/pids.max could not be set back after: linux.resources.x: .*No such"):
        carry_out([*writes, broken])


@pytest.mark.parametrize(
    ("memory", "allowed"),
    [
        ({"limit": 499}, False),
        ({"limit": 500}, True),
        ({"limit": -1}, True),
        ({"limit": 550, "swap": 599}, False),
        ({"limit": 550, "swap": 600}, True),
    ],
)
def test_check_before_update(group: Path, memory: Any, allowed: bool) -> None:
    """A limit below what is in use is refused if that was asked for, and only then."""
    paths = {"": str(group)}
    check_usage(paths, {"memory": memory}, {"memory": memory})
    checked: Any = {"memory": {**memory, "checkBeforeUpdate": True}}
    check_usage(paths, checked, {"pids": {"limit": 1}})
    if allowed:
        check_usage(paths, checked, checked)
    else:
        with pytest.raises(ConfigError, match=r"is less than the \d+ bytes in use"):
            check_usage(paths, checked, checked)
