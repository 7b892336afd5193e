"""The container's namespaces: which it has, and the operations that enter them.

One `clone` makes them all where that is possible. It is not where a user namespace is involved (its owner
has to be root inside before the others are made) or where a namespace only takes effect in a child (pid and
time namespaces that are joined, time namespaces that are made): then stave-init enters one after the other.
"""

from __future__ import annotations

from stave.plan.constants import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocispec.types import Linux, Namespace, TimeOffset
    from stave.host.facts import Facts
    from stave.plan.program import Operation, Program

# Type in config.json: (clone flag, name below /proc/<pid>/ns).
NAMESPACES: dict[str, tuple[int, str]] = {
    "user": (CLONE_NEWUSER, "user"),
    "pid": (CLONE_NEWPID, "pid"),
    "network": (CLONE_NEWNET, "net"),
    "mount": (CLONE_NEWNS, "mnt"),
    "ipc": (CLONE_NEWIPC, "ipc"),
    "uts": (CLONE_NEWUTS, "uts"),
    "cgroup": (CLONE_NEWCGROUP, "cgroup"),
    "time": (CLONE_NEWTIME, "time"),
}


class Namespaces:
    """The namespaces of a container, from linux.namespaces.

    Attributes:
        new: CLONE_NEW* bits of those that are made for it.
        joined: bits of those that exist and are given by path.
        own: bits of both.
        paths: (flag, descriptor name, path, pointer) of each joined one; the user namespace stands first.
        pointers: where each flag was asked for.
    """

    __slots__ = ("joined", "new", "own", "paths", "pointers")

    def __init__(self, entries: Sequence[Namespace]) -> None:
        self.new = 0
        self.joined = 0
        self.paths: list[tuple[int, str, str, str]] = []
        self.pointers: dict[int, str] = {}
        for index, entry in enumerate(entries):
            pointer = f"/linux/namespaces/{index}"
            flag, name = NAMESPACES[entry["type"]]
            self.pointers[flag] = pointer
            if path := entry.get("path"):
                self.joined |= flag
                self.paths.append((flag, f"ns/{name}", path, f"{pointer}/path"))
            else:
                self.new |= flag
        self.paths.sort(key=lambda joined: joined[0] != CLONE_NEWUSER)
        self.own = self.new | self.joined

    @property
    def step_by_step(self) -> bool:
        """Whether stave-init has to enter them one after the other."""
        return bool(self.own & (CLONE_NEWUSER | CLONE_NEWTIME) or self.joined & CLONE_NEWPID)


def add_namespaces(
    program: Program,
    namespaces: Namespaces,
    linux: Linux,
    facts: Facts,
    on_host: Sequence[Operation],
    warnings: list[str],
    keep_groups: int = 0,
) -> None:
    """The container's process exists and is in all its namespaces.

    Args:
        on_host: what the runtime does with the new process before it runs: cgroups, oom score.
        warnings: gets what is asked for and cannot be granted.
        keep_groups: 1 if the process keeps the caller's supplementary groups.

    Raises:
        ConfigError: a new user namespace without mappings.
    """
    for flag, name, path, pointer in namespaces.paths:
        program.add("open_namespace", pointer, name, path, flag)
    careful = namespaces.step_by_step
    program.add("clone", "/linux/namespaces", 0 if careful else namespaces.new & ~CLONE_NEWCGROUP)
    program.operations += on_host
    if careful:
        _enter_step_by_step(program, namespaces, linux, facts, warnings, keep_groups)
    else:
        program.add("set_dumpable", "", 0)
        _join(program, namespaces)
    if namespaces.new & CLONE_NEWNET:
        program.add("raise_loopback", namespaces.pointers[CLONE_NEWNET])
    if namespaces.new & CLONE_NEWCGROUP:
        # Its root is the cgroup that the process is in by now.
        program.add("unshare", namespaces.pointers[CLONE_NEWCGROUP], CLONE_NEWCGROUP)


def _enter_step_by_step(
    program: Program,
    namespaces: Namespaces,
    linux: Linux,
    facts: Facts,
    warnings: list[str],
    keep_groups: int,
) -> None:
    if namespaces.new & CLONE_NEWUSER:
        # Namespaces of the host can only be joined while the host's privileges last.
        _join(program, namespaces)
        program.add("unshare", namespaces.pointers[CLONE_NEWUSER], CLONE_NEWUSER)
        program.add("wait_for_runtime", "")
        from stave.plan.id_maps import add_id_maps

        add_id_maps(program, linux, facts, warnings)
        program.add("set_dumpable", "", 0)
    else:
        program.add("set_dumpable", "", 0)
        _join(program, namespaces)
    if namespaces.own & CLONE_NEWUSER:
        program.add("become_root", namespaces.pointers[CLONE_NEWUSER], keep_groups)
    if rest := namespaces.new & ~(CLONE_NEWUSER | CLONE_NEWCGROUP):
        program.add("unshare", "/linux/namespaces", rest)
    if offsets := linux.get("timeOffsets"):
        # Undumpable, a process's files in /proc are the host's root's. In a user namespace made a moment ago there is
        # nobody yet to make use of the gap.
        alone = namespaces.new & CLONE_NEWUSER
        if alone:
            program.add("set_dumpable", "", 1)
        program.add("write_time_offsets", "/linux/timeOffsets", _time_offsets(offsets))
        if alone:
            program.add("set_dumpable", "", 0)
    if namespaces.own & (CLONE_NEWPID | CLONE_NEWTIME):
        program.add("fork", "")


def _join(program: Program, namespaces: Namespaces) -> None:
    for flag, name, _, pointer in namespaces.paths:
        program.add("setns", pointer, name, flag)


def _time_offsets(offsets: Mapping[str, TimeOffset]) -> str:
    lines = [f"{clock} {at.get('secs', 0)} {at.get('nanosecs', 0)}\n" for clock, at in offsets.items()]
    return "".join(lines)
