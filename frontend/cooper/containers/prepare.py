"""Options are completed with what the image says, before a container is made of them."""

from __future__ import annotations

import posix

from cooper.containers import network
from cooper.containers.mounts import complete
from cooper.containers.options import read_options
from cooper.containers.userns import parse_mode
from cooper.containers.values import is_number
from cooper.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.cli.command import Invocation
    from cooper.state.database import Database

STOP_SIGNAL, STOP_SECONDS = "SIGTERM", 10


def prepare(invocation: Invocation, database: Database) -> dict[str, Any]:
    """The options of `run` and `create`, with the image's id and configuration in them.

    Raises: UsageError, Error
    """
    options = read_options(invocation)
    if options["rootfs"]:
        if not posix.access(options["rootfs"], posix.F_OK):
            raise Error(f"--rootfs {options['rootfs']}: there is no such directory")
        image: dict[str, Any] = {}
    else:
        from cooper.containers.images import find_image

        found = find_image(
            invocation.settings,
            options["image"],
            invocation.options["pull"],
            invocation.options["platform"],
            invocation.options["quiet"],
        )
        options["image_id"], image = found.id, found.container_config
    options["image_config"] = image
    network.check(invocation.settings, options)
    mode, _ = parse_mode(options["userns"])
    if invocation.settings.rootless:
        _check_rootless(mode, options)
    complete(invocation.settings, database, options)
    options["labels"] = {**(image.get("Labels") or {}), **options["labels"]}
    options["stop_signal"] = signal_name(options["stop_signal"] or image.get("StopSignal") or STOP_SIGNAL)
    if options["stop_timeout"] is None:
        options["stop_timeout"] = STOP_SECONDS
    entrypoint = image.get("Entrypoint") if options["entrypoint"] is None else options["entrypoint"]
    own_command = options["args"] or (image.get("Cmd") if options["entrypoint"] is None else None)
    options["command"] = [*(entrypoint or []), *(own_command or [])]
    if not options["command"]:
        raise Error("there is no program to run", "the image names none: give one after it")
    return options


def _check_rootless(mode: str, options: dict[str, Any]) -> None:
    """Raises: UsageError for what takes root, and would be refused late, or be ignored."""
    if mode not in ("", "host"):
        raise UsageError(
            f"--userns {mode} needs root, to map the ids of layers and volumes",
            "an ordinary user's containers are in a user namespace anyway",
        )
    if options["resources"] and not options["cgroup_parent"]:
        raise UsageError(
            "limits need a control group that was handed to the user",
            "name it with --cgroup-parent; docs/rootless.md",
        )


def signal_name(text: str) -> str:
    """``SIGTERM`` for ``TERM``, ``sigterm``, ``15``; SIGRTMIN+3 and the like stay.

    Raises: Error for what is no signal.
    """
    import _signal

    name = text.upper()
    if is_number(name):
        numbers: dict[int, str] = {int(value): key for key, value in vars(_signal).items() if _is_signal(key)}
        if int(name) in numbers:
            return numbers[int(name)]
        if 34 <= int(name) <= 64:
            return f"SIGRTMIN+{int(name) - 34}"
    else:
        name = name if name.startswith("SIG") else f"SIG{name}"
        if hasattr(_signal, name) and _is_signal(name):
            return name
        if name.startswith(("SIGRTMIN", "SIGRTMAX")):
            return name
    raise Error(f"{text!r} is not a signal", "TERM, KILL, HUP, USR1, or a number")


def _is_signal(name: str) -> bool:
    return name.startswith("SIG") and not name.startswith("SIG_") and name not in ("SIGCLD", "SIGPOLL")
