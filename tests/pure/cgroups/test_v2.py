"""Every property of linux.resources as writes to cgroup v2."""

from __future__ import annotations

from typing import Any

import pytest

from stave.cgroups.v2 import plan_ownership, weight_of_shares
from stave.errors import ConfigError

from .layouts import V2, plan, writes

EIGHT = {"major": 8, "minor": 0}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"memory": {"limit": 9}}, [("memory.max", "9", "memory/limit")]),
        ({"memory": {"limit": -1}}, [("memory.max", "max", "memory/limit")]),
        (
            {"memory": {"swap": 9, "limit": 4, "reservation": 5}},
            [
                ("memory.swap.max", "5", "memory/swap"),
                ("memory.max", "4", "memory/limit"),
                ("memory.low", "5", "memory/reservation"),
            ],
        ),
        ({"memory": {"swap": -1}}, [("memory.swap.max|", "max|max", "memory/swap")]),
        (
            {"memory": {"swap": 4, "limit": 4}},
            [("memory.swap.max|", "0|0", "memory/swap"), ("memory.max", "4", "memory/limit")],
        ),
        ({"memory": {"kernel": 5, "useHierarchy": True, "disableOOMKiller": False, "kernelTCP": -1}}, []),
        (
            {"cpu": {"quota": 5, "period": 10, "burst": 2, "shares": 1024, "idle": 1}},
            [
                ("cpu.weight", "100", "cpu/shares"),
                ("cpu.max", "5 10", "cpu/quota"),
                ("cpu.max.burst", "2", "cpu/burst"),
                ("cpu.idle", "1", "cpu/idle"),
            ],
        ),
        ({"cpu": {"quota": 5}}, [("cpu.max", "5", "cpu/quota")]),
        ({"cpu": {"quota": -1}}, [("cpu.max", "max", "cpu/quota")]),
        ({"cpu": {"period": 10}}, [("cpu.max", "max 10", "cpu/period")]),
        (
            {"cpu": {"cpus": "0-1,3", "mems": "0"}},
            [("cpuset.cpus", "0-1,3", "cpu/cpus"), ("cpuset.mems", "0", "cpu/mems")],
        ),
        ({"pids": {"limit": 0}}, [("pids.max", "0", "pids/limit")]),
        ({"pids": {"limit": -1}}, [("pids.max", "max", "pids/limit")]),
        ({"blockIO": {"weight": 10}}, [("io.bfq.weight|io.weight", "10|1", "blockIO/weight")]),
        ({"blockIO": {"weight": 1000}}, [("io.bfq.weight|io.weight", "1000|10000", "blockIO/weight")]),
        (
            {"blockIO": {"weightDevice": [EIGHT | {"weight": 100}]}},
            [("io.bfq.weight|io.weight", "8:0 100|8:0 910", "blockIO/weightDevice/0")],
        ),
        (
            {
                "blockIO": {
                    "throttleReadBpsDevice": [EIGHT | {"rate": 1}],
                    "throttleWriteBpsDevice": [EIGHT | {"rate": 0}],
                    "throttleReadIOPSDevice": [EIGHT | {"rate": 2}],
                    "throttleWriteIOPSDevice": [EIGHT | {"rate": 3}],
                }
            },
            [
                ("io.max", "8:0 rbps=1", "blockIO/throttleReadBpsDevice/0"),
                ("io.max", "8:0 wbps=max", "blockIO/throttleWriteBpsDevice/0"),
                ("io.max", "8:0 riops=2", "blockIO/throttleReadIOPSDevice/0"),
                ("io.max", "8:0 wiops=3", "blockIO/throttleWriteIOPSDevice/0"),
            ],
        ),
        (
            {"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]},
            [
                ("hugetlb.2MB.rsvd.max", "0", "hugepageLimits/0"),
                ("hugetlb.2MB.max", "0", "hugepageLimits/0"),
            ],
        ),
        ({"rdma": {"m1": {"hcaHandles": 3}}}, [("rdma.max", "m1 hca_handle=3", "rdma/m1")]),
        (
            {"unified": {"io.max": "8:0 rbps=1\n8:16 wbps=2", "memory.high": "5"}, "memory": {"limit": 9}},
            [
                ("memory.max", "9", "memory/limit"),
                ("io.max", "8:0 rbps=1", "unified/io.max"),
                ("io.max", "8:16 wbps=2", "unified/io.max"),
                ("memory.high", "5", "unified/memory.high"),
            ],
        ),
        ({"network": {"classID": 0, "priorities": []}}, []),
    ],
)
def test_writes(resources: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    """Each value that is given is written once, in the order that the kernel needs; no other is."""
    assert writes(resources, V2) == expected


@pytest.mark.parametrize(
    ("shares", "weight"),
    [(0, 1), (2, 1), (3, 2), (512, 59), (1024, 100), (2048, 174), (262144, 10000), (1 << 63, 10000)],
)
def test_weight_of_shares(shares: int, weight: int) -> None:
    """Least, default and greatest correspond."""
    assert weight_of_shares(shares) == weight


def test_weight_of_shares_rises() -> None:
    """More shares never give less weight, and weights stay in range."""
    weights = [weight_of_shares(shares) for shares in range(2, 262145, 97)]
    assert weights == sorted(weights)
    assert weights[0] == 1 and weights[-1] <= 10000


@pytest.mark.parametrize(
    ("resources", "name"),
    [
        ({"memory": {"swappiness": 0}}, "memory.swappiness"),
        ({"memory": {"disableOOMKiller": True}}, "memory.disableOOMKiller"),
        ({"memory": {"kernelTCP": 5}}, "memory.kernelTCP"),
        ({"cpu": {"realtimeRuntime": 5}}, "cpu.realtimeRuntime"),
        ({"cpu": {"realtimePeriod": 5}}, "cpu.realtimePeriod"),
        ({"blockIO": {"leafWeight": 5}}, "blockIO.leafWeight"),
        ({"blockIO": {"weightDevice": [EIGHT | {"leafWeight": 5}]}}, r"blockIO.weightDevice\[0\].leafWeight"),
        ({"network": {"classID": 5}}, "network.classID"),
        ({"network": {"priorities": [{"name": "a", "priority": 1}]}}, "network.priorities"),
    ],
)
def test_no_counterpart(resources: dict[str, Any], name: str) -> None:
    """What cgroup v2 cannot do is an error. Spec: config-linux.md#unified"""
    with pytest.raises(ConfigError, match=f"linux.resources.{name}: has no counterpart in cgroup v2"):
        writes(resources, V2)


@pytest.mark.parametrize("key", ["../x", "a/b", "..", ".", ""])
def test_unified_names(key: str) -> None:
    """Keys that lead to other directories are refused."""
    with pytest.raises(ConfigError, match="not the name of a file"):
        writes({"unified": {key: "1"}}, V2)


@pytest.mark.parametrize(
    ("resources", "needed"),
    [
        ({"memory": {"limit": 5}, "blockIO": {"weight": 10}}, {"memory", "io"}),
        ({"cpu": {"cpus": "0"}}, {"cpuset"}),
        ({"unified": {"misc.max": "a 1", "cgroup.max.depth": "3", "cpu.pressure": "0"}}, {"misc"}),
        ({"unified": {"nonesuch.max": "1"}}, {"nonesuch"}),
        ({"rdma": {"a": {"hcaHandles": 1}}}, {"rdma"}),
        ({"memory": {}}, set()),
    ],
)
def test_needed_controllers(resources: dict[str, Any], needed: set[str]) -> None:
    """A controller must be there if a property or the prefix of a key needs it."""
    enable = next(one for one in plan(resources, V2).setup if one.name == "enable_controllers")
    words = str(enable.arguments[1]).split()
    assert {word[1:] for word in words if word[0] == "+"} == needed
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= {word[1:] for word in words}


USER = [{"containerID": 0, "hostID": 100_000, "size": 5000}]


@pytest.mark.parametrize(
    ("namespaces", "options", "uid", "owner"),
    [
        (["cgroup"], ["rw"], 1000, 1000),
        (["cgroup"], [], 1000, 1000),
        (["cgroup", "user"], ["rw"], 1000, 101_000),
        (["cgroup", "user"], ["rw"], 9000, None),
        (["cgroup"], ["ro"], 1000, None),
        (["cgroup"], ["rro"], 1000, None),
        (["cgroup"], ["rw"], 0, None),
        (["pid"], ["rw"], 1000, None),
    ],
)
def test_ownership(namespaces: list[str], options: list[str], uid: int, owner: int | None) -> None:
    """The group becomes the program's user's, as the host counts it, only if the container mounts it writable."""
    config: Any = {
        "process": {"user": {"uid": uid, "gid": 0}},
        "mounts": [
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": options}
        ],
        "linux": {"namespaces": [{"type": name} for name in namespaces], "uidMappings": USER},
    }
    found = [each.arguments for each in plan_ownership(config, "/sys/fs/cgroup/x")]
    assert found == ([("/sys/fs/cgroup/x", owner)] if owner else [])


def test_no_ownership_of_a_joined_namespace() -> None:
    """A cgroup namespace that exists already may show other groups, too."""
    config: Any = {
        "process": {"user": {"uid": 1000, "gid": 0}},
        "mounts": [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}],
        "linux": {"namespaces": [{"type": "cgroup", "path": "/proc/1/ns/cgroup"}]},
    }
    assert plan_ownership(config, "/sys/fs/cgroup/x") == []
