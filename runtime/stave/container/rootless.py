"""What an ordinary user's container gets that its configuration leaves out: a user namespace."""

from __future__ import annotations

from stave.host.rootless import subordinate_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import Config, IDMapping
    from stave.host.facts import Facts


def with_user_namespace(config: Config, facts: Facts) -> Config:
    """The configuration with a user namespace, whose root is this user; others of its ids are subordinate ones.

    Without a user namespace of its own an ordinary user can make no other namespace either. One that the
    configuration names, new or by its path, is left as it is.
    """
    linux = config.get("linux", {})
    namespaces = linux.get("namespaces", ())
    if any(namespace["type"] == "user" for namespace in namespaces):
        return config
    return {
        **config,
        "linux": {
            **linux,
            "namespaces": [*namespaces, {"type": "user"}],
            "uidMappings": _mappings(facts.euid, "/etc/subuid", facts),
            "gidMappings": _mappings(facts.egid, "/etc/subgid", facts),
        },
    }


def _mappings(own: int, table: str, facts: Facts) -> list[IDMapping]:
    lines: list[IDMapping] = [{"containerID": 0, "hostID": own, "size": 1}]
    following = 1
    for first, count in subordinate_ids(table, facts.euid) if facts.id_mappers else ():
        lines.append({"containerID": following, "hostID": first, "size": count})
        following += count
    return lines
