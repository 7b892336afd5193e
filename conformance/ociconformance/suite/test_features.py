"""The features document: its form, and that what it lists is recognised."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ociconformance import isolation, machine
from ociconformance.bundle import bind, hook, mount
from ociconformance.container import Container
from ociconformance.plugin import NewContainer
from ociconformance.runtime import Runtime, minor
from ociconformance.testing import covers, unclaimed
from ocispec.reference import problems

Features = dict[str, Any]


def listed(features: Features, *path: str) -> list[str]:
    """A list somewhere in the document; the test is about nothing without it."""
    found: Any = features
    for name in path:
        found = (found or {}).get(name)
    if not found:
        unclaimed(".".join(path))
    return list(found)


@covers("features/version-min/present", "features/version-max/present", "features/version-max/order")
def test_versions(features: Features) -> None:
    """The two versions are there, in order."""
    assert minor(features["ociVersionMin"]) <= minor(features["ociVersionMax"])


@covers("features/version-min/accepted", "features/version-max/accepted")
@pytest.mark.parametrize("name", ["ociVersionMin", "ociVersionMax"])
def test_versions_are_accepted(container: Container, features: Features, name: str) -> None:
    """A configuration of either version is accepted."""
    container.config["ociVersion"] = features[name]
    assert container.says("echo hello") == "hello"


@covers("features/compile-time")
def test_of_another_machine(features: Features, runtime: Runtime) -> None:
    """The document is the same where nothing can be learnt of the kernel and its control groups."""
    isolation.mount("none", "/sys", "tmpfs")
    isolation.mount("none", "/proc/sys", "tmpfs")
    outcome = runtime("features")
    assert outcome.status == 0, str(outcome)
    assert json.loads(outcome.output) == features


@covers("features/unknown-properties", "features/annotations/map")
def test_schema(features: Features) -> None:
    """The document has the properties of the specification, in its forms, and no others."""
    assert [str(problem) for problem in problems(features, "features")] == []
    known = {
        "ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations",
        "potentiallyUnsafeConfigAnnotations",
    }  # fmt: skip
    assert set(features) <= known
    known = {
        "namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "memoryPolicy", "intelRdt",
        "mountExtensions", "netDevices",
    }  # fmt: skip
    assert set(features.get("linux") or {}) <= known


@covers("features/hooks")
def test_hooks(container: Container, features: Features) -> None:
    """Every kind of hook that is listed runs."""
    kinds = listed(features, "hooks")
    file = container.rootfs / "tmp" / "kinds"
    container.hooks(
        **{
            kind: [hook(f"echo {kind} >> {'/tmp/kinds' if kind == 'startContainer' else file}")]
            for kind in kinds
        }
    )
    container.run()
    container.delete()
    assert set(file.read_text().split()) == set(kinds)


_BIG_ENDIAN = {
    f"SCMP_ARCH_{name}"
    for name in "MIPS MIPS64 MIPS64N32 PPC PPC64 S390 S390X PARISC PARISC64 M68K SHEB".split()
}

_NEED_MORE = {"remount", "idmap", "ridmap", "bind", "rbind"}


@covers("features/mount-options")
def test_mount_options(new_container: NewContainer, features: Features, place: Path) -> None:
    """Every mount option that is listed is recognised: a file system refuses what is passed on to it."""
    names = [name for name in listed(features, "mountOptions") if name not in _NEED_MORE]
    # Several at a time; only if that fails does every one get a container, on a new file system or on a bind.
    refused = [
        name
        for start in range(0, len(names), 12)
        if not mounted(new_container(), names[start : start + 12], None)
        for name in names[start : start + 12]
        if not mounted(new_container(), [name], None) and not mounted(new_container(), [name], place)
    ]
    assert refused == []


def mounted(container: Container, names: list[str], source: Path | None) -> bool:
    """Whether a container can be created with a mount for each of these options, a tmpfs or a bind of the source."""
    for name in names:
        at = f"/mnt/{name}"
        container.mount(bind(source, at, name) if source else mount(at, name, type="tmpfs", source="tmpfs"))
    return container.try_create().status == 0


@covers("features/mount-options-data")
def test_no_options_of_file_systems(features: Features) -> None:
    """No option is listed that is passed on to a file system."""
    assert not {"size", "mode", "uid", "gid", "nr_inodes", "data", "lowerdir", "upperdir"} & {
        word.partition("=")[0] for word in listed(features, "mountOptions")
    }


@covers("features/linux/namespaces")
def test_namespaces(container: Container, features: Features) -> None:
    """Every type of namespace that is listed is recognised."""
    for type in listed(features, "linux", "namespaces"):
        container.namespace(type)
    container.user_namespace()
    assert container.says("echo hello") == "hello"


@covers("features/linux/capabilities")
def test_capabilities(container: Container, features: Features) -> None:
    """Every capability that is listed is recognised; the kernel's are granted as far as the runtime has them."""
    names = listed(features, "linux", "capabilities")
    for name in ("bounding", "effective", "permitted"):
        container.process["capabilities"][name] = names
    outcome = container.try_create()
    assert "unknown capabilit" not in outcome.errors
    assert outcome.status == 0 or "not permitted" in outcome.errors, str(outcome)


