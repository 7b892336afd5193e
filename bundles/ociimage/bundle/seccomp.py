"""Seccomp profiles: ours, and files in docker's form or in the specification's.

Spec: config-linux.md#seccomp
"""

from __future__ import annotations

from ociimage.errors import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ocispec.types import Seccomp, Syscall

_ALLOW = "SCMP_ACT_ALLOW"
_EPERM = 1
_ENOSYS = 38


def default_profile(capabilities: Sequence[str], architecture: str) -> Seccomp:
    """Our own profile for a container with these capabilities (CAP_...).

    Args:
        architecture: as Go calls it (amd64, arm64 ...).
    """
    from ociimage.bundle import seccomp_default as data

    names = list(data.ALWAYS) + data.BY_ARCHITECTURE.get(architecture, [])
    # Since Linux 4.8 a traced process cannot get past its filter.
    names += ["ptrace", "process_vm_readv", "process_vm_writev", "kcmp"]
    for capability, more in data.BY_CAPABILITY.items():
        if capability in capabilities:
            names += more
    rules: list[Syscall] = [
        {"names": sorted(set(names)), "action": _ALLOW},
        *(
            _rule("personality", [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}])
            for value in data.PERSONALITIES
        ),
        # Ranges, as a rule's conditions all have to hold: below, between, and above what is not allowed.
        _rule("socket", [{"index": 0, "value": data.AF_ALG, "op": "SCMP_CMP_LT"}]),
        _rule("socket", [{"index": 0, "value": data.AF_ALG + 1, "op": "SCMP_CMP_EQ"}]),
        _rule("socket", [{"index": 0, "value": data.AF_VSOCK, "op": "SCMP_CMP_GT"}]),
    ]
    if "CAP_SYS_ADMIN" not in capabilities:
        # The flags are the second argument on s390, the first elsewhere.
        index = 1 if architecture == "s390x" else 0
        mask = data.CLONE_NAMESPACES
        condition = {"index": index, "value": mask, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
        rules.append(_rule("clone", [condition]))
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    profile: Seccomp = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "syscalls": rules,
    }
    if architecture in data.ARCHITECTURES:
        profile["architectures"] = list(data.ARCHITECTURES[architecture])
    return profile


def _rule(name: str, conditions: list[Any]) -> Syscall:
    return {"names": [name], "action": _ALLOW, "args": conditions}


def load_profile(data: bytes, capabilities: Sequence[str], architecture: str) -> Seccomp:
    """A profile from a file. Docker's form has rules that depend on capabilities, architecture and kernel.

    Raises: InvalidOption
    """
    from ocispec import jsontext
    from ocispec.errors import InvalidJSON

    try:
        value = jsontext.loads(data)
    except InvalidJSON as error:
        raise InvalidOption(f"seccomp profile: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("defaultAction"), str):
        raise InvalidOption("seccomp profile: no defaultAction")
    if "archMap" in value:
        if value.get("architectures"):
            raise InvalidOption("seccomp profile: both architectures and archMap")
        value["architectures"] = _mapped(value.pop("archMap"), architecture)
    rules = []
    for item in value.get("syscalls") or ():
        if not isinstance(item, dict):
            raise InvalidOption("seccomp profile: a rule is no object")
        if not _applies(item, capabilities, architecture):
            continue
        rule = {
            key: item[key] for key in ("names", "action", "errnoRet", "args") if item.get(key) is not None
        }
        if "name" in item:
            rule["names"] = [item["name"], *rule.get("names", [])]
        if rule.get("args") == []:
            del rule["args"]
        rules.append(rule)
    profile = {
        key: value[key]
        for key in (
            "defaultAction",
            "defaultErrnoRet",
            "architectures",
            "flags",
            "listenerPath",
            "listenerMetadata",
        )
        if value.get(key)
    }
    profile["syscalls"] = rules
    return profile  # type: ignore[return-value]


def _mapped(architectures: object, architecture: str) -> list[str]:
    from ociimage.bundle.seccomp_default import ARCHITECTURES

    own = ARCHITECTURES.get(architecture, ("",))[0]
    for item in architectures if isinstance(architectures, list) else ():
        if isinstance(item, dict) and item.get("architecture") == own:
            return [own, *(item.get("subArchitectures") or ())]
    return list(ARCHITECTURES.get(architecture, ()))


def _applies(rule: dict[str, Any], capabilities: Sequence[str], architecture: str) -> bool:
    """Whether all of `includes` hold and none of `excludes`."""
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if not isinstance(includes, dict) or not isinstance(excludes, dict):
        raise InvalidOption("seccomp profile: includes and excludes are objects")
    caps, arches = includes.get("caps") or (), includes.get("arches") or ()
    if arches and architecture not in arches:
        return False
    if not all(each in capabilities for each in caps):
        return False
    if includes.get("minKernel") and not _kernel_is(includes["minKernel"]):
        return False
    if architecture in (excludes.get("arches") or ()) or any(
        each in capabilities for each in excludes.get("caps") or ()
    ):
        return False
    return not (excludes.get("minKernel") and _kernel_is(excludes["minKernel"]))


def _kernel_is(minimum: object) -> bool:
    """Whether this kernel is of this version, or later."""
    import os

    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.replace("-", ".").split(".")[:2] if part.isdigit()]

    return isinstance(minimum, str) and numbers(os.uname().release) >= numbers(minimum)
