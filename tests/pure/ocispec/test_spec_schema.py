"""What the schemas refuse and accept, property by property, and that they cover the specification."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ocispec import reference, rules, schema
from ocispec._generated import accepts
from ocispec.errors import pointer

MAX = {"uint16": 2**16 - 1, "uint32": 2**32 - 1, "id": 2**32 - 2, "uint64": 2**64 - 1, "int64": 2**63 - 1}
DELETE = object()

# Where, the lowest and the highest integer.
RANGES = [
    ("process consoleSize height", 0, MAX["uint64"]),
    ("process user uid", 0, MAX["id"]),
    ("process user gid", 0, MAX["id"]),
    ("process user umask", 0, MAX["uint32"]),
    ("process user additionalGids 0", 0, MAX["id"]),
    ("process rlimits 0 soft", 0, MAX["uint64"]),
    ("process rlimits 0 hard", 0, MAX["uint64"]),
    ("process oomScoreAdj", -1000, 1000),
    ("process scheduler nice", -20, 19),
    ("process scheduler priority", -(2**31), 2**31 - 1),
    ("process scheduler runtime", 0, MAX["uint64"]),
    ("process scheduler deadline", 0, MAX["uint64"]),
    ("process scheduler period", 0, MAX["uint64"]),
    ("process ioPriority priority", 0, 7),
    ("hooks poststop 0 timeout", 1, MAX["int64"]),
    ("mounts 1 uidMappings 0 containerID", 0, MAX["id"]),
    ("linux uidMappings 0 hostID", 0, MAX["id"]),
    ("linux gidMappings 0 size", 1, MAX["uint32"]),
    ("linux timeOffsets boottime secs", -(2**63), MAX["int64"]),
    ("linux timeOffsets boottime nanosecs", 0, 999999999),
    ("linux devices 0 major", -(2**63), MAX["int64"]),
    ("linux devices 0 fileMode", 0, MAX["uint32"]),
    ("linux devices 0 uid", 0, MAX["id"]),
    ("linux devices 0 gid", 0, MAX["id"]),
    ("linux resources devices 1 major", -1, MAX["int64"]),
    ("linux resources devices 1 minor", -1, MAX["int64"]),
    ("linux resources memory limit", -1, MAX["int64"]),
    ("linux resources memory reservation", -1, MAX["int64"]),
    ("linux resources memory swap", -1, MAX["int64"]),
    ("linux resources memory kernel", -1, MAX["int64"]),
    ("linux resources memory kernelTCP", -1, MAX["int64"]),
    ("linux resources memory swappiness", 0, 100),
    ("linux resources cpu shares", 0, MAX["uint64"]),
    ("linux resources cpu quota", -(2**63), MAX["int64"]),
    ("linux resources cpu burst", 0, MAX["uint64"]),
    ("linux resources cpu period", 0, MAX["uint64"]),
    ("linux resources cpu realtimeRuntime", -(2**63), MAX["int64"]),
    ("linux resources cpu realtimePeriod", 0, MAX["uint64"]),
    ("linux resources cpu idle", 0, 1),
    ("linux resources blockIO weight", 0, MAX["uint16"]),
    ("linux resources blockIO weightDevice 0 leafWeight", 0, MAX["uint16"]),
    ("linux resources blockIO weightDevice 0 major", 0, MAX["int64"]),
    ("linux resources blockIO throttleReadBpsDevice 0 rate", 0, MAX["uint64"]),
    ("linux resources hugepageLimits 0 limit", 0, MAX["uint64"]),
    ("linux resources network classID", 0, MAX["uint32"]),
    ("linux resources network priorities 0 priority", 0, MAX["uint32"]),
    ("linux resources pids limit", -1, MAX["int64"]),
    ("linux resources rdma mlx5_1 hcaHandles", 0, MAX["uint32"]),
    ("linux resources rdma mlx5_1 hcaObjects", 0, MAX["uint32"]),
    ("linux seccomp defaultErrnoRet", 0, 65535),
    ("linux seccomp syscalls 2 errnoRet", 0, 65535),
    ("linux seccomp syscalls 2 args 0 index", 0, 5),
    ("linux seccomp syscalls 2 args 0 value", 0, MAX["uint64"]),
    ("linux seccomp syscalls 2 args 0 valueTwo", 0, MAX["uint64"]),
]
REQUIRED = [
    "ociVersion", "root", "root path", "mounts 0 destination", "process cwd", "process args",
    "process consoleSize height", "process consoleSize width", "process user uid", "process user gid",
    "process rlimits 0 type", "process rlimits 0 soft", "process rlimits 0 hard", "process scheduler policy",
    "process ioPriority class", "process ioPriority priority", "hooks createRuntime 0 path",
    "linux namespaces 0 type", "linux uidMappings 0 containerID", "linux uidMappings 0 hostID",
    "linux uidMappings 0 size", "linux devices 0 type", "linux devices 0 path",
    "linux resources devices 0 allow",
    "linux resources blockIO weightDevice 0 major", "linux resources blockIO weightDevice 0 minor",
    "linux resources blockIO throttleWriteIOPSDevice 0 rate", "linux resources hugepageLimits 0 pageSize",
    "linux resources hugepageLimits 0 limit", "linux resources network priorities 0 name",
    "linux resources network priorities 0 priority", "linux memoryPolicy mode", "linux seccomp defaultAction",
    "linux seccomp syscalls 0 names", "linux seccomp syscalls 0 action",
    "linux seccomp syscalls 2 args 0 index",
    "linux seccomp syscalls 2 args 0 value", "linux seccomp syscalls 2 args 0 op", "linux personality domain",
]  # fmt: skip
# Where, a value that is refused there, and a word of the message.
REFUSED: list[tuple[str, Any, str]] = [
    ("ociVersion", "invalid", "semantic version"),
    ("ociVersion", "2.0.0", "semantic version"),
    ("ociVersion", 1, "a string"),
    ("root path", "", "not be empty"),
    ("root readonly", "yes", "true or false"),
    ("hostname", 5, "a string"),
    ("annotations com.example.owner", 5, "a string"),
    ("mounts 0 destination", "", "not be empty"),
    ("mounts 1 options 0", 5, "a string"),
    ("process cwd", "work", "absolute path"),
    ("process args", [], "not be empty"),
    ("process env 0", None, "a string"),
    ("process terminal", 1, "true or false"),
    ("process rlimits 0 type", "RLIMIT_TEST", "one of RLIMIT_AS, "),
    ("process scheduler policy", "SCHED_BEST", "one of SCHED_OTHER, "),
    ("process scheduler flags 0", "x", "one of SCHED_FLAG_"),
    ("process ioPriority class", "IOPRIO_CLASS_NONE", "one of IOPRIO_CLASS_RT, "),
    ("process execCPUAffinity initial", "3-1", "0-3,7"),
    ("process capabilities bounding", "CAP_KILL", "an array"),
    ("hooks prestart", {}, "an array"),
    ("hooks prestart 0 path", "hook", "absolute path"),
    ("linux namespaces 0 type", "pod", "one of pid, "),
    ("linux namespaces 7 path", "netns", "absolute path"),
    ("linux devices 0 type", "a", "one of c, b, u, p"),
    ("linux devices 0 path", "dev/x", "absolute path"),
    ("linux netDevices eth1", "eth0", "an object"),
    ("linux maskedPaths 0", "proc/kcore", "absolute path"),
    ("linux readonlyPaths 0", "proc/sys", "absolute path"),
    ("linux rootfsPropagation", "rbind", "one of shared, "),
    ("linux sysctl net.ipv4.ip_forward", 1, "a string"),
    ("linux personality domain", "LINUX64", "one of LINUX, LINUX32"),
    ("linux personality flags", ["x"], "must be empty"),
    ("linux intelRdt closID", "a/b", "one directory"),
    ("linux intelRdt memBwSchema", "L3:0=1", "MB:"),
    ("linux intelRdt schemata 0", "a\nb", "newline"),
    ("linux memoryPolicy mode", "MPOL_BEST", "one of MPOL_DEFAULT, "),
    ("linux memoryPolicy nodes", "a", "0-3,7"),
    ("linux memoryPolicy flags 0", "x", "one of MPOL_F_"),
    ("linux resources devices 1 type", "u", "one of a, c, b"),
    ("linux resources devices 1 access", "x", "r, w and m"),
    ("linux resources hugepageLimits 0 pageSize", "2M", "huge page size"),
    ("linux resources network priorities 0 name", "", "not be empty"),
    ("linux resources unified memory.high", 5, "a string"),
    ("linux seccomp defaultAction", "SCMP_ACT_PANIC", "one of SCMP_ACT_KILL, "),
    ("linux seccomp architectures 0", "SCMP_ARCH_Z80", "one of SCMP_ARCH_X86, "),
    ("linux seccomp flags 0", "x", "one of SECCOMP_FILTER_FLAG_"),
    ("linux seccomp syscalls 0 action", "x", "one of SCMP_ACT_KILL, "),
    ("linux seccomp syscalls 0 names", [], "not be empty"),
    ("linux seccomp syscalls 0 names 0", "", "not be empty"),
    ("linux seccomp syscalls 2 args 0 op", "x", "one of SCMP_CMP_NE, "),
]
ACCEPTED: list[tuple[str, Any]] = [
    ("ociVersion", "1.0.2-dev"),
    ("hostname", ""),
    ("process capabilities bounding", ["CAP_TEST", "anything"]),
    ("mounts 1 options", ["any", "option=1", ""]),
    ("mounts 0 destination", "not/absolute"),
    ("linux namespaces 7 path", ""),
    ("linux cgroupsPath", "system.slice:stave:x"),
    ("linux rootfsPropagation", "rshared"),
    ("linux resources memory", {}),
    ("linux resources cpu cpus", ""),
    ("linux seccomp syscalls", []),
    ("process execCPUAffinity", {}),
    ("process env", []),
    ("linux intelRdt closID", "/"),
    ("windows", "not looked at"),
]


@pytest.mark.parametrize(("where", "low", "high"), RANGES)
def test_range(where: str, low: int, high: int, full: Any) -> None:
    """Both ends are taken; one beyond either end is refused, with the limit in the message."""
    at = "/" + where.replace(" ", "/")
    for value in (low, high):
        assert _schema_says(full, where, value) == []
    assert _schema_says(full, where, low - 1) == [(at, f"must be at least {low}, is {low - 1}")]
    assert _schema_says(full, where, high + 1) == [(at, f"must be at most {high}, is {high + 1}")]


@pytest.mark.parametrize("where", REQUIRED)
def test_required(where: str, full: Any) -> None:
    """Without the member the document is refused, and the problem points to it."""
    assert _schema_says(full, where, DELETE) == [("/" + where.replace(" ", "/"), "is required")]


@pytest.mark.parametrize(("where", "value", "words"), REFUSED)
def test_refused(where: str, value: Any, words: str, full: Any) -> None:
    """The value is refused where it stands, in words that say what would be right."""
    [(at, message)] = _schema_says(full, where, value)
    assert at == pointer(*where.split(" "))
    assert words in message


@pytest.mark.parametrize(("where", "value"), ACCEPTED)
def test_accepted(where: str, value: Any, full: Any) -> None:
    """What the specification leaves open, or real engines write, is taken."""
    assert _schema_says(full, where, value) == []


@pytest.mark.parametrize("kind", ["config", "process", "resources"])
def test_corpus_uses_every_property(kind: str, full: Any) -> None:
    """The document behind these tests has every property that the schemas know, so none goes unseen."""
    document = {"config": full, "process": full["process"], "resources": full["linux"]["resources"]}[kind]
    missing: list[str] = []
    _collect_missing(schema.bundle(kind), schema.bundle(kind), [document], "", missing)
    assert missing == []


def test_every_integer_is_in_the_table() -> None:
    """Each range of integers that a schema names is tested at its ends above."""
    bundle = schema.bundle("config")
    named = {(node["minimum"], node["maximum"]) for node in _nodes(bundle) if node.get("type") == "integer"}
    tested = {(low, high) for _, low, high in RANGES}
    elsewhere = {(0, 2**31 - 1), (0, 2**63 - 1)} - tested
    assert named - tested - elsewhere == set()


def test_subset_is_closed() -> None:
    """Schemas use only keywords that the reference has words for, and every object names its section."""
    words = {"enum", "minimum", "maximum", "minItems", "maxItems", "minLength", "format", "type", "required"}
    structure = {
        "properties",
        "additionalProperties",
        "items",
        "definitions",
        "x-spec",
        "description",
        "$schema",
        "$ref",
    }
    for kind in schema.KINDS:
        for node in _nodes(schema.bundle(kind)):
            assert node.keys() <= words | structure, node


def test_unknown_kind() -> None:
    """Asking for a kind of document that there is no schema for names those there are."""
    with pytest.raises(ValueError, match="unknown kind of document: 'image', known are config, process"):
        schema.bundle("image")


STATE = {
    "ociVersion": "0.2.0",
    "id": "web",
    "status": "running",
    "pid": 4422,
    "bundle": "/b",
    "annotations": {},
}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({}, None),
        ({"status": "paused", "pid": DELETE}, None),
        ({"status": "stopped", "pid": 0, "annotations": DELETE, "rootfs": "/extra"}, None),
        ({"pid": DELETE}, "/pid"),
        ({"status": "created", "pid": DELETE}, "/pid"),
        ({"pid": -1}, "/pid"),
        ({"bundle": "b"}, "/bundle"),
        ({"id": ""}, "/id"),
        ({"ociVersion": "1"}, "/ociVersion"),
        ({"annotations": {"a": 1}}, "/annotations/a"),
        ({"status": DELETE}, "/status"),
    ],
)
def test_state(change: dict[str, Any], where: str | None) -> None:
    """The state's members are checked, and pid is required of what has a process."""
    state = {key: value for key, value in {**STATE, **change}.items() if value is not DELETE}
    assert [problem.pointer for problem in reference.problems(state, "state")] == ([where] if where else [])


