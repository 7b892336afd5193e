"""What a schema cannot say: rules between fields, checked after the schema has accepted the document.

Each rule is a generator of problems; none looks at the machine. Some come from the specification, some
are combinations that no kernel can carry out and that runc refuses before it starts as well.
"""

from __future__ import annotations

from ocispec import linux_rules
from ocispec.errors import Problem, pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ocispec.types import Config, Mount, Process, Scheduler

# The kernel's limit on both names, __NEW_UTS_LEN.
_MAX_HOSTNAME = 64
_MAX_TERMINAL = 65535
_PROCESS = "config.md#process"
_LINUX_PROCESS = "config.md#linux-process"
_MOUNTS = "config.md#mounts"


def problems(kind: str, document: Any) -> Iterator[Problem]:
    """What the rules for this kind of document find in one that its schema accepts."""
    if kind == "config":
        yield from config_problems(document)
    elif kind == "process":
        yield from process_problems(document, "")
    elif kind == "resources":
        yield from linux_rules.resources_problems(document, "")
    elif kind == "state":
        yield from state_problems(document)
    elif kind == "features":
        yield from features_problems(document)


def config_problems(config: Config) -> Iterator[Problem]:
    """Problems of a whole config.json."""
    private = {namespace["type"] for namespace in config.get("linux", {}).get("namespaces", ())}
    for name in ("hostname", "domainname"):
        yield from _uts_name(name, str(config.get(name, "")), "uts" in private)
    if "process" in config:
        yield from process_problems(config["process"], "/process")
    for index, mount in enumerate(config.get("mounts", ())):
        yield from _mount(mount, pointer("mounts", index), "user" in private)
    if "" in config.get("annotations", ()):
        yield Problem("/annotations/", "a key must not be empty", "config.md#annotations")
    if "linux" in config:
        yield from linux_rules.linux_problems(config, config["linux"])


def process_problems(process: Process, at: str) -> Iterator[Problem]:
    """Problems of a process object at this pointer: that of config.json, or the one `exec` is given."""
    if process.get("terminal") and "consoleSize" in process:
        console = process["consoleSize"]
        for name, size in (("height", console["height"]), ("width", console["width"])):
            if size > _MAX_TERMINAL:
                text = f"must be at most {_MAX_TERMINAL}, is {size}"
                yield Problem(f"{at}/consoleSize/{name}", text, _PROCESS)
    seen: set[str] = set()
    for index, rlimit in enumerate(process.get("rlimits", ())):
        where = f"{at}/rlimits/{index}"
        if rlimit["type"] in seen:
            yield Problem(where, f"{rlimit['type']} is limited twice", "config.md#posix-process")
        seen.add(rlimit["type"])
        if rlimit["soft"] > rlimit["hard"]:
            text = f"must be at most the hard limit {rlimit['hard']}, is {rlimit['soft']}"
            yield Problem(f"{where}/soft", text, "config.md#posix-process")
    if "scheduler" in process:
        yield from _scheduler(process["scheduler"], f"{at}/scheduler")


def state_problems(state: dict[str, Any]) -> Iterator[Problem]:
    """Problems of what the state command prints."""
    if state["status"] in ("created", "running") and "pid" not in state:
        yield Problem("/pid", f"is required when status is {state['status']}", "runtime.md#state")


def features_problems(features: dict[str, Any]) -> Iterator[Problem]:
    """Problems of what the features command prints."""
    lowest, highest = features["ociVersionMin"], features["ociVersionMax"]
    if _precedence(highest) < _precedence(lowest):
        text = f"must not be less than ociVersionMin {lowest}, is {highest}"
        yield Problem("/ociVersionMax", text, "features.md#specification-version")


def string_problems(document: object) -> Iterator[Problem]:
    """Every string, names included, that cannot be handed to the kernel as text."""
    todo: list[tuple[str, object]] = [("", document)]
    while todo:
        at, value = todo.pop()
        if isinstance(value, str):
            yield from _text(value, at, "")
        elif isinstance(value, list):
            todo.extend((f"{at}/{index}", item) for index, item in enumerate(value))
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from _text(key, at + pointer(key), "the name ")
                todo.append((at + pointer(key), item))


def _text(value: str, at: str, subject: str) -> Iterator[Problem]:
    if "\0" in value:
        yield Problem(at, f"{subject}must not contain a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in value):
        yield Problem(at, f"{subject}must be Unicode text, has half of a surrogate pair")


def _uts_name(name: str, value: str, private: bool) -> Iterator[Problem]:
    section = f"config.md#{name}"
    if value and not private:
        yield Problem(f"/{name}", "cannot be set without a uts namespace in linux.namespaces", section)
    length = len(value.encode(errors="replace"))
    if length > _MAX_HOSTNAME:
        yield Problem(f"/{name}", f"must be at most {_MAX_HOSTNAME} bytes, is {length}", section)


def _mount(mount: Mount, at: str, has_user_namespace: bool) -> Iterator[Problem]:
    options = mount.get("options", ())
    uids, gids = mount.get("uidMappings", []), mount.get("gidMappings", [])
    if bool(uids) != bool(gids):
        missing = "gidMappings" if uids else "uidMappings"
        yield Problem(f"{at}/{missing}", "is required: uidMappings and gidMappings go together", _MOUNTS)
    yield from linux_rules.id_mapping_problems(uids, f"{at}/uidMappings")
    yield from linux_rules.id_mapping_problems(gids, f"{at}/gidMappings")
    wants_mapping = "idmap" in options or "ridmap" in options
    if wants_mapping and not (uids or gids or has_user_namespace):
        text = "idmap needs uidMappings and gidMappings, or a user namespace"
        yield Problem(f"{at}/options", text, "config.md#linux-mount-options")


def _scheduler(scheduler: Scheduler, at: str) -> Iterator[Problem]:
    policy, priority = scheduler["policy"], scheduler.get("priority", 0)
    if policy in ("SCHED_FIFO", "SCHED_RR"):
        if not 1 <= priority <= 99:
            yield Problem(f"{at}/priority", f"must be 1 to 99 for {policy}, is {priority}", _LINUX_PROCESS)
    elif priority:
        yield Problem(f"{at}/priority", f"must be 0 for {policy}, is {priority}", _LINUX_PROCESS)
    runtime, deadline = scheduler.get("runtime", 0), scheduler.get("deadline", 0)
    period = scheduler.get("period", 0)
    if policy == "SCHED_DEADLINE":
        if not 0 < runtime <= deadline <= (period or deadline):
            text = "SCHED_DEADLINE needs 0 < runtime <= deadline <= period (or a period of 0)"
            yield Problem(at, text, _LINUX_PROCESS)
        return
    for name, value in (("runtime", runtime), ("deadline", deadline), ("period", period)):
        if value:
            yield Problem(f"{at}/{name}", f"is for SCHED_DEADLINE only, policy is {policy}", _LINUX_PROCESS)


def _precedence(version: str) -> tuple[list[int], bool, list[tuple[bool, int, str]]]:
    """What semantic versions are ordered by: a release comes after its pre-releases."""
    core, _, prerelease = version.partition("+")[0].partition("-")
    parts = [part for part in prerelease.split(".") if part]
    numbered = [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]
    return [int(number) for number in core.split(".")], not parts, numbered
