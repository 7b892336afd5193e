"""The mappings of a new user namespace, written by the runtime or by the programs that may."""

from __future__ import annotations

from stave.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocispec.types import IDMapping, Linux
    from stave.host.facts import Facts
    from stave.plan.program import Program

_KINDS = (("gid", "/linux/gidMappings"), ("uid", "/linux/uidMappings"))


def add_id_maps(program: Program, linux: Linux, facts: Facts, warnings: list[str]) -> None:
    """The container's user namespace has its mappings.

    Root writes them itself. An ordinary user may map the own id, and no other: the rest takes newuidmap and
    newgidmap. Where these are not installed, the own id is mapped alone, with a warning.

    Raises:
        ConfigError: a mapping is missing, or nothing of it can be had.

    Source: user_namespaces(7), newuidmap(1).
    """
    mappings = {"uid": linux.get("uidMappings"), "gid": linux.get("gidMappings")}
    for kind, pointer in _KINDS:
        if not mappings[kind]:
            raise ConfigError(pointer, "a new user namespace needs at least one mapping")
    if setgroups_denied(linux, facts):
        program.add("write_id_map", "/linux/gidMappings", "setgroups", "deny")
    for number, (kind, pointer) in enumerate(_KINDS):
        lines = mappings[kind] or ()
        own = facts.egid if kind == "gid" else facts.euid
        if facts.euid == 0 or _is_own(lines, own):
            program.add("write_id_map", pointer, f"{kind}_map", id_map(lines))
        elif facts.id_mappers:
            words = [str(word) for line in lines for word in _numbers(line)]
            program.add("run_id_mapper", pointer, facts.id_mappers[1 - number], words)
        else:
            line = _only_own(lines, own, kind, pointer)
            program.add("write_id_map", pointer, f"{kind}_map", id_map([line]))
            warnings.append(
                f"new{kind}map is not installed (Debian: uidmap): only {kind} {line['containerID']} is mapped"
            )


def setgroups_denied(linux: Linux, facts: Facts) -> bool:
    """Whether the container's user namespace, a new one or the runtime's, has to do without setgroups(2).

    The kernel demands it of a user who maps no group but the own one (user_namespaces(7)); several are
    mapped by newgidmap, which has no such limit.
    """
    if facts.euid == 0 or facts.groups_denied:
        return facts.groups_denied
    mappings = linux.get("gidMappings", ())
    return _is_own(mappings, facts.egid) or not facts.id_mappers


def _is_own(lines: Sequence[IDMapping], own: int) -> bool:
    return len(lines) == 1 and lines[0]["size"] == 1 and lines[0]["hostID"] == own


def _only_own(lines: Sequence[IDMapping], own: int, kind: str, pointer: str) -> IDMapping:
    """The part of the mapping that is the user's own id."""
    for line in lines:
        if 0 <= own - line["hostID"] < line["size"]:
            return {"containerID": line["containerID"] + own - line["hostID"], "hostID": own, "size": 1}
    raise ConfigError(
        pointer, f"does not map {kind} {own}, and others take new{kind}map: install it (Debian: uidmap)"
    )


def _numbers(line: IDMapping) -> tuple[int, int, int]:
    return line["containerID"], line["hostID"], line["size"]


def id_map(lines: Sequence[IDMapping]) -> str:
    """The mappings as the kernel takes them (user_namespaces(7))."""
    return "".join([f"{inside} {outside} {size}\n" for inside, outside, size in map(_numbers, lines)])
