"""Mounts of type "cgroup": whatever shows the container its cgroups on this machine."""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.constants import (
    CLONE_NEWCGROUP,
    CLONE_NEWUSER,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from stave.host.facts import Facts
    from stave.plan.mount_options import MountOptions
    from stave.plan.namespaces import Namespaces
    from stave.plan.program import Program


class CgroupMounts:
    """Plans the mounts of type "cgroup".

    With a cgroup namespace of its own the container gets the hierarchies themselves, which show nothing but
    its part. Without one it gets binds of the directories that are its own.

    Args:
        paths: absolute directory of the container per v1 hierarchy, and under "" that of cgroup v2. A v1
            hierarchy that has none is left out; without one in v2 the host's hierarchy is shown, read-only.
    """

    __slots__ = ("facts", "forced", "own_namespace", "paths", "program")

    def __init__(
        self, program: Program, namespaces: Namespaces, facts: Facts, paths: Mapping[str, str]
    ) -> None:
        self.program = program
        self.facts = facts
        self.paths = paths
        self.own_namespace = bool(namespaces.own & CLONE_NEWCGROUP)
        # Root in a user namespace could otherwise write to cgroups that are the host's (CVE-2023-25809).
        foreign = namespaces.own & CLONE_NEWUSER and not self.own_namespace
        self.forced = MOUNT_ATTR_RDONLY if foreign else 0

    def add(self, pointer: str, target: str, options: MountOptions) -> None:
        """The container's cgroups are visible at `target`.

        Raises:
            ConfigError: this machine has no cgroup file system.
        """
        layout = self.facts.cgroups
        attributes = options.attributes | self.forced
        if layout.v1:
            self._add_v1(pointer, target, attributes, options.propagation)
        elif layout.unified is not None:
            self._add_v2(pointer, layout.unified, target, attributes, options.propagation)
        else:
            raise ConfigError(pointer, "no cgroup file system is mounted on this machine")

    def _add_v2(self, pointer: str, hierarchy: str, target: str, attributes: int, propagation: int) -> None:
        if self.own_namespace:
            self.program.add("mount", pointer, "cgroup2", "cgroup", target, attributes, propagation, [], 0)
            return
        if "" not in self.paths:
            attributes |= MOUNT_ATTR_RDONLY
        source = self.paths.get("", hierarchy)
        self.program.add("bind", pointer, source, target, attributes, 0, 0, 0, propagation, 0)

    def _add_v1(self, pointer: str, target: str, attributes: int, propagation: int) -> None:
        add = self.program.add
        fixed = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
        add("mount", pointer, "tmpfs", "tmpfs", target, fixed, propagation, ["mode=755"], 0)
        for mount_point, controllers in _hierarchies(self.facts.cgroups.v1).items():
            name = mount_point.rpartition("/")[2]
            place = f"{target}/{name}"
            if self.own_namespace:
                parameters = [word for one in controllers for word in _parameters(one)]
                add("mount", pointer, "cgroup", "cgroup", place, attributes, 0, parameters, 0)
            elif source := self.paths.get(controllers[0]):
                add("bind", pointer, source, place, attributes, 0, 0, 0, 0, 0)
            else:
                continue
            for controller in controllers:
                if (link := controller.removeprefix("name=")) != name:
                    add("make_symlink", pointer, name, f"{target}/{link}")
        unified = self.facts.cgroups.unified
        if unified and "" in self.paths:
            place = f"{target}/{unified.rpartition('/')[2]}"
            self._add_v2(pointer, unified, place, attributes, 0)
        if attributes & MOUNT_ATTR_RDONLY:
            add("remount", pointer, target, MOUNT_ATTR_RDONLY, 0, 0, [], 0)


def _hierarchies(v1: Mapping[str, str]) -> dict[str, list[str]]:
    by_mount_point: dict[str, list[str]] = {}
    for controller, mount_point in v1.items():
        by_mount_point.setdefault(mount_point, []).append(controller)
    return by_mount_point


def _parameters(controller: str) -> tuple[str, ...]:
    return ("none", controller) if controller.startswith("name=") else (controller,)
