"""The Programs of `mounts add` and `mounts remove`: a process joins the container for as long as that takes."""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.constants import CLONE_NEWNS, CLONE_NEWUSER
from stave.plan.mounts import plan_mounts
from stave.plan.namespaces import Namespaces
from stave.plan.operations import SOURCE_SLAVE
from stave.plan.paths import clean
from stave.plan.program import Operation, Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocispec.types import Config, Mount
    from stave.host.facts import Facts


def plan_add(
    mounts: Sequence[Mount], *, config: Config, directory: str, facts: Facts, namespaces: int
) -> Program:
    """The mounts are made in the container, in their order.

    The descriptors "container" (a pidfd of the first process) and "ns/user" (its user namespace, where it has one
    of its own) are there.

    Args:
        config: what the container was created with.
        directory: relative sources count from here.
        namespaces: CLONE_NEW* bits of the container's own namespaces.

    Raises:
        ConfigError: an entry that cannot be honoured, or not safely.
    """
    linux = config.get("linux", {})
    added: Config = {**config, "mounts": list(mounts)}
    own = Namespaces(linux.get("namespaces", ()))
    planned = plan_mounts(added, directory, own, facts, {}, None, opened=True)
    for source in planned.sources:
        if source.name == "open_source":
            path, target, options, ids = source.arguments
            source.arguments = (path, target, options | SOURCE_SLAVE, ids)
    program = _join(namespaces, facts)
    # The sources are the host's: opened before the container's mounts are joined, and so of the host's peer groups.
    program.operations[1:1] = [_wait(), *planned.sources] if planned.sources else []
    program.operations += [*planned.steps, *planned.read_only, _wait()]
    return program


def plan_remove(mounts: Sequence[Mount], *, facts: Facts, namespaces: int) -> Program:
    """What is mounted at the destinations is so no more. The arguments are those of `plan_add`.

    Raises:
        ConfigError: a destination that is the root, or part of /proc.
    """
    program = _join(namespaces, facts)
    for index, entry in enumerate(mounts):
        target = clean(entry["destination"])
        if target in ("/", "/proc") or target.startswith("/proc/"):
            raise ConfigError(f"/mounts/{index}/destination", f"{target} has to stay as it is")
        program.add("unmount", f"/mounts/{index}", target)
    program.add("wait_for_runtime", "")
    return program


def _join(namespaces: int, facts: Facts) -> Program:
    if not namespaces & CLONE_NEWNS:
        raise ConfigError("/linux/namespaces", "the container has no mount namespace of its own")
    program = Program()
    program.add("clone", "", 0)
    program.add("set_dumpable", "", 0)
    program.add("setns", "", "container", namespaces & (CLONE_NEWNS | CLONE_NEWUSER))
    # To make a mount one needs root's power where the mounts are owned.
    if namespaces & CLONE_NEWUSER:
        program.add("become_root", "", 0)
    return program


def _wait() -> Operation:
    return Operation("wait_for_runtime", "", ())
