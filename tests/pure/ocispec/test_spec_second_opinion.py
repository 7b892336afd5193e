"""The schemas of specification 1.0.2 that Debian packages, asked about the same documents.

Where they and ours part, a reason is listed here; `docs/spec-validation.md` shows the list to readers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
import referencing.jsonschema
from hypothesis import given
from hypothesis import strategies as st

from ocispec import reference
from ocispec.config import without_nulls
from ocispec.errors import pointer

PACKAGED = Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema")
CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))
pytestmark = pytest.mark.skipif(
    not PACKAGED.is_dir(), reason="the package golang-github-opencontainers-specs-dev is not installed"
)

# Places that only ours refuses, the beginning of what it says, and why.
OURS_ONLY = [
    ("/root", "is required", "root is required on Linux"),
    ("/ociVersion", "must be a semantic version", "ociVersion is a semantic version 1.x"),
    ("/process/args", "is required", "at least one argument is required on Linux"),
    ("/process/args", "must not be empty", "at least one argument is required on Linux"),
    ("/process/user/?id", "is required", "uid and gid are required on POSIX systems"),
    ("*/?id", "must be at most 4294967294, is 4294967295", "2^32-1 is no id"),
    ("/process/user/additionalGids/*", "must be at most 4294967294, is 4294967295", "2^32-1 is no id"),
    ("*Mappings/*/*ID", "must be at most 4294967294, is 4294967295", "2^32-1 is no id"),
    ("*Mappings/*/size", "must be at least 1, is 0", "a mapping of nothing is refused by the kernel"),
    ("/process/cwd", "must be an absolute path", "paths that must be absolute are"),
    ("/linux/namespaces/*/path", "must be an absolute path", "paths that must be absolute are"),
    ("/linux/devices/*/path", "must be an absolute path", "paths that must be absolute are"),
    ("/linux/maskedPaths/*", "must be an absolute path", "paths that must be absolute are"),
    ("/linux/readonlyPaths/*", "must be an absolute path", "paths that must be absolute are"),
    ("/hooks/*/path", "must be an absolute path", "paths that must be absolute are"),
    ("/hooks/*/timeout", "must be at most", "integers end where Go's do"),
    ("/root/path", "must not be empty", "an empty name names nothing"),
    ("/mounts/*/destination", "must not be empty", "an empty name names nothing"),
    ("/linux/resources/network/priorities/*/name", "must not be empty", "an empty name names nothing"),
    ("/linux/seccomp/syscalls/*/names/*", "must not be empty", "an empty name names nothing"),
    ("/process/rlimits/*/type", "must be one of", "rlimits are those of getrlimit(2)"),
    ("/process/oomScoreAdj", "must be at", "the kernel takes oom_score_adj from -1000 to 1000"),
    ("/process/scheduler*", "", "added after 1.0.2"),
    ("/process/ioPriority*", "", "added after 1.0.2"),
    ("/process/execCPUAffinity*", "", "added after 1.0.2"),
    ("/linux/timeOffsets*", "", "added after 1.0.2"),
    ("/linux/netDevices*", "", "added after 1.0.2"),
    ("/linux/memoryPolicy*", "", "added after 1.0.2"),
    ("/linux/intelRdt/schemata*", "", "added after 1.0.2"),
    ("/linux/intelRdt/enableMonitoring", "", "added after 1.0.2"),
    ("/linux/intelRdt/closID", "must be the name", "closID is one directory or /"),
    ("/linux/personality/domain", "is required", "the domain of a personality is required"),
    ("/linux/personality/flags", "must be empty", "no flag of a personality is defined"),
    (
        "/linux/resources/devices/*/type",
        'must be one of a, c, b, is "',
        "rules for devices are of type a, b or c",
    ),
    ("/linux/resources/devices/*/m??or", "must be at least -1", "no negative number but -1 has a meaning"),
    ("/linux/resources/memory/*", "must be at least -1", "no negative number but -1 has a meaning"),
    ("/linux/resources/pids/limit", "must be at least -1", "no negative number but -1 has a meaning"),
    ("/linux/resources/blockIO/*/m??or", "must be at least 0", "no negative number but -1 has a meaning"),
    ("/linux/resources/devices/*/access", "must be made of", "access is made of r, w and m"),
    ("/linux/resources/memory/swappiness", "must be at most 100", "swappiness ends at 100"),
    ("/linux/resources/cpu/idle", "must be at", "idle is 0 or 1"),
    ("/linux/resources/blockIO/throttle*/rate", "is required", "a throttled device has a rate"),
    (
        "/linux/seccomp/*rrnoRet",
        "must be at most 65535",
        "the kernel keeps 16 bits of a seccomp return value",
    ),
    ("/linux/seccomp/syscalls/*/index", "must be at most 5", "system calls have six arguments"),
    ("/annotations/", "must be a string", "values under an empty name are looked at too"),
    ("/linux/sysctl/", "must be a string", "values under an empty name are looked at too"),
    ("/linux/resources/unified/", "must be a string", "values under an empty name are looked at too"),
]
# Places that only theirs refuses, the keyword, and why.
THEIRS_ONLY = [
    ("/linux/namespaces/*", "anyOf", "time namespaces were added after 1.0.2"),
    ("/linux/rootfsPropagation", "enum", "engines write the recursive forms rshared, rslave ... too"),
    ("/linux/seccomp/architectures/*", "enum", "architectures of libseccomp 2.6 were added after 1.0.2"),
    ("/linux/devices/*/fileMode", "maximum", "a file mode has more than the nine bits allowed there"),
    ("/linux/resources/pids", "required", "the limit of pids is optional"),
    ("/linux/resources/hugepageLimits/*/pageSize", "pattern", "page sizes may be of any unit, or of bytes"),
    ("/windows*", "", "sections of other systems are not looked at"),
    ("/solaris*", "", "sections of other systems are not looked at"),
    ("/vm*", "", "sections of other systems are not looked at"),
    ("/zos*", "", "sections of other systems are not looked at"),
    ("/process/commandLine", "type", "sections of other systems are not looked at"),
    ("/process/user/username", "type", "sections of other systems are not looked at"),
    ("/linux/intelRdt/enable?*", "type", "enableCMT and enableMBM were removed in 1.3"),
]

# What the single changes of the full document do not reach.
_PROCESS = {"cwd": "/", "args": ["sh"]}
_ALLOW = {"defaultAction": "SCMP_ACT_ALLOW"}
_CALL = {"names": ["x"], "action": "SCMP_ACT_ERRNO"}
_ARG = {"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}
OTHER_MEMBERS: list[dict[str, Any]] = [
    {"solaris": 5},
    {"vm": 5},
    {"zos": 5},
    {"process": {**_PROCESS, "commandLine": 5}},
    {"process": {**_PROCESS, "user": {"uid": 0, "gid": 0, "username": 5}}},
    {"process": {**_PROCESS, "rlimits": [{"type": "RLIMIT_TEST", "soft": 1, "hard": 1}]}},
    {"annotations": {"": 5}},
    {"linux": {"rootfsPropagation": "rslave"}},
    {"linux": {"intelRdt": {"closID": "a/b"}}},
    {"linux": {"sysctl": {"": 5}}},
    {"linux": {"resources": {"unified": {"": 5}}}},
    {"linux": {"intelRdt": {"enableCMT": 5}}},
    {"linux": {"namespaces": [{"type": "pid", "path": "x"}]}},
    {"linux": {"seccomp": {**_ALLOW, "defaultErrnoRet": 65536}}},
    {"linux": {"seccomp": {**_ALLOW, "syscalls": [{**_CALL, "names": [""]}]}}},
    {"linux": {"seccomp": {**_ALLOW, "syscalls": [{**_CALL, "args": [_ARG]}]}}},
]
_seen: set[tuple[str, str, str]] = set()


@pytest.fixture(scope="module")
def packaged() -> jsonschema.Draft4Validator:
    """A validator of config.json by the packaged schemas."""

    registry: referencing.Registry[Any] = referencing.Registry()
    for path in PACKAGED.glob("*.json"):
        content = json.loads(path.read_text())
        registry = registry.with_resource(path.name, referencing.jsonschema.DRAFT4.create_resource(content))
    schema = json.loads((PACKAGED / "config-schema.json").read_text())
    return jsonschema.Draft4Validator(schema, registry=registry.crawl())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: str(path.stem))
def test_corpus(path: Path, packaged: jsonschema.Draft4Validator) -> None:
    """Both accept the corpus, or the difference is listed."""
    _compare(without_nulls(json.loads(path.read_text())), packaged)


def test_documents(
    documents: Callable[[str], st.SearchStrategy[Any]], packaged: jsonschema.Draft4Validator
) -> None:
    """Both agree on what hypothesis comes up with, or the difference is listed."""

    @given(documents("config"))
    def compare(document: Any) -> None:
        _compare(document, packaged)

    compare()


def test_property_by_property(single_changes: list[Any], packaged: jsonschema.Draft4Validator) -> None:
    """Both agree when each property in turn is given odd values, but for all the differences listed."""
    others = [{"ociVersion": "1.0.0", "root": {"path": "r"}, **members} for members in OTHER_MEMBERS]
    for document in single_changes + others:
        _compare(document, packaged)
    assert [entry for entry in OURS_ONLY + THEIRS_ONLY if entry not in _seen] == []


def test_documented() -> None:
    """Every reason is in the table for readers."""
    pages = [parent / "docs" / "spec-validation.md" for parent in Path(__file__).parents]
    text = next(page for page in pages if page.is_file()).read_text()
    assert [reason for *_, reason in OURS_ONLY + THEIRS_ONLY if f"| {reason} |" not in text] == []


def _compare(document: Any, packaged: jsonschema.Draft4Validator) -> None:
    ours = [(problem.pointer, problem.message) for problem in reference.schema_problems(document)]
    theirs = [
        (pointer(*error.absolute_path), str(error.validator)) for error in packaged.iter_errors(document)
    ]
    if ours and not theirs:
        _check_listed(document, ours, OURS_ONLY)
    if theirs and not ours:
        _check_listed(document, theirs, THEIRS_ONLY)


def _check_listed(document: Any, problems: list[tuple[str, str]], table: list[tuple[str, str, str]]) -> None:
    for where, what in problems:
        entries = [entry for entry in table if fnmatchcase(where, entry[0]) and what.startswith(entry[1])]
        assert entries, f"not listed: {where}: {what} in {document}"
        _seen.update(entries)
