"""Where a container's cgroups are and what is done to them, decided from its configuration."""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.program import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocispec.types import Config, Linux, Resources
    from stave.host.facts import CgroupLayout

PATH_POINTER = "/linux/cgroupsPath"
RESOURCES_POINTER = "/linux/resources"


class CgroupPlan:
    """The groups of one container.

    Attributes:
        paths: absolute directory of the container's group per v1 controller or named hierarchy; in a pure v2
            machine the only key is "". Controllers mounted together share a directory. Empty: no groups.
        setup: makes the groups and sets their limits, in this order.
        late: the same, as far as it takes the container's process.
        join: moves a process into the groups.
        scope: the unit of the systemd driver; "" with the cgroupfs driver.
    """

    __slots__ = ("paths", "setup", "late", "join", "scope")

    def __init__(
        self,
        paths: dict[str, str],
        setup: list[Operation],
        *,
        late: Sequence[Operation] = (),
        join: list[Operation] | None = None,
        scope: str = "",
    ) -> None:
        self.paths = paths
        self.setup = setup
        self.late = late
        self.join = join_operations(paths) if join is None else join
        self.scope = scope


def plan_cgroups(
    config: Config, container_id: str, layout: CgroupLayout, *, rootless: bool = False, delegated: str = ""
) -> CgroupPlan:
    """Every hierarchy has a group for the container, with the limits of the configuration.

    ``linux.cgroupsPath`` counts from the mount point of each hierarchy, whether it starts with "/" or not
    ("a:b:c" is a directory of that name); without it the group is "/<id>".

    On a hybrid machine the v1 hierarchies are used. The unified one, which has no controllers there, is left
    alone: no process can enter it without a lock that costs several milliseconds, while a process can enter
    v1 groups by itself in a quarter of one.

    Args:
        container_id: valid, hence without "/".
        rootless: the runtime may lack the right to make groups. They are made only where cgroupsPath or a
            limit asks for them, and device rules are not set: those take root's power.
        delegated: group of cgroup v2 that a path without a leading "/" counts from, if the runtime is rootless.

    Raises:
        ConfigError: a path that leaves the mount point; a property that this machine or its cgroup version
            cannot honour.

    Spec: config-linux.md#control-groups
    """
    linux: Linux = config.get("linux", {})
    resources: Resources = linux.get("resources", {})
    if rootless:
        resources = {name: value for name, value in resources.items() if name != "devices"}  # type: ignore
        if not any(resources.values()) and not linux.get("cgroupsPath"):
            return CgroupPlan({}, [])
    path = linux.get("cgroupsPath") or container_id
    if rootless and layout.is_v2 and path[0] != "/":
        path = f"{delegated}/{path}"
    where = _relative_path(path)
    if layout.is_v2:
        from stave.cgroups import v2

        root = layout.unified or ""
        setup = v2.plan_group(root, where, resources, not rootless)
        if not rootless:
            setup += v2.plan_ownership(config, root + where)
        return CgroupPlan({"": root + where}, setup)
    from stave.cgroups import v1

    paths = {name: mount_point + where for name, mount_point in layout.v1.items()}
    if not paths and linux.get("cgroupsPath"):
        raise ConfigError(PATH_POINTER, "no cgroup file system is mounted on this machine")
    setup = [Operation("make_cgroup", PATH_POINTER, (path,)) for path in directories(paths)]
    if "cpuset" in paths:
        setup.append(Operation("inherit_cpuset", "", (paths["cpuset"],)))
    return CgroupPlan(paths, setup + v1.plan_resources(resources, paths, not rootless))


def without_groups(config: Config) -> CgroupPlan:
    """The container stays in the caller's groups; device rules, which every configuration has, are left out.

    Raises:
        ConfigError: the configuration has limits.
    """
    for name, limit in config.get("linux", {}).get("resources", {}).items():
        if limit and name != "devices":
            raise ConfigError(
                f"{RESOURCES_POINTER}/{name}", "needs a control group, and the caller wants none"
            )
    return CgroupPlan({}, [])


def plan_limits(resources: Resources, paths: Mapping[str, str], layout: CgroupLayout) -> list[Operation]:
    """What puts these limits in force in groups that exist already; device rules are left alone.

    Args:
        paths: `CgroupPlan.paths`.

    Raises:
        ConfigError: as in `plan_cgroups`.
    """
    if "" in paths:
        from stave.cgroups import v2

        root = layout.unified or ""
        operations = v2.plan_group(root, paths[""].removeprefix(root), resources, False)
        return [operation for operation in operations if operation.name != "make_cgroup"]
    from stave.cgroups import v1

    return v1.plan_resources(resources, paths, False)


def join_operations(paths: Mapping[str, str]) -> list[Operation]:
    """Moves a process into these groups, for `exec` as well as for `create`.

    In v1 by way of "tasks": a thread that moves itself alone needs no lock over all processes of the machine,
    and waiting for that one takes longer than all the rest of `create`.
    """
    file = "cgroup.procs" if "" in paths else "tasks"
    return [Operation("join_cgroup", PATH_POINTER, (f"{path}/{file}",)) for path in directories(paths)]


def directories(paths: Mapping[str, str]) -> list[str]:
    """The directories in `paths`, each once."""
    return list(dict.fromkeys(paths.values()))


def _relative_path(path: str) -> str:
    """The path below a mount point, from its first "/" on."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts:
        raise ConfigError(PATH_POINTER, "the root group cannot be a container's; name a group below it")
    if ".." in parts or "\0" in path:
        raise ConfigError(PATH_POINTER, f"{path!r} must not hold '..' or NUL")
    return "/" + "/".join(parts)
