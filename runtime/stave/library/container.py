"""One container."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from stave.container import state
from stave.library.process import Process
from stave.library.streams import Stream, Streams

if TYPE_CHECKING:
    from stave.library.notify import Listener


class Container:
    """A container, made by this process or found by its id. As a context manager it closes its pipes and deletes itself in the end.

    Attributes:
        id: its name, unique below `root`.
        root: directory of all containers' state.
        process: its first process, where this process made it; else None.
    """

    def __init__(
        self,
        root: str,
        container_id: str,
        process: Process | None,
        on_warning: Callable[[str], None],
        listener: Listener | None = None,
    ) -> None:
        self.id = container_id
        self.root = root
        self.process = process
        self._on_warning = on_warning
        self._listener = listener

    def state(self) -> dict[str, Any]:
        """The state as the specification describes it. Spec: runtime.md#state

        Raises:
            ContainerNotFound: it was deleted.
        """
        return state.describe(self.root, self.id)

    @property
    def status(self) -> str:
        """creating, created, running, paused or stopped. Raises as `state`."""
        return state.Container.load(self.root, self.id).status()

    @property
    def pid(self) -> int:
        """The first process's pid, also after its end. Raises as `state`."""
        return state.Container.load(self.root, self.id).pid

    def start(self) -> None:
        """The user's program runs. Spec: runtime.md#start

        Raises:
            StateError: the container is not created.
            Error: the program cannot be executed, or a hook failed.
        """
        from stave.container.start import start

        start(self.root, self.id, self._on_warning)

    def kill(self, number: int = signal.SIGTERM, *, everybody: bool = False) -> None:
        """The first process, or everybody, has got the signal. Spec: runtime.md#kill

        Raises:
            StateError: the container is neither created nor running.
        """
        from stave.container.kill import kill

        kill(self.root, self.id, number, everybody)

    def pause(self) -> None:
        """No process of the container runs until `resume`. Raises StateError."""
        from stave.container.pause import pause

        pause(self.root, self.id)

    def resume(self) -> None:
        """The container's processes run again. Raises StateError."""
        from stave.container.pause import resume

        resume(self.root, self.id)

    def processes(self) -> list[int]:
        """The pids of all of the container's processes."""
        return state.processes(self.root, self.id)

    def wait(self, timeout: float | None = None) -> int | None:
        """The container has stopped; its program's exit status, or minus the signal that ended it.

        Only the process that made the container learns the status; for others it is None.

        Args:
            timeout: seconds; None for ever.

        Raises:
            TimeoutError: it has not stopped.
        """
        if self.process is not None:
            return self.process.wait(timeout)
        container = state.Container.load(self.root, self.id)
        try:
            descriptor = os.pidfd_open(container.pid)
        except OSError:
            return None
        try:
            # Alive while the pidfd pins the number: it is the container's process that is waited for.
            if container.is_alive() and not select.select([descriptor], [], [], timeout)[0]:
                raise TimeoutError(f"container {self.id} still runs after {timeout} s")
        finally:
            os.close(descriptor)
        return None

    def exec(
        self,
        args: Sequence[str] | None = None,
        *,
        process: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        preserve_fds: int = 0,
        cgroups: Sequence[str] = (),
        ignore_paused: bool = False,
    ) -> Process:
        """One more process runs in the container.

        Args:
            args: the program and its arguments; everything else is as for the container's own process, without a
                terminal.
            process: instead of `args`, all of it: an object like config.json's `process`.
            env: variables to add or to change.
            cwd: the working directory, absolute in the container.
            stdin, stdout, stderr: as for `subprocess.Popen`; None is the caller's own.
            preserve_fds: descriptors from 3 on that stay open in the process.
            cgroups: sub-groups to join, "PATH" or "controller:PATH".

        Raises:
            InvalidConfig: `process` is not valid.
            StateError: the container is stopped or paused.
            Error: the program cannot be executed.
        """
        from ocispec.config import check
        from stave.container.caller import ExecOptions
        from stave.container.execute import begin, default_process

        wanted: dict[str, Any]
        if process is None:
            wanted = {**default_process(self.root, self.id), "args": list(args or ()), "terminal": False}
        else:
            wanted = dict(process)
        if env:
            wanted["env"] = [*wanted.get("env", ()), *(f"{name}={value}" for name, value in env.items())]
        if cwd is not None:
            wanted["cwd"] = cwd
        check("process", wanted)
        streams = Streams(stdin, stdout, stderr)
        try:
            options = ExecOptions(
                self._on_warning,
                preserve_fds=preserve_fds,
                cgroups=cgroups,
                ignore_paused=ignore_paused,
                streams=streams.descriptors,
            )
            executor = begin(self.root, self.id, wanted, options)  # type: ignore[arg-type]
        except BaseException:
            streams.abandon()
            raise
        streams.close()
        return Process(executor.pid, streams.pipes, executor.master)

    def delete(self, *, force: bool = False) -> None:
        """Nothing is left of the container. Spec: runtime.md#delete

        Args:
            force: kill what still runs; a container that is gone already is no error.

        Raises:
            ContainerNotFound, StateError: without `force`.
        """
        from stave.container.delete import delete

        delete(self.root, self.id, force, self._on_warning)
        if self.process is not None:
            self.process.poll()  # no zombie is left of it
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None:
            self.process.close()
        self.delete(force=True)

    def __repr__(self) -> str:
        return f"<stave.Container {self.id!r} below {self.root}>"
