"""`cooper events`: the file of events, followed by the kernel's word that its directory has changed."""

from __future__ import annotations

import fcntl
import os
import signal
import time

from cooper.cli.output import print_line
from cooper.containers import events
from cooper.containers.inspection import timestamp
from cooper.containers.logs import Reader, parse_time
from cooper.errors import UsageError
from cooper.settings import make_directory
from ocispec import jsontext
from ocispec.errors import InvalidJSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.cli.command import Invocation

_KEYS = ("container", "event", "image", "type")


def watch(invocation: Invocation) -> int:
    """`cooper events`."""
    settings, given = invocation.settings, invocation.options
    filters = [text.partition("=") for text in given["filter"]]
    for key, equals, _ in filters:
        if not equals or key not in _KEYS:
            raise UsageError(f"--filter: {key} is none of {', '.join(_KEYS)}")
    now = time.time()
    since = parse_time(given["since"], "--since", now).decode() or timestamp(time.time_ns())
    until = parse_time(given["until"], "--until", now).decode()
    make_directory(settings.root, 0o711)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    directory = os.open(settings.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.fcntl(
        directory, fcntl.F_NOTIFY, fcntl.DN_MODIFY | fcntl.DN_CREATE | fcntl.DN_RENAME | fcntl.DN_MULTISHOT
    )
    reader = Reader(events.path(settings))
    while True:
        for line in reader.lines():
            event = _parse(line)
            moment = timestamp(event.get("timeNano", 0))
            if moment >= since and (not until or moment <= until) and _wanted(event, filters):
                _print(event, moment, given["format"])
        if until:
            left = _seconds(until) - time.time()
            if left <= 0:
                return 0
            signal.sigtimedwait({signal.SIGIO}, left)
        else:
            signal.sigwaitinfo({signal.SIGIO})


def _seconds(stamp: str) -> float:
    import datetime

    return datetime.datetime.fromisoformat(stamp[:26] + "Z").timestamp()


def _parse(line: bytes) -> dict[str, Any]:
    try:
        event = jsontext.loads(line)
    except InvalidJSON:
        return {}
    return event if isinstance(event, dict) else {}


def _wanted(event: dict[str, Any], filters: list[tuple[str, str, str]]) -> bool:
    if not event:
        return False
    wanted: dict[str, list[str]] = {}
    for key, _, value in filters:
        wanted.setdefault(key, []).append(value)
    have = {
        "container": [event.get("Name", ""), event.get("ID", "")],
        "event": [event.get("Action", "")],
        "image": [event.get("Image", "")],
        "type": [event.get("Type", "")],
    }
    return all(
        any(
            value in have.get(key, []) or (key == "container" and have[key][1].startswith(value))
            for value in values
        )
        for key, values in wanted.items()
    )


def _print(event: dict[str, Any], moment: str, form: str) -> None:
    attributes = {
        f"{key[:1].lower()}{key[1:]}": str(value)
        for key, value in sorted(event.items())
        if key not in ("timeNano", "Action", "Type", "ID")
    }
    if not form:
        details = ", ".join(f"{key}={value}" for key, value in attributes.items())
        print_line(f"{moment} {event.get('Type')} {event.get('Action')} {event.get('ID')} ({details})")
        return
    from cooper.cli.template import print_rows

    # By podman's names, and by docker's: in JSON they begin with small letters, in templates with capitals.
    actor = {"ID": event.get("ID"), "Attributes": attributes}
    seconds = event.get("timeNano", 0) // 10**9
    docker = {"status": event.get("Action"), "from": event.get("Image"), "scope": "local", "time": seconds}
    event |= {"Actor": actor, **docker}
    if form != "json":
        event |= {key.title(): value for key, value in docker.items()} | {"TimeNano": event.get("timeNano")}
    print_rows([event], form, {})
