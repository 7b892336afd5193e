"""Every property of linux.resources as writes to cgroup v1."""

from __future__ import annotations

from typing import Any

import pytest

from stave.errors import ConfigError
from stave.host.facts import CgroupLayout

from .layouts import V1, V1_FULL, V2, plan, writes

EIGHT = {"major": 8, "minor": 0}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"memory": {"limit": 9}}, [("memory.limit_in_bytes", "9", "memory/limit")]),
        ({"memory": {"limit": -1}}, [("memory.limit_in_bytes", "-1", "memory/limit")]),
        (
            {"memory": {"swap": 9, "limit": 9, "reservation": 5}},
            [
                ("memory.limit_in_bytes", "9", "memory/limit"),
                ("memory.memsw.limit_in_bytes", "9", "memory/swap"),
                ("memory.soft_limit_in_bytes", "5", "memory/reservation"),
            ],
        ),
        ({"memory": {"kernelTCP": 7}}, [("memory.kmem.tcp.limit_in_bytes", "7", "memory/kernelTCP")]),
        ({"memory": {"swappiness": 0}}, [("memory.swappiness", "0", "memory/swappiness")]),
        ({"memory": {"disableOOMKiller": True}}, [("memory.oom_control", "1", "memory/disableOOMKiller")]),
        ({"memory": {"kernel": 5, "useHierarchy": True, "checkBeforeUpdate": True, "limit": 0}}, []),
        (
            {"cpu": {"quota": 5, "period": 10, "burst": 2, "shares": 3, "idle": 1}},
            [
                ("cpu.shares", "3", "cpu/shares"),
                ("cpu.cfs_period_us", "10", "cpu/period"),
                ("cpu.cfs_quota_us", "5", "cpu/quota"),
                ("cpu.cfs_burst_us", "2", "cpu/burst"),
                ("cpu.idle", "1", "cpu/idle"),
            ],
        ),
        ({"cpu": {"quota": -1}}, [("cpu.cfs_quota_us", "-1", "cpu/quota")]),
        (
            {"cpu": {"realtimeRuntime": 5, "realtimePeriod": 10}},
            [
                ("cpu.rt_period_us", "10", "cpu/realtimePeriod"),
                ("cpu.rt_runtime_us", "5", "cpu/realtimeRuntime"),
            ],
        ),
        (
            {"cpu": {"cpus": "0-1,3", "mems": "0"}},
            [("cpuset.cpus", "0-1,3", "cpu/cpus"), ("cpuset.mems", "0", "cpu/mems")],
        ),
        ({"cpu": {"cpus": "", "shares": 0, "quota": 0, "period": 0}}, []),
        ({"pids": {"limit": 9}}, [("pids.max", "9", "pids/limit")]),
        ({"pids": {"limit": 0}}, [("pids.max", "0", "pids/limit")]),
        ({"pids": {"limit": -1}}, [("pids.max", "max", "pids/limit")]),
        ({"pids": {}}, []),
        (
            {"blockIO": {"weight": 10}},
            [("blkio.bfq.weight", "10", "blockIO/weight")],
        ),
        (
            {"blockIO": {"weightDevice": [EIGHT | {"weight": 500}]}},
            [("blkio.bfq.weight_device", "8:0 500", "blockIO/weightDevice/0")],
        ),
        (
            {"blockIO": {"throttleReadBpsDevice": [EIGHT | {"rate": 6}, EIGHT | {"rate": 0}]}},
            [
                ("blkio.throttle.read_bps_device", "8:0 6", "blockIO/throttleReadBpsDevice/0"),
                ("blkio.throttle.read_bps_device", "8:0 0", "blockIO/throttleReadBpsDevice/1"),
            ],
        ),
        (
            {
                "blockIO": {
                    "throttleWriteBpsDevice": [EIGHT | {"rate": 1}],
                    "throttleReadIOPSDevice": [EIGHT | {"rate": 2}],
                    "throttleWriteIOPSDevice": [EIGHT | {"rate": 3}],
                }
            },
            [
                ("blkio.throttle.write_bps_device", "8:0 1", "blockIO/throttleWriteBpsDevice/0"),
                ("blkio.throttle.read_iops_device", "8:0 2", "blockIO/throttleReadIOPSDevice/0"),
                ("blkio.throttle.write_iops_device", "8:0 3", "blockIO/throttleWriteIOPSDevice/0"),
            ],
        ),
        (
            {"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]},
            [
                ("hugetlb.2MB.rsvd.limit_in_bytes", "0", "hugepageLimits/0"),
                ("hugetlb.2MB.limit_in_bytes", "0", "hugepageLimits/0"),
            ],
        ),
        (
            {"network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 0}]}},
            [
                ("net_cls.classid", "1048577", "network/classID"),
                ("net_prio.ifpriomap", "eth0 0", "network/priorities/0"),
            ],
        ),
        (
            {"rdma": {"m/1": {"hcaHandles": 3, "hcaObjects": 4}, "m2": {"hcaObjects": 0}}},
            [
                ("rdma.max", "m/1 hca_handle=3 hca_object=4", "rdma/m~11"),
                ("rdma.max", "m2 hca_object=0", "rdma/m2"),
            ],
        ),
    ],
)
def test_writes(resources: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    """Each value that is given is written once, in the order that the kernel needs; no other is."""
    assert writes(resources, V1_FULL) == expected


def test_controllers() -> None:
    """A limit is written below the mount point of its own controller."""
    resources = {"cpu": {"shares": 2, "cpus": "0"}, "memory": {"limit": 5}}
    files = [
        one.arguments[0] for one in plan(resources, V1).setup if one.pointer.startswith("/linux/resources/")
    ]
    assert files[-3:] == [
        "/cg/memory/web/memory.limit_in_bytes",
        "/cg/cpu/web/cpu.shares",
        "/cg/cpuset/web/cpuset.cpus",
    ]


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"network": {"classID": 1}}, r"linux.resources.network.classID: .*net_cls is not mounted; mount it"),
        ({"network": {"priorities": [{"name": "a", "priority": 1}]}}, r"priorities\[0\]: .*net_prio is not"),
        ({"rdma": {"a": {"hcaHandles": 1}}}, r"linux.resources.rdma.a: .*rdma is not mounted"),
        ({"unified": {"memory.max": "1"}}, r"linux.resources.unified: needs cgroup v2"),
    ],
)
def test_controller_missing(resources: dict[str, Any], message: str) -> None:
    """A property whose controller is not mounted is refused by name, with the cure."""
    with pytest.raises(ConfigError, match=message):
        writes(resources, V1)


