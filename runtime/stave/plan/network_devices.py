"""Network devices that the container gets from the host. Imported only for a configuration that has some."""

from __future__ import annotations

from stave.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocispec.types import NetDevice
    from stave.host.facts import Facts
    from stave.plan.program import Program


def add_network_devices(program: Program, devices: Mapping[str, NetDevice], facts: Facts) -> None:
    """The devices are in the container's network namespace. To be planned where that has been entered.

    Raises:
        ConfigError: without root's power on the host.

    Spec: config-linux.md#network-devices
    """
    if facts.rootless:
        raise ConfigError("/linux/netDevices", "moving a device of the host takes root's power there")
    program.add("wait_for_runtime", "/linux/netDevices")
    for device, entry in devices.items():
        pointer = f"/linux/netDevices/{device.replace('~', '~0')}"
        program.add("move_network_device", pointer, device, entry.get("name") or device)