FEATURES: dict[str, Any] = {
    "ociVersionMin": "1.0.0",
    "ociVersionMax": "1.3.0",
    "hooks": ["prestart"],
    "mountOptions": None,
    "linux": {
        "namespaces": ["pid"], "capabilities": [], "cgroup": {"v1": True, "rdma": None},
        "seccomp": {"enabled": True, "actions": [], "operators": None, "archs": [], "knownFlags": []},
        "apparmor": {"enabled": False}, "selinux": None, "memoryPolicy": {"modes": [], "flags": None},
        "intelRdt": {"enabled": True, "schemata": False, "monitoring": None},
        "mountExtensions": {"idmap": {"enabled": True}}, "netDevices": {},
    },
    "annotations": {"a": "b"},
    "potentiallyUnsafeConfigAnnotations": ["org.systemd.property."],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({}, None),
        ({"linux": None, "hooks": None, "annotations": None}, None),
        ({"ociVersionMax": "1.0.0"}, None),
        ({"ociVersionMin": "1.2.0-rc.1", "ociVersionMax": "1.2.0"}, None),
        ({"ociVersionMin": "1.2.0-rc.2", "ociVersionMax": "1.2.0-rc.10"}, None),
        ({"ociVersionMin": "1.2.0-1", "ociVersionMax": "1.2.0-rc"}, None),
        ({"ociVersionMin": "1.2.0", "ociVersionMax": "1.2.0-rc.1"}, "/ociVersionMax"),
        ({"ociVersionMin": "1.10.0", "ociVersionMax": "1.9.0"}, "/ociVersionMax"),
        ({"ociVersionMin": "1.0"}, "/ociVersionMin"),
        ({"ociVersionMin": DELETE}, "/ociVersionMin"),
        ({"hooks": [None]}, "/hooks/0"),
        ({"linux": {"cgroup": {"v2": 1}}}, "/linux/cgroup/v2"),
        ({"linux": {"seccomp": {"archs": "x"}}}, "/linux/seccomp/archs"),
        ({"linux": {"mountExtensions": {"idmap": {"enabled": "x"}}}}, "/linux/mountExtensions/idmap/enabled"),
    ],
)
def test_features(change: dict[str, Any], where: str | None) -> None:
    """The features' members are checked, may be null, and the versions are in order."""
    features = {key: value for key, value in {**FEATURES, **change}.items() if value is not DELETE}
    assert [problem.pointer for problem in reference.problems(features, "features")] == (
        [where] if where else []
    )


