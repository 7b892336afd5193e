"""update: other limits for a container that lives."""

from __future__ import annotations

from ocispec.config import check
from ocispec.errors import InvalidConfig, Problem
from ocispec.jsontext import dumps
from stave.cgroups import update as limits
from stave.cgroups.operations import enable_controllers
from stave.cgroups.plan import plan_limits
from stave.container.state import STOPPED, Container
from stave.errors import NOT_RUNNING, ConfigError, Error, StateError
from stave.host.facts import read_facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocispec.types import Linux, Resources


def update(root: str, container_id: str, changes: Resources, schemata: Mapping[str, str]) -> None:
    """The container has these limits, in the kernel and in the configuration that it keeps; others stay.

    Args:
        changes: valid; 0 is "unchanged" where it is no value of its own, as engines send it. Device rules in
            it are ignored.
        schemata: members of linux.intelRdt that change.

    Raises:
        StateError: "container not running".
        InvalidConfig: the changes do not go with the limits that stay.
        ConfigError: this machine or its cgroup version does not have such a limit.
        KernelError: the kernel refused a value. The limits are what they were.
    """
    container = Container.load(root, container_id, lock=True)
    try:
        _update(container, changes, schemata)
    finally:
        container.unlock()


def _update(container: Container, changes: Resources, schemata: Mapping[str, str]) -> None:
    if container.status() == STOPPED:
        raise StateError(NOT_RUNNING)
    config = container.config()
    linux = config.setdefault("linux", {})
    for name in schemata:
        if "intelRdt" not in linux:
            reason = "the container was created without intelRdt, so it is in no group of its own"
            raise ConfigError(f"/linux/intelRdt/{name}", reason)
    paths = container.state["cgroups"]
    if not paths:
        raise Error("the container has no cgroup, so its limits cannot be changed")
    old = linux.get("resources", {})
    new = limits.merge(old, changes)
    _check(new)
    layout = read_facts().cgroups
    operations = limits.select(plan_limits(old, paths, layout), plan_limits(new, paths, layout), changes)
    limits.check_usage(paths, new, changes)
    for operation in operations:
        # A scope has them all: systemd was asked to delegate them.
        if operation.name == "enable_controllers" and "scope" not in container.state:
            enable_controllers(*operation.arguments)
    current = limits.read_current([each for each in operations if each.name != "enable_controllers"])
    writes = limits.order(current)
    set_back = _change_schemata(container, linux, schemata)
    try:
        set_back = _both(_tell_systemd(container, old, new), set_back)
        limits.carry_out(writes)
    except BaseException:
        set_back()
        raise
    linux["resources"] = new
    try:
        container.write("config.json", dumps(config).encode())
    except BaseException:
        set_back()
        limits.set_back(writes)
        raise


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        first()
        second()

    return call


def _change_schemata(container: Container, linux: Linux, schemata: Mapping[str, str]) -> Callable[[], None]:
    """The container's resctrl group has these schemata."""
    if not schemata:
        return lambda: None
    from stave.container.resctrl import change

    return change(linux["intelRdt"], container.id, schemata)


def _tell_systemd(container: Container, old: Resources, new: Resources) -> Callable[[], None]:
    """The scope, if there is one, has the new limits, or its next reload would bring the old ones back."""
    if "scope" not in container.state:
        return lambda: None
    from stave.container.scope import update

    return update(container.state, old, new)


def _check(resources: Resources) -> None:
    """The limits are valid together. Raises InvalidConfig, with pointers into config.json."""
    try:
        check("resources", resources)
    except InvalidConfig as error:
        at = "/linux/resources"
        found = [Problem(at + each.pointer, each.message, each.section) for each in error.problems]
        raise InvalidConfig(found) from error
