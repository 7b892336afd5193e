"""Changing the limits of groups that are in use: what is to be written, in which order, and back again.

Everything up to `carry_out` is decided from what is configured and what the files hold now.
"""

from __future__ import annotations

from math import inf

from stave.cgroups.operations import write_cgroup, write_failure
from stave.cgroups.writes import POINTER
from stave.errors import ConfigError, Error, KernelError
from stave.host.facts import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any

    from ocispec.types import Resources
    from stave.plan.program import Operation

# Where 0, false or nothing is a value, and not what callers write for "unchanged".
_ZERO_COUNTS = frozenset(
    (
        "pids/limit", "memory/swappiness", "memory/disableOOMKiller", "memory/useHierarchy",
        "memory/checkBeforeUpdate", "cpu/idle", "cpu/burst",
    )
)  # fmt: skip
# What tells the entries of a list apart.
_KEYS = {"hugepageLimits": ("pageSize",), "priorities": ("name",)}
_DEVICE = ("major", "minor")


def merge(old: Resources, changes: Resources) -> Resources:
    """The old resources with the changes in them; device rules stay as they are.

    Entries of lists replace those for the same device, page size or interface. Without memory limit there is
    none for memory and swap together either, unless the changes say otherwise.
    """
    merged: dict[str, Any] = dict(old)
    for section, change in changes.items():
        before: Any = merged.get(section, {})
        if section == "devices":
            continue
        if isinstance(change, list):
            merged[section] = _merge_entries(before or [], change, _KEYS[section])
        elif section in ("rdma", "unified"):
            merged[section] = _merge_map(before, change)  # type: ignore[arg-type]
        else:
            merged[section] = _merge_section(section, before, change)  # type: ignore[arg-type]
    memory = merged.get("memory", {})
    if memory.get("limit", 0) < 0 and memory.get("swap", 0) > 0 and not changes.get("memory", {}).get("swap"):
        memory["swap"] = -1
    return merged  # type: ignore[return-value]


