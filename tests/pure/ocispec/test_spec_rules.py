"""The rules between fields: each has an example that breaks it, and neighbours that do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocispec import config, reference
from ocispec.errors import InvalidConfig, Problem

ID_MAP = [{"containerID": 0, "hostID": 1000, "size": 10}]
# The hosts of both lists overlap, the containers do not.
OVERLAP = [{"containerID": 0, "hostID": 1000, "size": 10}, {"containerID": 10, "hostID": 1009, "size": 1}]
BEYOND = [{"containerID": 0, "hostID": 4294967290, "size": 10}]
ALL_NAMESPACES = [
    {"type": name} for name in ("pid", "network", "ipc", "uts", "mount", "cgroup", "user", "time")
]
TIME_BY_PATH = [{"type": "mount"}, {"type": "uts"}, {"type": "time", "path": "/proc/1/ns/time"}]
FIFO, DEADLINE = {"policy": "SCHED_FIFO"}, {"policy": "SCHED_DEADLINE"}
NOTIFY = [{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}]


def bind(**members: Any) -> list[dict[str, Any]]:
    return [{"destination": "/data", "source": "/srv", "options": ["bind"], **members}]


def device(**members: Any) -> list[dict[str, Any]]:
    return [{"type": "c", "path": "/dev/x", "major": 1, "minor": 3, **members}]


# What is put into a valid configuration, where the problem is, and words of its message.
BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"linux.namespaces": [{"type": "mount"}]}, "/hostname", "without a uts namespace"),
    (
        {"linux.namespaces": [{"type": "mount"}], "hostname": "", "domainname": "x"},
        "/domainname",
        "uts namespace",
    ),
    ({"hostname": "h" * 65}, "/hostname", "at most 64 bytes, is 65"),
    ({"domainname": "\u00e9" * 33}, "/domainname", "at most 64 bytes, is 66"),
    ({"annotations": {"": "x"}}, "/annotations/", "must not be empty"),
    (
        {"process.terminal": True, "process.consoleSize": {"height": 65536, "width": 1}},
        "/process/consoleSize/height",
        "at most 65535, is 65536",
    ),
    (
        {
            "process.rlimits": [
                {"type": "RLIMIT_AS", "soft": 1, "hard": 1},
                {"type": "RLIMIT_AS", "soft": 2, "hard": 2},
            ]
        },
        "/process/rlimits/1",
        "RLIMIT_AS is limited twice",
    ),
    (
        {"process.rlimits": [{"type": "RLIMIT_AS", "soft": 2, "hard": 1}]},
        "/process/rlimits/0/soft",
        "at most the hard limit 1, is 2",
    ),
    ({"process.scheduler": {**FIFO}}, "/process/scheduler/priority", "1 to 99 for SCHED_FIFO, is 0"),
    ({"process.scheduler": {**FIFO, "priority": 100}}, "/process/scheduler/priority", "1 to 99"),
    (
        {"process.scheduler": {"policy": "SCHED_OTHER", "priority": 1}},
        "/process/scheduler/priority",
        "must be 0",
    ),
    (
        {"process.scheduler": {"policy": "SCHED_BATCH", "runtime": 1}},
        "/process/scheduler/runtime",
        "SCHED_DEADLINE only",
    ),
    (
        {"process.scheduler": {"policy": "SCHED_IDLE", "deadline": 1}},
        "/process/scheduler/deadline",
        "SCHED_DEADLINE only",
    ),
    (
        {"process.scheduler": {"policy": "SCHED_OTHER", "period": 1}},
        "/process/scheduler/period",
        "SCHED_DEADLINE only",
    ),
    ({"process.scheduler": {**DEADLINE}}, "/process/scheduler", "0 < runtime"),
    ({"process.scheduler": {**DEADLINE, "runtime": 2, "deadline": 1}}, "/process/scheduler", "0 < runtime"),
    (
        {"process.scheduler": {**DEADLINE, "runtime": 1, "deadline": 3, "period": 2}},
        "/process/scheduler",
        "<= period",
    ),
    ({"mounts": bind(uidMappings=ID_MAP)}, "/mounts/0/gidMappings", "go together"),
    ({"mounts": bind(gidMappings=ID_MAP)}, "/mounts/0/uidMappings", "go together"),
    ({"mounts": bind(gidMappings=ID_MAP, uidMappings=OVERLAP)}, "/mounts/0/uidMappings/1/hostID", "overlaps"),
    (
        {"mounts": bind(gidMappings=BEYOND, uidMappings=ID_MAP)},
        "/mounts/0/gidMappings/0",
        "beyond 4294967294",
    ),
    ({"mounts": bind(options=["bind", "idmap"])}, "/mounts/0/options", "or a user namespace"),
    ({"mounts": bind(options=["rbind", "ridmap"])}, "/mounts/0/options", "or a user namespace"),
    (
        {"linux.namespaces": [{"type": "uts"}, {"type": "mount"}, {"type": "uts", "path": "/x"}]},
        "/linux/namespaces/2",
        "a second namespace of type uts",
    ),
    (
        {"linux.namespaces": [{"type": "uts"}], "linux.readonlyPaths": []},
        "/linux/maskedPaths",
        "mount namespace",
    ),
    (
        {"linux.namespaces": [{"type": "uts"}], "linux.maskedPaths": []},
        "/linux/readonlyPaths",
        "mount namespace",
    ),
    ({"linux.uidMappings": ID_MAP}, "/linux/uidMappings", "without a user namespace"),
    ({"linux.gidMappings": ID_MAP}, "/linux/gidMappings", "without a user namespace"),
    (
        {"linux.namespaces": ALL_NAMESPACES, "linux.uidMappings": BEYOND},
        "/linux/uidMappings/0",
        "hostID and size",
    ),
    (
        {"linux.namespaces": ALL_NAMESPACES, "linux.gidMappings": OVERLAP},
        "/linux/gidMappings/1/hostID",
        "of 1000",
    ),
    ({"linux.timeOffsets": {"boottime": {"secs": 1}}}, "/linux/timeOffsets", "without a time namespace"),
    (
        {"linux.namespaces": TIME_BY_PATH, "linux.timeOffsets": {"boottime": {}}},
        "/linux/timeOffsets",
        "existing time",
    ),
    (
        {"linux.namespaces": ALL_NAMESPACES, "linux.timeOffsets": {"realtime": {}}},
        "/linux/timeOffsets/realtime",
        "monotonic or boottime",
    ),
    (
        {"linux.netDevices": {"eth0": {}}, "linux.namespaces": [{"type": "mount"}, {"type": "uts"}]},
        "/linux/netDevices",
        "without a network namespace",
    ),
    ({"linux.netDevices": {"a/b": {}}}, "/linux/netDevices/a~1b", "not the name of a network interface"),
    (
        {"linux.netDevices": {"": {"name": "eth0"}}},
        "/linux/netDevices/",
        "not the name of a network interface",
    ),
    ({"linux.netDevices": {"eth0": {"name": "x" * 16}}}, "/linux/netDevices/eth0/name", "not the name"),
    ({"linux.netDevices": {"eth0": {"name": ".."}}}, "/linux/netDevices/eth0/name", "not the name"),
    ({"linux.netDevices": {"eth0": {"name": "a b"}}}, "/linux/netDevices/eth0/name", "not the name"),
    (
        {"linux.netDevices": {"eth0": {}, "eth1": {"name": "eth0"}}},
        "/linux/netDevices/eth1/name",
        "a second device",
    ),
    ({"linux.sysctl": {"vm.swappiness": "1"}}, "/linux/sysctl/vm.swappiness", "belongs to no namespace"),
    ({"linux.sysctl": {"kernel/pid_max": "1"}}, "/linux/sysctl/kernel~1pid_max", "belongs to no namespace"),
    (
        {"linux.sysctl": {"net/../vm/x": "1"}},
        "/linux/sysctl/net~1..~1vm~1x",
        "not the name of a kernel parameter",
    ),
    (
        {
            "linux.sysctl": {"net.core.somaxconn": "1"},
            "linux.namespaces": [{"type": "mount"}, {"type": "uts"}],
        },
        "/linux/sysctl/net.core.somaxconn",
        "no network namespace",
    ),
    (
        {"linux.sysctl": {"kernel.sem": "1"}, "linux.namespaces": [{"type": "mount"}, {"type": "uts"}]},
        "/linux/sysctl/kernel.sem",
        "no ipc namespace",
    ),
    ({"linux.sysctl": {"kernel.hostname": "x"}}, "/linux/sysctl/kernel.hostname", "conflicts with hostname"),
    (
        {"linux.sysctl": {"kernel/domainname": "x"}, "domainname": "y"},
        "/linux/sysctl/kernel~1domainname",
        "conflicts with domainname",
    ),
    ({"linux.devices": [{"type": "c", "path": "/dev/x", "minor": 1}]}, "/linux/devices/0/major", "of type c"),
    ({"linux.devices": [{"type": "u", "path": "/dev/x", "major": 1}]}, "/linux/devices/0/minor", "of type u"),
    ({"linux.devices": device(type="b", major=4096)}, "/linux/devices/0/major", "0 to 4095, is 4096"),
    ({"linux.devices": device(minor=-1)}, "/linux/devices/0/minor", "0 to 1048575, is -1"),
    (
        {"linux.resources": {"cpu": {"quota": 10, "burst": 11}}},
        "/linux/resources/cpu/burst",
        "the quota 10, is 11",
    ),
    (
        {"linux.resources": {"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}}},
        "/linux/resources/blockIO/weightDevice/0",
        "weight, leafWeight or both",
    ),
    (
        {"linux.resources": {"rdma": {"a/b": {}}}},
        "/linux/resources/rdma/a~1b",
        "hcaHandles, hcaObjects or both",
    ),
    (
        {"linux.resources": {"unified": {"../x": "1"}}},
        "/linux/resources/unified/..~1x",
        "a file in the cgroup",
    ),
    ({"linux.resources": {"unified": {"": "1"}}}, "/linux/resources/unified/", "a file in the cgroup"),
    ({"linux.resources": {"unified": {"..": "1"}}}, "/linux/resources/unified/..", "a file in the cgroup"),
    (
        {"linux.seccomp": {"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/s"}},
        "/linux/seccomp/defaultAction",
        "nothing could be sent",
    ),
    (
        {"linux.seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": NOTIFY}},
        "/linux/seccomp/listenerPath",
        "required by the action SCMP_ACT_NOTIFY",
    ),
    (
        {"linux.seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}},
        "/linux/seccomp/listenerMetadata",
        "without listenerPath",
    ),
    (
        {"linux.seccomp": {"defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 1}},
        "/linux/seccomp/defaultErrnoRet",
        "no meaning with SCMP_ACT_KILL",
    ),
    (
        {
            "linux.seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG", "errnoRet": 1}],
            }
        },
        "/linux/seccomp/syscalls/0/errnoRet",
        "no meaning with SCMP_ACT_LOG",
    ),
    (
        {"linux.memoryPolicy": {"mode": "MPOL_LOCAL", "nodes": "0"}},
        "/linux/memoryPolicy/nodes",
        "must be empty",
    ),
    (
        {"linux.memoryPolicy": {"mode": "MPOL_BIND"}},
        "/linux/memoryPolicy/nodes",
        "must not be empty for MPOL_BIND",
    ),
    (
        {
            "linux.memoryPolicy": {
                "mode": "MPOL_BIND",
                "nodes": "0",
                "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"],
            }
        },
        "/linux/memoryPolicy/flags",
        "exclude each other",
    ),
    (
        {"linux.memoryPolicy": {"mode": "MPOL_PREFERRED", "flags": ["MPOL_F_STATIC_NODES"]}},
        "/linux/memoryPolicy/flags",
        "MPOL_F_STATIC_NODES needs nodes",
    ),
    (
        {"linux.memoryPolicy": {"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}},
        "/linux/memoryPolicy/flags",
        "for MPOL_BIND and MPOL_PREFERRED_MANY only",
    ),
]

SOUND: list[dict[str, Any]] = [
    {"linux.namespaces": [], "hostname": "", "linux.maskedPaths": [], "linux.readonlyPaths": []},
    {"linux.namespaces": [{"type": "uts", "path": "/proc/1/ns/uts"}, {"type": "mount", "path": ""}]},
    {"hostname": "h" * 64},
    {"process.terminal": False, "process.consoleSize": {"height": 2**32, "width": 0}},
    {"process.rlimits": [{"type": "RLIMIT_AS", "soft": 2**64 - 1, "hard": 2**64 - 1}]},
    {"process.scheduler": {**FIFO, "priority": 99}},
    {"process.scheduler": {**DEADLINE, "runtime": 1, "deadline": 2}},
    {"process.scheduler": {"policy": "SCHED_OTHER", "nice": -20, "priority": 0, "period": 0}},
    {"mounts": bind(uidMappings=ID_MAP, gidMappings=ID_MAP, options=["idmap", "rbind"])},
    {"mounts": bind(uidMappings=ID_MAP, gidMappings=ID_MAP, options=["idmap"], type="tmpfs")},
    {"mounts": bind(uidMappings=[], gidMappings=[])},
    {"mounts": bind(options=["bind", "idmap"]), "linux.namespaces": ALL_NAMESPACES},
    {"linux.namespaces": ALL_NAMESPACES, "linux.uidMappings": ID_MAP, "linux.timeOffsets": {"boottime": {}}},
    {"linux.uidMappings": [], "linux.gidMappings": [], "linux.timeOffsets": {}, "linux.netDevices": {}},
    {
        "linux.netDevices": {
            "eth0": {"name": "eth1"},
            "eth1": {"name": "eth0"},
            "a": {"name": "x%d"},
            "b": {"name": "x%d"},
        }
    },
    {"linux.sysctl": {"kernel.domainname": "x", "net/ipv4/ip_forward": "1", "fs.mqueue.msg_max": "9"}},
    {"linux.sysctl": {"kernel.hostname": "x"}, "hostname": ""},
    {"linux.devices": [{"type": "p", "path": "/run/pipe"}, *device(major=0, minor=0), *device(major=4095)]},
    {"linux.resources": {"cpu": {"quota": -1, "burst": 11}, "devices": []}},
    {"linux.resources": {"cpu": {"burst": 11}, "unified": {"memory.max": "max"}}},
    {"linux.seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s", "listenerMetadata": "x"}},
    {"linux.seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s", "syscalls": NOTIFY}},
    {"linux.seccomp": {"defaultAction": "SCMP_ACT_TRACE", "defaultErrnoRet": 1, "listenerMetadata": ""}},
    {"linux.memoryPolicy": {"mode": "MPOL_PREFERRED"}},
    {"linux.memoryPolicy": {"mode": "MPOL_PREFERRED_MANY", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}},
]


@pytest.mark.parametrize(
    ("change", "where", "words"), BROKEN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_broken(change: dict[str, Any], where: str, words: str, basic: Any) -> None:
    """The rule's problem, and no other, is found where the change broke it, with a section to read."""
    [problem] = _problems(basic, change)
    assert problem.pointer == where
    assert words in problem.message
    assert ".md#" in problem.section


@pytest.mark.parametrize("change", SOUND, ids=lambda change: "+".join(change))
def test_sound(change: dict[str, Any], basic: Any) -> None:
    """What is just within the rules loads."""
    assert _problems(basic, change) == []


def test_rules_find_all_problems(basic: Any) -> None:
    """Rules report together, in the order of the fields."""
    change = {"hostname": "h" * 65, "linux.uidMappings": ID_MAP, "linux.sysctl": {"vm.x": "1", "dev.y": "2"}}
    assert [problem.pointer for problem in _problems(basic, change)] == [
        "/hostname",
        "/linux/uidMappings",
        "/linux/sysctl/vm.x",
        "/linux/sysctl/dev.y",
    ]


def _problems(document: Any, change: dict[str, Any]) -> list[Problem]:
    """What the loader says after the change, once the reference has been seen to say the same."""
    for where, value in change.items():
        *path, last = where.split(".")
        parent = document
        for key in path:
            parent = parent[key]
        parent[last] = value
    assert reference.schema_problems(document) == []
    expected = reference.problems(document)
    try:
        config.parse_config(json.dumps(document).encode())
    except InvalidConfig as error:
        assert error.problems == expected
    else:
        assert expected == []
    return expected