def test_full_document_satisfies_the_rules(full: Any) -> None:
    """The document behind these tests is wholly valid."""
    assert reference.problems(full) == list(rules.problems("config", full)) == []


def _schema_says(document: Any, where: str, value: Any) -> list[tuple[str, str]]:
    """What the reference says after the change, once the generated check has been seen to agree."""
    changed = copy.deepcopy(document)
    parent = changed
    *path, last = [int(part) if part.isdigit() else part for part in where.split(" ")]
    for key in path:
        parent = parent[key]
    if value is DELETE:
        del parent[last]
    else:
        parent[last] = value
    found = reference.schema_problems(changed)
    assert accepts("config", changed) == (not found)
    return [(problem.pointer, problem.message) for problem in found]


def _nodes(node: Any) -> list[dict[str, Any]]:
    """All schemas within a schema."""
    children = [*node.get("properties", {}).values(), *node.get("definitions", {}).values()]
    children += [node[key] for key in ("items", "additionalProperties") if key in node]
    return [node] + [found for child in children for found in _nodes(child)]


def _collect_missing(
    node: Any, bundle: dict[str, Any], values: list[Any], at: str, missing: list[str]
) -> None:
    """Names of properties that none of the values at this place has."""
    if "$ref" in node:
        node = schema.definition(bundle, node["$ref"])
    for name, member in node.get("properties", {}).items():
        found = [value[name] for value in values if name in value]
        if not found:
            missing.append(f"{at}/{name}")
        _collect_missing(member, bundle, found, f"{at}/{name}", missing)
    if "items" in node:
        _collect_missing(
            node["items"], bundle, [item for value in values for item in value], f"{at}/*", missing
        )
    if "additionalProperties" in node:
        items = [item for value in values for item in value.values()]
        _collect_missing(node["additionalProperties"], bundle, items, f"{at}/*", missing)
