"""Network devices of the host that move into the container's network namespace, and back if `create` fails.

Imported only for a configuration with linux.netDevices; pyroute2 takes some 150 ms. Spec: config-linux.md#network-devices
"""

from __future__ import annotations

import errno
import posix
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from stave.errors import KernelError

_UP = 1  # IFF_UP
_PERMANENT = 0x80  # IFA_F_PERMANENT
_UNIVERSE = 0  # RT_SCOPE_UNIVERSE
_ADDRESS_PARTS = ("IFA_ADDRESS", "IFA_LOCAL", "IFA_BROADCAST", "IFA_LABEL", "IFA_RT_PRIORITY")


class NetworkDevices:
    """The devices of one container, as far as they have been moved.

    Attributes:
        namespace: the network namespace, held: it would end with the container's process, and they in it.
        moved: name on the host, name in the container and whether it was up, of each.
    """

    def __init__(self, pid: int) -> None:
        self._descriptor = posix.open(f"/proc/{pid}/ns/net", posix.O_RDONLY | posix.O_CLOEXEC)
        self.namespace = f"/proc/{posix.getpid()}/fd/{self._descriptor}"
        self.moved: list[tuple[str, str, bool]] = []

    def move(self, device: str, name: str, pointer: str) -> None:
        """The device is up in the container's network namespace, with the addresses that it had.

        Addresses are kept if they are permanent and of global scope.

        Args:
            name: its name there; "%d" in it becomes the lowest number that makes it unique.

        Raises:
            KernelError: there is no such device, or the name is taken there, or the kernel refused.
        """
        with IPRoute() as here, IPRoute(netns=self.namespace) as there:
            link = _find(here, device)
            if link is None:
                raise KernelError(f"move network device {device}", errno.ENODEV, pointer)
            if "%d" not in name and _find(there, name) is not None:
                hint = f"the container has a device {name} already"
                raise KernelError(f"move network device {device}", errno.EEXIST, pointer, hint=hint)
            was_up = bool(link["flags"] & _UP)
            try:
                moved = _transfer(here, there, self.namespace, link, name, up=True)
            except NetlinkError as error:
                if _find(here, device) is None:
                    # It is there, but not as it should be.
                    self.moved.append((device, device if _find(there, device) else name, was_up))
                raise _failure(device, error, pointer) from error
            self.moved.append((device, moved, was_up))

    def move_back(self) -> None:
        """What was moved is on the host again, under the name and with the addresses that it had."""
        with IPRoute() as here, IPRoute(netns=self.namespace) as there:
            for device, name, was_up in reversed(self.moved):
                link = _find(there, name)
                if link is not None:
                    try:
                        _transfer(there, here, "/proc/self/ns/net", link, device, up=was_up)
                    except NetlinkError as error:
                        raise _failure(device, error, "/linux/netDevices") from error
        self.moved.clear()


def _transfer(source: Any, target: Any, namespace: str, link: Any, name: str, up: bool) -> str:
    """The device is in the target's namespace; returns its name there."""
    addresses = [each for each in source.get_addr(index=link["index"]) if _is_kept(each)]
    known = {each["index"] for each in target.get_links()}
    descriptor = posix.open(namespace, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        source.link("set", index=link["index"], net_ns_fd=descriptor, ifname=name)
    finally:
        posix.close(descriptor)
    (moved,) = [each for each in target.get_links() if each["index"] not in known]
    index = moved["index"]
    for address in addresses:
        parts = {
            part[4:].lower(): value
            for part in _ADDRESS_PARTS
            if (value := address.get_attr(part)) is not None
        }
        parts.pop("label", None)  # it begins with the device's name, which may have changed
        if "rt_priority" in parts:
            parts["priority"] = parts.pop("rt_priority")
        target.addr("add", index=index, family=address["family"], prefixlen=address["prefixlen"], **parts)
    if up:
        target.link("set", index=index, state="up")
    return str(moved.get_attr("IFLA_IFNAME"))


def _is_kept(address: Any) -> bool:
    flags = address.get_attr("IFA_FLAGS") or address["flags"]
    return bool(flags & _PERMANENT) and address["scope"] == _UNIVERSE


def _find(route: Any, name: str) -> Any:
    """The device of this name, or None."""
    for link in route.get_links():
        if link.get_attr("IFLA_IFNAME") == name:
            return link
    return None


def _failure(device: str, error: NetlinkError, pointer: str) -> KernelError:
    return KernelError(f"move network device {device}", error.code, pointer)
