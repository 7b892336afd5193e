"""Containers are stopped: all are asked first, then each is awaited."""

from __future__ import annotations

import time

from cooper.cli.output import warn
from cooper.containers import record
from cooper.containers.runtime import Runtime
from cooper.containers.settle import clean_up
from cooper.supervisor import client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database
    from cooper.supervisor.client import Supervisor

FOREVER = -1


class Stopping:
    """A container that has been asked to end."""

    __slots__ = ("_settings", "_database", "_container", "_supervisor", "_seconds", "_began")

    def __init__(
        self,
        settings: Settings,
        database: Database,
        container: Container,
        signal: str = "",
        seconds: int | None = None,
    ) -> None:
        """Sends the signal ("": its stop signal); the supervisor kills after so many seconds (None: its own)."""
        self._settings = settings
        self._database = database
        self._container = container
        self._supervisor: Supervisor | None = None
        options = container.options
        self._seconds = options["stop_timeout"] if seconds is None else seconds
        self._began = time.monotonic()
        record.update(database, container.id, stopped=1)
        if container.state != record.RUNNING:
            return
        if container.paused:
            resume(settings, database, container)
        self._supervisor = client.connect(settings, container.id)
        if self._supervisor is not None:
            self._supervisor.send(client.ATTACH, bytes([client.CARETAKER]))
            self._supervisor.send(client.STOP, f"{signal or options['stop_signal']} {self._seconds}".encode())

    def wait(self) -> None:
        """The container has ended, and what it used is released."""
        settings, database = self._settings, self._database
        if self._supervisor is not None:
            self._supervisor.wait(client.FINISHED)
        clean_up(settings, database, self._container.id)
        if self._supervisor is not None:
            self._supervisor.send(client.DONE)
            self._supervisor.close()
            if 0 < self._seconds <= time.monotonic() - self._began and not self._container.options["init"]:
                warn(
                    f"{self._container.name} did not end within {self._seconds} s and was killed; a program that"
                    " is the first process ignores what it does not handle: see --init and --stop-signal"
                )


def kill_now(settings: Settings, database: Database, container: Container) -> None:
    """The container has ended, by SIGKILL."""
    Stopping(settings, database, container, "SIGKILL", 0).wait()


def resume(settings: Settings, database: Database, container: Container) -> None:
    """The paused container goes on."""
    runtime = Runtime(settings, container.options["runtime"])
    runtime.call(f"{settings.run_directory(container.id)}/command.log", "resume", container.id)
    record.update(database, container.id, paused=0)
    container.paused = 0


def pause(settings: Settings, database: Database, container: Container) -> None:
    """No process of the container runs."""
    runtime = Runtime(settings, container.options["runtime"])
    runtime.call(f"{settings.run_directory(container.id)}/command.log", "pause", container.id)
    record.update(database, container.id, paused=1)
    container.paused = 1
