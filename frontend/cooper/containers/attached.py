"""`run`, `start` and `attach`: a container with a command in its foreground."""

from __future__ import annotations

import posix

from cooper.cli.output import STDIN, print_line, warn
from cooper.containers import record
from cooper.containers.create import Creation
from cooper.containers.launch import launch
from cooper.containers.locks import ContainerLock
from cooper.containers.lookup import find, find_locked, open_database, running
from cooper.containers.prepare import prepare
from cooper.containers.settle import clean_up, supervisor_of
from cooper.errors import Conflict, Error, UsageError
from cooper.supervisor import client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cooper.cli.command import Invocation
    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database
    from cooper.supervisor.client import Supervisor


def run_container(invocation: Invocation) -> int:
    """`cooper run`; returns its exit status."""
    settings, given = invocation.settings, invocation.options
    database = open_database(settings)
    options = prepare(invocation, database)
    detach, tty = given["detach"], given["tty"]
    if tty and not detach and given["interactive"] and not posix.isatty(STDIN):
        raise UsageError("-t needs a terminal, and standard input is none", "leave out -t")
    show = shown(given["attach"])
    reads = bool(given["interactive"] and not detach and (not given["attach"] or "stdin" in given["attach"]))
    keys, size = _keys(given["detach-keys"], detach), _size() if tty else (0, 0)
    wants = 0 if detach else client.CARETAKER | client.WANTS_OUTPUT | (client.WANTS_INPUT if reads else 0)
    with Creation(settings, database, options, given["name"]) as creation:
        container = creation.container
        if given["cidfile"]:
            _write_id(given["cidfile"], container.id)
        creation.done()
        try:
            supervisor = launch(settings, database, container, wants, size)
        except Error:
            if options["remove"] and record.get(database, container.id) is not None:
                from cooper.containers.remove import remove_locked

                remove_locked(settings, database, container)
            raise
    if detach:
        supervisor.close()
        print_line(container.id)
        return 0
    return in_foreground(
        settings, database, container, supervisor, reads, tty, keys, given["sig-proxy"], show
    )


def shown(streams: list[str]) -> tuple[str, ...]:
    """Which output streams `--attach` names; both without it."""
    for stream in streams:
        if stream.lower() not in ("stdin", "stdout", "stderr"):
            raise UsageError(f"--attach: {stream!r} is none of stdin, stdout, stderr")
    return tuple(stream.lower() for stream in streams) or ("stdout", "stderr")


def _keys(text: str, detach: bool) -> bytes:
    if detach and not text:
        return b""
    from cooper.cli.foreground import detach_keys

    return detach_keys(text)


def _write_id(path: str, container_id: str) -> None:
    try:
        file = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o644)
    except OSError as error:
        hint = (
            "remove it, if the container that it names is gone" if isinstance(error, FileExistsError) else ""
        )
        raise Error(f"--cidfile {path}: {error.strerror}", hint) from error
    posix.write(file, container_id.encode())
    posix.close(file)


def in_foreground(
    settings: Settings,
    database: Database,
    container: Container,
    supervisor: Supervisor,
    reads: bool,
    tty: bool,
    keys: bytes,
    proxy: bool,
    show: tuple[str, ...],
) -> int:
    """The exit status, after the container has ended and what it used is released; 0 if it was left running."""
    from cooper.cli.foreground import DETACHED, Foreground

    foreground = Foreground(supervisor, reads, tty, keys, proxy, show)
    status = foreground.run()
    if status == DETACHED:
        supervisor.close()
        return 0
    try:
        clean_up(settings, database, container.id)
    except Error as error:  # the next command does it: this one's status is the program's
        warn(str(error))
    supervisor.send(client.DONE)
    supervisor.close()
    if foreground.oom:
        warn(f"{container.name} ran out of memory: the kernel killed a process of it")
    return status


def start_container(settings: Settings, database: Database, name: str) -> None:
    """The container runs in the background; nothing is done if it does already."""
    container = find(settings, database, name)
    with ContainerLock(settings, container.id):
        container = find_locked(settings, database, container.id)
        if container.state != record.RUNNING:
            launch(settings, database, container).close()


def start_attached(invocation: Invocation, database: Database) -> int:
    """`cooper start -a`; returns its exit status."""
    settings, given = invocation.settings, invocation.options
    container = find(settings, database, invocation.arguments[0])
    options = container.options
    reads = bool(given["interactive"] and options["interactive"])
    wants = client.CARETAKER | client.WANTS_OUTPUT | (client.WANTS_INPUT if reads else 0)
    with ContainerLock(settings, container.id):
        container = find_locked(settings, database, container.id)
        size = _size() if options["tty"] else (0, 0)
        supervisor = launch(settings, database, container, wants, size)
    keys = _keys(given["detach-keys"], False)
    return in_foreground(
        settings, database, container, supervisor, reads, options["tty"], keys, given["sig-proxy"], shown([])
    )


def attach_container(invocation: Invocation, database: Database) -> int:
    """`cooper attach`; returns the container's exit status."""
    settings, given = invocation.settings, invocation.options
    container = running(settings, database, invocation.arguments[0])
    options = container.options
    if container.paused:
        raise Conflict(f"the container {container.name} is paused", f"cooper unpause {container.name}")
    supervisor = supervisor_of(settings, database, container)
    if supervisor is None:
        raise Conflict(f"the container {container.name} ended meanwhile")
    reads = bool(options["interactive"] and not given["no-stdin"])
    wants = client.CARETAKER | client.WANTS_OUTPUT | (client.WANTS_INPUT if reads else 0)
    supervisor.send(client.ATTACH, bytes([wants]))
    keys = _keys(given["detach-keys"], False)
    return in_foreground(
        settings, database, container, supervisor, reads, options["tty"], keys, given["sig-proxy"], shown([])
    )


def _size() -> tuple[int, int]:
    from cooper.cli.foreground import terminal_size

    return terminal_size()
