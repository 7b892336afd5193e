"""Properties that have to be there: without one the configuration is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ociconformance import machine
from ociconformance.bundle import hook
from ociconformance.container import Container
from ociconformance.plugin import NewContainer
from ociconformance.testing import case

MAPPING = {"containerID": 0, "hostID": 100_000, "size": 65_536}
RULE = {
    "names": ["mkdir"],
    "action": "SCMP_ACT_ERRNO",
    "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}],
}
SECCOMP = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [RULE]}

PROPERTIES: list[tuple[str, dict[str, Any], str]] = [
    ("ociVersion", {}, "config/version/present"),
    ("root", {}, "config/root/present"),
    ("root/path", {}, "config/root/path/present"),
    ("mounts/0/destination", {}, "config/mounts/destination/present"),
    ("process/cwd", {}, "config/process/cwd/present"),
    ("process/user/uid", {}, "config/process/user/uid/present"),
    ("process/user/gid", {}, "config/process/user/gid/present"),
    ("process/rlimits/0/type", {"RLIMITS": 1}, "config/process/rlimits/type/present"),
    ("process/rlimits/0/soft", {"RLIMITS": 1}, "config/process/rlimits/soft/present"),
    ("process/rlimits/0/hard", {"RLIMITS": 1}, "config/process/rlimits/hard/present"),
    ("hooks/createRuntime/0/path", {"hooks": {"createRuntime": [hook("true")]}}, "config/hooks/path/present"),
    ("linux/namespaces/0/type", {}, "linux/namespaces/type/present"),
    ("linux/uidMappings/0/containerID", {"USER": 1}, "linux/mappings/container-id"),
    ("linux/uidMappings/0/hostID", {"USER": 1}, "linux/mappings/host-id"),
    ("linux/uidMappings/0/size", {"USER": 1}, "linux/mappings/size"),
    ("linux/devices/0/type", {"DEVICE": 1}, "linux/devices/type/present"),
    ("linux/devices/0/path", {"DEVICE": 1}, "linux/devices/path/present"),
    ("linux/devices/0/major", {"DEVICE": 1}, "linux/devices/numbers"),
    ("linux/devices/0/minor", {"DEVICE": 1}, "linux/devices/numbers"),
    ("linux/resources/devices/0/allow", {}, "linux/resources/devices/allow"),
    ("linux/resources/hugepageLimits/0/pageSize", {"HUGE": 1}, "linux/resources/hugepages/page-size"),
    ("linux/resources/hugepageLimits/0/limit", {"HUGE": 1}, "linux/resources/hugepages/limit-present"),
    ("linux/resources/blockIO/throttleReadBpsDevice/0/major", {"THROTTLE": 1}, "linux/resources/block-io/device-numbers"),
    ("linux/resources/blockIO/throttleReadBpsDevice/0/rate", {"THROTTLE": 1}, "linux/resources/block-io/rate"),
    ("linux/resources/network/priorities/0/name", {"PRIORITY": 1}, "linux/resources/network/name"),
    ("linux/resources/network/priorities/0/priority", {"PRIORITY": 1}, "linux/resources/network/priority"),
    ("linux/seccomp/defaultAction", {"SECCOMP": 1}, "linux/seccomp/default-action/present"),
    ("linux/seccomp/syscalls/0/names", {"SECCOMP": 1}, "linux/seccomp/syscalls/names/present"),
    ("linux/seccomp/syscalls/0/action", {"SECCOMP": 1}, "linux/seccomp/syscalls/action/present"),
    ("linux/seccomp/syscalls/0/args/0/index", {"SECCOMP": 1}, "linux/seccomp/args/index"),
    ("linux/seccomp/syscalls/0/args/0/value", {"SECCOMP": 1}, "linux/seccomp/args/value"),
    ("linux/seccomp/syscalls/0/args/0/op", {"SECCOMP": 1}, "linux/seccomp/args/op/present"),
    ("linux/personality/domain", {"PERSONALITY": 1}, "linux/personality/domain/present"),
]  # fmt: skip
"""What is left out, what has to be configured before, and the clause. Capitals stand for what `prepare` makes."""

NEWER: list[tuple[str, dict[str, Any], str]] = [
    ("process/scheduler/policy", {"SCHEDULER": 1}, "config/process/scheduler/policy/present"),
    ("process/ioPriority/class", {"IO": 1}, "config/process/io-priority/class"),
    ("process/ioPriority/priority", {"IO": 1}, "config/process/io-priority/priority"),
    ("linux/memoryPolicy/mode", {"POLICY": 1}, "linux/memory-policy/mode/present"),
]


def prepare(container: Container, what: dict[str, Any]) -> None:
    """The configuration has what one of its properties is left out of."""
    linux, process = container.linux, container.process
    for name, value in what.items():
        match name:
            case "RLIMITS":
                process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1000, "hard": 1000}]
            case "USER":
                container.user_namespace()
            case "DEVICE":
                linux["devices"] = [{"type": "c", "path": "/dev/x", "major": 240, "minor": 7}]
            case "HUGE":
                container.resources(hugepageLimits=[{"pageSize": "2MB", "limit": 2 << 20}])
            case "THROTTLE":
                major, minor = machine.disk() or pytest.skip("needs a block device")
                limit = {"major": major, "minor": minor, "rate": 1_048_576}
                container.resources(blockIO={"throttleReadBpsDevice": [limit]})
            case "PRIORITY":
                container.resources(network={"priorities": [{"name": "lo", "priority": 1}]})
            case "SECCOMP":
                rule = {**RULE, "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}
                linux["seccomp"] = {**SECCOMP, "syscalls": [rule]}
            case "PERSONALITY":
                linux["personality"] = {"domain": "LINUX"}
            case "SCHEDULER":
                process["scheduler"] = {"policy": "SCHED_OTHER"}
            case "IO":
                process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 4}
            case "POLICY":
                linux["memoryPolicy"] = {"mode": "MPOL_DEFAULT"}
            case _:
                container.config[name] = value


def leave_out(config: Any, path: str) -> None:
    """The property at this path is gone."""
    *parents, last = path.split("/")
    for part in parents:
        config = config[int(part)] if isinstance(config, list) else config[part]
    del config[last]


@pytest.mark.parametrize(
    ("path", "what"),
    [case(path, what, covers=clause, id=path) for path, what, clause in [*PROPERTIES, *NEWER]],
)
def test_missing(new_container: NewContainer, path: str, what: dict[str, Any]) -> None:
    """Without the property the configuration is refused, and with it it is not."""
    whole = new_container()
    prepare(whole, what)
    outcome = whole.try_create()
    if outcome.status != 0:
        pytest.skip(f"what it is left out of is refused here: {outcome.errors}")
    container = new_container()
    prepare(container, what)
    leave_out(container.config, path)
    container.refused_or_not_run()
