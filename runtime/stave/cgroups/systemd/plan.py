"""Where a scope's groups are and what is done to them, decided from the configuration. Pure."""

from __future__ import annotations

from stave.cgroups.plan import CgroupPlan, plan_cgroups
from stave.cgroups.systemd.properties import annotated, device_list, limits, scope_properties
from stave.cgroups.systemd.units import scope_of, slice_path
from stave.plan.program import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import Config
    from stave.host.facts import CgroupLayout

POINTER = "/linux/cgroupsPath"
_BY_SYSTEMD = ("make_cgroup", "enable_controllers")


def plan_scope(
    config: Config, container_id: str, layout: CgroupLayout, *, rootless: bool, manager_group: str
) -> CgroupPlan:
    """The container's group is a scope's, with the limits of the configuration as properties and in the files.

    A scope begins with a process, so it is made once the container's is there: `CgroupPlan.late`.

    Args:
        manager_group: the group of the systemd that is asked, "" for the system's.

    Raises:
        ConfigError: cgroupsPath is no ``slice:prefix:name``; an annotation is no property; as `plan_cgroups`.
    """
    linux = config.get("linux", {})
    slice_name, unit = scope_of(linux.get("cgroupsPath", ""), container_id, rootless)
    where = f"{manager_group}{slice_path(slice_name)}/{unit}"
    # The files are those of the other driver, in a group of this name.
    files = plan_cgroups(
        {**config, "linux": {**linux, "cgroupsPath": where}}, container_id, layout, rootless=rootless
    )
    properties = scope_properties(slice_name, container_id)
    properties += limits(linux.get("resources", {}), layout.is_v2)
    if not layout.is_v2 and not rootless:
        properties += device_list(linux.get("resources", {}).get("devices", ()))
    properties += annotated(config.get("annotations", {}))
    start = Operation("start_scope", POINTER, (unit, rootless, properties))
    if layout.is_v2:
        late = [start, *(each for each in files.setup if each.name not in _BY_SYSTEMD)]
        return CgroupPlan(files.paths, [], late=late, scope=unit, join=[])
    # In v1 systemd has one hierarchy of its own. In those of the controllers it uses the groups that are there, and
    # writes its limits into them: the runtime makes them before, and writes what the configuration says after that.
    own = files.paths.get("name=systemd")
    made = [each for each in files.setup if each.name == "make_cgroup" and each.arguments != (own,)]
    late = [start, *(each for each in files.setup if each.name != "make_cgroup")]
    return CgroupPlan(files.paths, made, late=late, scope=unit)