@pytest.mark.parametrize(
    ("resources", "pointer"),
    [
        ({"leafWeight": 5}, r"blockIO\.leafWeight"),
        ({"weightDevice": [EIGHT | {"leafWeight": 5}]}, r"blockIO\.weightDevice\[0\]\.leafWeight"),
    ],
)
def test_leaf_weights(resources: dict[str, Any], pointer: str) -> None:
    """The kernel has none any more, and that is what is said."""
    with pytest.raises(ConfigError, match=rf"{pointer}: Linux has had no leaf weights since"):
        writes({"blockIO": resources}, V1)


def test_controller_not_needed() -> None:
    """Empty objects need no controller."""
    empty: dict[str, Any] = {
        name: {} for name in ("memory", "cpu", "blockIO", "network", "pids", "rdma", "unified")
    }
    assert writes(empty | {"hugepageLimits": []}, CgroupLayout(None, {"pids": "/cg/pids"})) == []


@pytest.mark.parametrize("layout", [V1, V2])
@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"memory": {"swap": 5}}, "memory.swap: needs a memory limit"),
        ({"memory": {"swap": 5, "limit": -1}}, "memory.swap: needs a memory limit"),
        ({"memory": {"swap": 5, "limit": 6}}, r"memory.swap: must be at least memory.limit \(6\).*is 5"),
        ({"blockIO": {"weight": 9}}, "blockIO.weight: must be between 10 and 1000, is 9"),
        ({"blockIO": {"weightDevice": [EIGHT | {"weight": 1001}]}}, r"weightDevice\[0\]: must be between"),
        ({"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]}, r"hugepageLimits\[0\].pageSize"),
        ({"devices": [{"allow": True, "major": 1 << 32}]}, r"devices\[0\].major: 4294967296 is too large"),
    ],
)
def test_senseless(resources: dict[str, Any], message: str, layout: CgroupLayout) -> None:
    """What cannot make sense is refused in both versions."""
    with pytest.raises(ConfigError, match=message):
        writes(resources, layout)
