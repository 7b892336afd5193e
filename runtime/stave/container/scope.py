"""The systemd scope of a container, as the state file knows it: ``scope`` is {"unit": name, "user": bool}."""

from __future__ import annotations

from stave.cgroups.systemd.bus import Systemd
from stave.cgroups.systemd.plan import plan_scope
from stave.cgroups.systemd.properties import limits, unset
from stave.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ocispec.types import Config, Resources
    from stave.cgroups.plan import CgroupPlan
    from stave.cgroups.systemd.properties import Property
    from stave.host.facts import Facts


def plan(config: Config, container_id: str, facts: Facts) -> CgroupPlan:
    """The container's groups, made by systemd; as an ordinary user, by the user's own.

    Raises:
        ConfigError: as `plan_scope`.
        Error: the user's systemd does not answer.
    """
    group = ""
    if facts.rootless:
        systemd = Systemd(user=True)
        try:
            group = systemd.control_group()
        finally:
            systemd.close()
    return plan_scope(config, container_id, facts.cgroups, rootless=facts.rootless, manager_group=group)


def start(pid: int, unit: str, user: bool, properties: Sequence[Property]) -> None:
    """The scope is there, with the process in it. Raises Error."""
    systemd = Systemd(user)
    try:
        systemd.start_scope(unit, pid, properties)
    finally:
        systemd.close()


def stop(state: dict[str, Any], log_warning: Callable[[str], None]) -> None:
    """The unit is gone. A systemd that does not answer is no obstacle: without processes the unit ends by itself."""
    scope = state["scope"]
    try:
        systemd = Systemd(scope["user"])
        try:
            systemd.stop(scope["unit"])
        finally:
            systemd.close()
    except Error as error:
        log_warning(str(error))


def update(state: dict[str, Any], old: Resources, new: Resources) -> Callable[[], None]:
    """The unit has the new limits; what is returned gives it the old ones back. Raises Error."""
    scope = state["scope"]
    is_v2 = "" in state["cgroups"]
    before = limits(old, is_v2)
    # Some can only be set while the unit is made, so those that stay are left alone.
    after = [each for each in limits(new, is_v2) if each not in before]
    systemd = Systemd(scope["user"])
    try:
        systemd.set_properties(scope["unit"], after)
    finally:
        systemd.close()

    def set_back() -> None:
        systemd = Systemd(scope["user"])
        try:
            systemd.set_properties(scope["unit"], [*unset(after), *before])
        finally:
            systemd.close()

    return set_back
