"""pyroute2's link and route messages: for interfaces of any kind, and to read what the kernel lists.

The package itself imports every protocol that it knows, and asyncio: some 160 ms. Its modules of messages are
enough, take a sixth of that, and are imported when the first message is wanted (docs/adr/0008).
"""

from __future__ import annotations

import sys

from cooper.errors import Error
from cooper.networks.netlink import HEADER_BYTES, NLM_F_CREATE, NLM_F_EXCL, Netlink, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

RTM_NEWLINK, RTM_GETLINK, RTM_GETROUTE = 16, 18, 26

_modules: tuple[Any, Any] | None = None


def _messages() -> tuple[Any, Any]:
    """pyroute2's classes of link and route messages."""
    global _modules
    if _modules is None:
        package = sys.modules.get("pyroute2")
        if package is None:
            # The package is found, but not run.
            from importlib.machinery import PathFinder
            from importlib.util import module_from_spec

            spec = PathFinder.find_spec("pyroute2")
            if spec is None:
                raise Error("networks need the Python package pyroute2", "pip install pyroute2")
            sys.modules["pyroute2"] = module_from_spec(spec)
        try:
            from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
            from pyroute2.netlink.rtnl.rtmsg import rtmsg
        finally:
            if package is None:  # whoever wants the whole package gets it
                del sys.modules["pyroute2"]
        _modules = ifinfmsg, rtmsg
    return _modules


def add_link(
    name: str, kind: str, data: Sequence[tuple[str, Any]] = (), attributes: Sequence[tuple[str, Any]] = ()
) -> Request:
    """A new interface, down.

    Args:
        kind: "bridge", "macvlan" and so on (ip-link(8)).
        data: attributes of the kind, by the names that pyroute2 and the kernel give them.
        attributes: those that every interface may have: ("IFLA_MTU", 1500).
    """
    info: list[tuple[str, Any]] = [("IFLA_INFO_KIND", kind)]
    if data:
        info.append(("IFLA_INFO_DATA", {"attrs": list(data)}))
    message = _messages()[0]()
    message["attrs"] = [("IFLA_IFNAME", name), *attributes, ("IFLA_LINKINFO", {"attrs": info})]
    text = f"make the {kind} interface {name}"
    return Request(text, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, _body(message))


def links(netlink: Netlink) -> list[Any]:
    """All interfaces, as pyroute2 decodes them."""
    return _dump(netlink, RTM_GETLINK, _messages()[0])


def routes(netlink: Netlink) -> list[Any]:
    """All routes of all tables, as pyroute2 decodes them."""
    return _dump(netlink, RTM_GETROUTE, _messages()[1])


def _dump(netlink: Netlink, kind: int, type_: Any) -> list[Any]:
    decoded = [type_(data) for data in netlink.dump(kind, _body(type_()))]
    for message in decoded:
        message.decode()
    return decoded


def _body(message: Any) -> bytes:
    message.encode()
    return bytes(message.data[HEADER_BYTES:])
