"""Mounts whose files show other owners than they have: idmap and ridmap.

Imported only for a configuration that has one. Spec: config.md#linux-mount-options
"""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.constants import CLONE_NEWUSER
from stave.plan.id_maps import id_map
from stave.plan.program import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocispec.types import IDMapping, Linux, Mount
    from stave.host.facts import Facts
    from stave.plan.mount_options import MountOptions
    from stave.plan.namespaces import Namespaces


class MappedMounts:
    """The user namespaces that stand for the mappings of mounts.

    The kernel takes a mapping as a user namespace that has it. Mounts with equal mappings share one.

    Attributes:
        made: the operations that make them, for the runtime.
    """

    __slots__ = ("facts", "linux", "made", "names", "namespaces")

    def __init__(self, linux: Linux, namespaces: Namespaces, facts: Facts) -> None:
        self.linux = linux
        self.namespaces = namespaces
        self.facts = facts
        self.made: list[Operation] = []
        self.names: dict[tuple[str, str], str] = {}

    def name(self, pointer: str, entry: Mount, options: MountOptions) -> str:
        """The name of the descriptor of the user namespace for this mount.

        Raises:
            ConfigError: there is no mapping to take, or nobody who may map.
        """
        if self.facts.rootless:
            raise ConfigError(
                f"{pointer}/options", "mapping the ids of a mount takes root's power on the host"
            )
        uids, gids = entry.get("uidMappings", ()), entry.get("gidMappings", ())
        if options.mapping:
            uids, gids = _parse(options.mapping, f"{pointer}/options", self.linux)
        elif not uids or not gids:
            if self.namespaces.joined & CLONE_NEWUSER:
                return "ns/user"
            uids, gids = self.linux.get("uidMappings", ()), self.linux.get("gidMappings", ())
        if not uids or not gids:
            reason = "idmap needs uidMappings and gidMappings, or a user namespace whose mappings it can take"
            raise ConfigError(f"{pointer}/options", reason)
        maps = (id_map(uids), id_map(gids))
        if maps not in self.names:
            self.names[maps] = f"ids/{len(self.names)}"
            self.made.append(Operation("make_user_namespace", pointer, (self.names[maps], *maps)))
        return self.names[maps]


def _parse(text: str, pointer: str, linux: Linux) -> tuple[list[IDMapping], list[IDMapping]]:
    """The mappings that are written into the option, as crun has it: ``uids=0-1-10#10-11-10;gids=0-100-10``.

    Each range is id in the file system, id it is shown as, and size. After "@" the second one is an id of the
    container's user namespace, not of the host.
    """
    found: dict[str, list[IDMapping]] = {"uids": [], "gids": []}
    for part in text.split(";"):
        kind, _, ranges = part.partition("=")
        if kind not in found:
            raise ConfigError(pointer, f"idmap takes uids= and gids=, not {part!r}")
        own = linux.get("uidMappings", ()) if kind == "uids" else linux.get("gidMappings", ())
        found[kind] += [_range(each, pointer, own) for each in ranges.split("#")]
    return found["uids"], found["gids"]


def _range(text: str, pointer: str, own: Sequence[IDMapping]) -> IDMapping:
    numbers = text.removeprefix("@").split("-")
    if len(numbers) != 3 or not all(
        each.isascii() and each.isdigit() and len(each) <= 10 for each in numbers
    ):
        raise ConfigError(pointer, f"idmap takes ranges such as 0-100000-65536, not {text!r}")
    inside, outside, size = (int(each) for each in numbers)
    if text.startswith("@"):
        outside = _on_host(outside, size, own, text, pointer)
    return {"containerID": inside, "hostID": outside, "size": size}


def _on_host(number: int, size: int, own: Sequence[IDMapping], text: str, pointer: str) -> int:
    for mapping in own:
        offset = number - mapping["containerID"]
        if offset >= 0 and offset + size <= mapping["size"]:
            return mapping["hostID"] + offset
    raise ConfigError(pointer, f"idmap: no single mapping of the container's user namespace holds {text!r}")
