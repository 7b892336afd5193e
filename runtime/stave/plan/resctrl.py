"""linux.intelRdt: the container's group in the resctrl file system. Imported only for a configuration that has it."""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.program import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import IntelRdt
    from stave.host.facts import Facts

POINTER = "/linux/intelRdt"


def schemata_of(rdt: IntelRdt) -> list[str]:
    """The lines for the group's schemata, in the order in which they are written."""
    lines = [rdt.get("l3CacheSchema", ""), rdt.get("memBwSchema", ""), *rdt.get("schemata", ())]
    return [line for line in lines if line]


def plan_resctrl(rdt: IntelRdt, container_id: str, facts: Facts) -> list[Operation]:
    """What puts the new process into its group, for the runtime; its children are born into it.

    Raises:
        ConfigError: resctrl is not mounted.

    Spec: config-linux.md#intelrdt
    """
    if not facts.resctrl:
        raise ConfigError(
            POINTER, "no resctrl file system is mounted (mount -t resctrl resctrl /sys/fs/resctrl)"
        )
    named, lines = rdt.get("closID", ""), schemata_of(rdt)
    group = group_of(rdt, container_id, facts.resctrl)
    how = "make" if not named else "make or match" if lines else "find"
    operations = [Operation("enter_resctrl", POINTER, (group, how, lines))]
    if rdt.get("enableMonitoring"):
        pointer = f"{POINTER}/enableMonitoring"
        operations.append(
            Operation("enter_resctrl", pointer, (f"{group}/mon_groups/{container_id}", "make", []))
        )
    return operations


def group_of(rdt: IntelRdt, container_id: str, mount_point: str) -> str:
    """The directory of the container's group; closID "/" is the root."""
    name = rdt.get("closID", "") or container_id
    return mount_point if name == "/" else f"{mount_point}/{name}"


def own_directories(rdt: IntelRdt, container_id: str, mount_point: str) -> list[str]:
    """The directories that are the container's alone, and end with it, in the order of removing them."""
    group = group_of(rdt, container_id, mount_point)
    monitored = [f"{group}/mon_groups/{container_id}"] if rdt.get("enableMonitoring") else []
    return monitored + ([] if rdt.get("closID") else [group])
