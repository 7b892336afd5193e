"""What the network side does for a container when it starts and when it has ended."""

from __future__ import annotations

from cooper.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database


class Attachment:
    """What config.json and the container's files need to know."""

    __slots__ = ("namespace",)

    def __init__(self, namespace: str | None) -> None:
        self.namespace = namespace


def attach(
    settings: Settings, database: Database, container: Container, options: dict[str, Any]
) -> Attachment:
    """The container's networks are there. `namespace`: None for the host's, "" for a new one, or a path."""
    mode = (options["network"].get("networks") or ["none"])[0]
    if mode == "none":
        return Attachment("")
    if mode == "host":
        return Attachment(None)
    raise Error("networks are not there yet")


def detach(settings: Settings, database: Database, container: Container) -> None:
    """Nothing of the container is left on the network."""
