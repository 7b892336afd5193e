"""Where D-Bus listens."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SYSTEM_BUS = "/run/dbus/system_bus_socket"


def user_bus(environment: Mapping[str, str]) -> str:
    """The socket of the user's own bus; "" if nothing in the environment says where it is.

    >>> user_bus({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1/bus,guid=0"})
    '/run/user/1/bus'
    """
    for part in environment.get("DBUS_SESSION_BUS_ADDRESS", "").replace(";", ",").split(","):
        if part.startswith("unix:path="):
            return part.removeprefix("unix:path=")
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    return f"{runtime}/bus" if runtime else ""
