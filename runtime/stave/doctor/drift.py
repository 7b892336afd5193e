"""Limits that containers were given, against those that the kernel has now.

Other programs write to the same files: systemd on a reload, an administrator, a second manager. What the files
cannot tell, device rules, is left out.
"""

from __future__ import annotations

import posix
import resource

from stave.cgroups.plan import plan_limits
from stave.container.state import STOPPED, Container, list_all
from stave.doctor.finding import Finding, setting
from stave.errors import Error, describe
from stave.host.facts import Facts

GROUP = "containers"
_PAGE = resource.getpagesize()
_UNREADABLE = frozenset(("devices.allow", "devices.deny"))


def examine(root: str, facts: Facts) -> list[Finding]:
    """A finding per container below `root` that has not ended."""
    findings = []
    for record in list_all(root):
        if record["status"] == STOPPED:
            continue
        try:
            differences = drift(Container.load(root, record["id"]), facts)
        except Error as error:
            findings.append(Finding(GROUP, record["id"], False, str(error)))
            continue
        cure = "stave update sets them anew; find out who changed them"
        detail = "; ".join(differences) if differences else "limits as configured"
        findings.append(Finding(GROUP, record["id"], not differences, detail, cure))
    return findings


def drift(container: Container, facts: Facts) -> list[str]:
    """The limits that differ, each as "property: FILE is ACTUAL, should be CONFIGURED"."""
    resources = container.config().get("linux", {}).get("resources", {})
    differences = []
    for operation in plan_limits(resources, container.state["cgroups"], facts.cgroups):
        if operation.name == "write_cgroup":
            files, wanted = [operation.arguments[0]], [operation.arguments[1]]
        elif operation.name == "write_cgroup_first":
            files, wanted = operation.arguments
        else:
            continue
        file, value = next(
            ((file, value) for file, value in zip(files, wanted, strict=True) if file and _exists(file)),
            ("", ""),
        )
        if not file or file.rpartition("/")[2] in _UNREADABLE:
            continue
        actual = setting(file)
        if actual is not None and not same(file.rpartition("/")[2], value, actual):
            shown = " ".join(actual.split())
            differences.append(f"{describe(operation.pointer)}: {file} is {shown!r}, should be {value!r}")
    return differences


def _exists(file: str) -> bool:
    try:
        posix.stat(file)
    except OSError:
        return False
    return True


def same(file: str, wanted: str, actual: str) -> bool:
    """Whether a cgroup file that was given `wanted` may well show `actual`.

    >>> same("cpuset.cpus", "0,1", "0-1"), same("memory.limit_in_bytes", "-1", "9223372036854771712")
    (True, True)
    >>> same("io.max", "8:0 rbps=1000", "8:0 rbps=1000 wbps=max riops=max wiops=max")
    True
    >>> same("pids.max", "10", "20")
    False
    """
    if file.startswith("cpuset.") and not file.endswith(".partition"):
        return _numbers(wanted) == _numbers(actual)
    if file == "memory.oom_control":
        return f"oom_kill_disable {wanted}" in actual.splitlines()
    words = wanted.split()
    for line in actual.splitlines():
        shown = line.split()
        if len(words) > 1 and ":" in words[0]:  # one line per device
            if shown[:1] == words[:1] and set(words) <= set(shown):
                return True
        elif all(_same_word(a, b) for a, b in zip(words, shown, strict=False)) and len(words) <= len(shown):
            return True
    return not actual and not _lasting(words)


def _same_word(wanted: str, actual: str) -> bool:
    if wanted == actual:
        return True
    if not wanted.lstrip("-").isdigit() or not actual.lstrip("-").isdigit():
        return False
    number, shown = int(wanted), int(actual)
    # Limits are kept in pages; none at all is shown as the largest number of them.
    return shown == number // _PAGE * _PAGE or number == -1 and shown >= 2**63 - 2 * _PAGE


def _lasting(words: list[str]) -> bool:
    """Whether the kernel would show a line for it: a device's rates of 0 or max are no limits at all."""
    return any(word.rpartition("=")[2] not in ("0", "max") for word in words[1:] or words)


def _numbers(text: str) -> set[int]:
    """The members of a list such as "0-2,4"."""
    members: set[int] = set()
    for part in text.replace("\n", "").split(","):
        first, _, last = part.partition("-")
        if first:
            members.update(range(int(first), int(last or first) + 1))
    return members
