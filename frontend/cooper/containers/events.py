"""Events: ROOT/events.log, one JSON object a line, appended by commands and supervisors with one write each."""

from __future__ import annotations

import posix
import time

from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cooper.containers.record import Container
    from cooper.settings import Settings

LIMIT = 4 << 20


def path(settings: Settings) -> str:
    """The file of events."""
    return f"{settings.root}/events.log"


def attributes(container: Container) -> str:
    """The members of an event about the container that stay the same, as JSON text without braces."""
    about = {"Type": "container", "ID": container.id, "Name": container.name, "Image": container.image}
    return jsontext.dumps(about)[1:-1]


def write(settings: Settings, container: Container, action: str) -> None:
    """The event is in the file, unless the disk is full."""
    line = f'{{"timeNano":{time.time_ns()},"Action":"{action}",{attributes(container)}}}\n'
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_CLOEXEC
    try:
        file = posix.open(path(settings), flags, 0o600)
        try:
            posix.write(file, line.encode())
            if posix.fstat(file).st_size > LIMIT:
                posix.rename(path(settings), path(settings) + ".1")
        finally:
            posix.close(file)
    except OSError:
        pass
