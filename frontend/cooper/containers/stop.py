"""Containers are stopped: all are asked first, then each is awaited."""

from __future__ import annotations

import time

from cooper.cli.output import warn
from cooper.containers import record
from cooper.containers.settle import clean_up, supervisor_of
from cooper.errors import Conflict
from cooper.settings import PATIENCE_S
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
        self._supervisor = supervisor_of(settings, database, container)
        if self._supervisor is not None:
            self._supervisor.send(client.ATTACH, bytes([client.CARETAKER]))
            self._supervisor.send(client.STOP, f"{signal or options['stop_signal']} {self._seconds}".encode())

    def wait(self) -> None:
        """The container has ended, and what it used is released.

        A supervisor that does not bring it to its end is ended itself: that releases the container, too.
        """
        settings, database = self._settings, self._database
        if self._supervisor is not None:
            patience = self._seconds + PATIENCE_S / 2 if self._seconds >= 0 else FOREVER
            try:
                self._supervisor.wait(client.FINISHED, client.FAILED, seconds=patience)
            except TimeoutError:
                warn(f"{self._container.name} was not stopped by its supervisor, which was killed")
                self._supervisor.kill()
                self._supervisor.wait()
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
    _set_paused(settings, database, container, False)


def pause(settings: Settings, database: Database, container: Container) -> None:
    """No process of the container runs."""
    _set_paused(settings, database, container, True)


def _set_paused(settings: Settings, database: Database, container: Container, paused: bool) -> None:
    supervisor = supervisor_of(settings, database, container)
    if supervisor is None:
        raise Conflict(f"the container {container.name} ended meanwhile")
    supervisor.ask(
        f"{'pause' if paused else 'unpause'} {container.name}", client.PAUSE, b"1" if paused else b"0"
    )
    supervisor.close()