def _merge_section(section: str, before: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(before)
    for name, value in change.items():
        if isinstance(value, list):
            merged[name] = _merge_entries(merged.get(name, []), value, _KEYS.get(name, _DEVICE))
        elif value or f"{section}/{name}" in _ZERO_COUNTS:
            merged[name] = value
    return merged


def _merge_entries(
    before: Sequence[dict[str, Any]], change: Iterable[dict[str, Any]], keys: Sequence[str]
) -> list[dict[str, Any]]:
    merged = {tuple(entry[key] for key in keys): entry for entry in before}
    for entry in change:
        key = tuple(entry[key] for key in keys)
        merged[key] = {**merged.get(key, {}), **entry}
    return list(merged.values())


def _merge_map(before: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(before)
    for name, value in change.items():
        merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
    return merged


def select(old: Collection[Operation], new: Iterable[Operation], changes: Resources) -> list[Operation]:
    """The operations for the new limits that are not those for the old, or that the changes ask for.

    What was asked for is written even if it was configured before: somebody else may have changed the file.
    """
    asked = {f"{POINTER}/{section}" for section in changes if section != "devices"}
    for section in ("memory", "cpu", "blockIO", "network", "pids"):
        asked.discard(f"{POINTER}/{section}")
        change: Mapping[str, Any] = changes.get(section, {})  # type: ignore[assignment]
        for name, value in change.items():
            if value or f"{section}/{name}" in _ZERO_COUNTS:
                asked.add(f"{POINTER}/{section}/{name}")
    # cgroup v2 has one file for quota and period; an idle group takes no weight, and forgets the one it had.
    for one, other in (("period", "quota"), ("idle", "shares"), ("shares", "idle")):
        if f"{POINTER}/cpu/{one}" in asked:
            asked.add(f"{POINTER}/cpu/{other}")
    return [each for each in new if each not in old or not asked.isdisjoint(_prefixes(each.pointer))]


def _prefixes(pointer: str) -> list[str]:
    parts = pointer.split("/")
    return ["/".join(parts[:length]) for length in range(4, len(parts) + 1)]


class Write:
    """One value for one file: the property's pointer, and what the file held before (None: unreadable)."""

    __slots__ = ("file", "value", "pointer", "before")

    def __init__(self, file: str, value: str, pointer: str, before: str | None) -> None:
        self.file = file
        self.value = value
        self.pointer = pointer
        self.before = before

    @property
    def name(self) -> str:
        """The file's name in its group."""
        return self.file.rpartition("/")[2]


def read_current(operations: Iterable[Operation]) -> list[Write]:
    """The writes that these operations come down to here, with what their files hold now.

    Raises:
        KernelError: a file is not there; nothing has been written.
    """
    writes = []
    for operation in operations:
        files, values = operation.arguments
        if operation.name == "write_cgroup":
            files, values = [files], [values]
        write = _first_there(files, values, operation.pointer)
        if write is not None:
            writes.append(write)
    return writes


def _first_there(files: Sequence[str], values: Sequence[str], pointer: str) -> Write | None:
    for file, value in zip(files, values, strict=True):
        if not file:
            return None
        try:
            return Write(file, value, pointer, read_file(file))
        except FileNotFoundError as error:
            failure = write_failure(file, value, error)
        except OSError:
            return Write(file, value, pointer, None)
    raise _at(failure, pointer)


def order(writes: Sequence[Write]) -> list[Write]:
    """The same writes so that at no step the kernel sees values which contradict each other.

    It checks them against each other at every write: memory <= memory and swap, burst <= quota, real-time
    runtime <= period, and quota / period <= that of the group above; and it takes no weight for an idle group.
    """
    ordered = list(writes)
    named = {write.name: write for write in writes}
    for earlier, later, is_swapped in _ORDER:
        first, second = named.get(earlier), named.get(later)
        if first is None or second is None or not is_swapped(first, second):
            continue
        ordered.remove(second)
        ordered.insert(ordered.index(first), second)
    idle = named.get("cpu.idle")
    if idle is not None and idle.value == "1" and _value(idle.before) == 1:
        # The weight is kept in the configuration until the group is not idle any more.
        ordered = [write for write in ordered if write.name not in _WEIGHTS]
    return ordered


_WEIGHTS = ("cpu.shares", "cpu.weight")
# (a, b, when b has to be written before a, which otherwise comes first)
_ORDER: tuple[tuple[str, str, Callable[[Write, Write], bool]], ...] = (
    ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", lambda a, b: _value(a.value) > _value(b.before)),
    ("cpu.cfs_period_us", "cpu.cfs_quota_us", lambda a, _: _value(a.value) < _value(a.before)),
    ("cpu.cfs_quota_us", "cpu.cfs_burst_us", lambda a, b: _value(a.value) < _value(b.before)),
    ("cpu.max", "cpu.max.burst", lambda a, b: _value(a.value) < _value(b.before)),
    ("cpu.rt_period_us", "cpu.rt_runtime_us", lambda a, b: _value(a.value) < _value(b.before)),
    *((weight, "cpu.idle", lambda _, b: b.value == "0") for weight in _WEIGHTS),
)


def _value(text: str | None) -> float:
    """The first number of a file's content; infinity for "max" and -1, 0 for nothing."""
    word = (text or "0").split()[0] if (text or "0").strip() else "0"
    return inf if word in ("max", "-1") else int(word)


def undo_value(write: Write) -> str | None:
    """What brings the file back to where it was before the write; None if that is not known."""
    if write.before is None:
        return None
    name, before = write.name, write.before.strip()
    if name == "memory.oom_control":
        return before.partition("oom_kill_disable ")[2][:1]
    key, space, _ = write.value.partition(" ")
    if space:  # one entry of several
        for line in before.splitlines():
            if line.startswith(f"{key} "):
                return line
        unset = "0" if name.startswith("blkio.") else _UNSET.get(name, "")
        if unset:
            return f"{key} {unset}"
    return before or "\n"  # a write of nothing would not reach the kernel


_UNSET = {
    "io.max": "rbps=max wbps=max riops=max wiops=max",
    "io.weight": "default",
    "io.bfq.weight": "default",
    "rdma.max": "hca_handle=max hca_object=max",
    "net_prio.ifpriomap": "0",
}


def check_usage(paths: Mapping[str, str], new: Resources, changes: Resources) -> None:
    """With memory.checkBeforeUpdate a limit is not below what is in use: the kernel would kill for it.

    Raises:
        ConfigError: it is.
    """
    memory, change = new.get("memory", {}), changes.get("memory", {})
    if not memory.get("checkBeforeUpdate"):
        return
    v2 = "" in paths
    group = paths.get("") if v2 else paths.get("memory")
    used = int(read_file(f"{group}/memory.{'current' if v2 else 'usage_in_bytes'}"))
    _check_limit("limit", memory.get("limit", 0) if change.get("limit") else 0, used)
    if change.get("swap") and memory.get("swap", 0) > 0:
        if v2:
            used += int(read_file(f"{group}/memory.swap.current"))
        else:
            used = int(read_file(f"{group}/memory.memsw.usage_in_bytes"))
        _check_limit("swap", memory["swap"], used)


def _check_limit(name: str, limit: int, used: int) -> None:
    if 0 < limit < used:
        reason = f"{limit} is less than the {used} bytes in use, and checkBeforeUpdate is set"
        raise ConfigError(f"{POINTER}/memory/{name}", reason)


def carry_out(writes: Sequence[Write]) -> None:
    """All values are written, or none: after a failure the files hold what they held before.

    Raises:
        KernelError: the write that failed.
        Error: the same, and something could not be set back.
    """
    done: list[Write] = []
    try:
        for write in writes:
            try:
                write_cgroup(write.file, write.value)
            except KernelError as error:
                raise _at(error, write.pointer) from error
            done.append(write)
    except BaseException as error:
        if left := set_back(done):
            raise Error(f"{', '.join(left)} could not be set back after: {error}") from error
        raise


def set_back(done: Sequence[Write]) -> list[str]:
    """The files hold what they held before these writes, but for those that are returned."""
    left = []
    for write in reversed(done):
        try:
            value = undo_value(write)
            if value is None:
                left.append(write.file)
            else:
                write_cgroup(write.file, value)
        except KernelError:
            left.append(write.file)
    return left


def _at(error: KernelError, pointer: str) -> KernelError:
    return KernelError(error.operation, error.errno, pointer, hint=error.hint)