@covers("features/linux/seccomp/actions", "features/linux/seccomp/operators")
def test_seccomp(new_container: NewContainer, features: Features) -> None:
    """Every action and operator that is listed is recognised."""
    operators = listed(features, "linux", "seccomp", "operators")
    arguments = [[{"index": 0, "value": 1, "valueTwo": 1, "op": op}] for op in operators]
    for action in listed(features, "linux", "seccomp", "actions"):
        if action == "SCMP_ACT_NOTIFY":
            # It needs an agent: seccomp::test_notify.
            continue
        container = new_container()
        container.linux["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW" if action != "SCMP_ACT_ALLOW" else "SCMP_ACT_LOG",
            "syscalls": [{"names": ["mkdir"], "action": action, "args": args} for args in arguments],
        }
        assert container.says("echo hello") == "hello", action


@covers("features/linux/seccomp/archs")
def test_architectures(container: Container, features: Features) -> None:
    """Every architecture that is listed is recognised. One filter can't be for both byte orders."""
    order = sys.byteorder == "big"
    names = [name for name in listed(features, "linux", "seccomp", "archs") if (name in _BIG_ENDIAN) == order]
    container.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": names,
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}],
    }
    assert container.says("echo hello") == "hello"


@covers("features/linux/seccomp/known-flags", "features/linux/seccomp/supported-flags")
def test_seccomp_flags(new_container: NewContainer, features: Features) -> None:
    """Every flag that is listed as supported works."""
    for flag in listed(features, "linux", "seccomp", "supportedFlags"):
        if flag == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV":
            # It goes with SCMP_ACT_NOTIFY alone.
            continue
        container = new_container()
        container.linux["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "flags": [flag],
            "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}],
        }
        assert container.says("echo hello") == "hello", flag


@covers("features/linux/memory-policy/modes", "features/linux/memory-policy/flags")
def test_memory_policy(new_container: NewContainer, features: Features) -> None:
    """Every mode and flag of memory policies that is listed is recognised."""
    flags = listed(features, "linux", "memoryPolicy", "flags")
    without_nodes = ("MPOL_DEFAULT", "MPOL_LOCAL")
    for mode in listed(features, "linux", "memoryPolicy", "modes"):
        if mode == "MPOL_WEIGHTED_INTERLEAVE" and machine.kernel() < (6, 9):
            continue
        container = new_container()
        nodes = {} if mode in without_nodes else {"nodes": "0"}
        container.linux["memoryPolicy"] = {"mode": mode, **nodes}
        outcome = container.try_create()
        assert outcome.status == 0, f"{mode}: {outcome}"
    for flag in flags:
        container = new_container()
        container.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]}
        outcome = container.try_create()
        assert outcome.status == 0, f"{flag}: {outcome}"


@covers("features/linux/idmap")
def test_idmap(container: Container, features: Features, place: Path) -> None:
    """Mappings of a mount are recognised exactly if the document says so."""
    said = ((features.get("linux") or {}).get("mountExtensions") or {}).get("idmap")
    if said is None:
        unclaimed("mountExtensions.idmap")
    mappings = [{"containerID": 0, "hostID": 5000, "size": 10}]
    container.mount({**bind(place, "/tmp", "idmap"), "uidMappings": mappings, "gidMappings": mappings})
    outcome = container.try_create()
    if not said.get("enabled"):
        assert outcome.status != 0
    else:
        assert outcome.status == 0 or "nvalid argument" in outcome.errors, str(outcome)
