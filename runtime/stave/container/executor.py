"""Carries out a Program: its own operations here, the container's by way of stave-init.

The Program is walked in order. Operations of the runtime are done where they stand. The container's are
already with stave-init, which stops at each operation in ``WAITS``; so the walk lets it go on at the first
of a run of them, and reads messages until it stands at the last. ``native/messages.h`` draws the exchange.
"""

from __future__ import annotations

import posix
import time
from _signal import SIGKILL
from errno import EINVAL

from stave.errors import KernelError
from stave.host.facts import write_all
from stave.native import module as native
from stave.plan.operations import SOURCE_LINK, SOURCE_MAP_ALL, SOURCE_RECURSIVE, SOURCE_SLAVE, WAITS
from stave.plan.program import TRACED, Program, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stave.container.network_devices import NetworkDevices
    from stave.plan.program import Operation


class Executor:
    """One Program being carried out, for `create` or `exec`.

    Attributes:
        pid: the container's process in the runtime's PID namespace; 0 before `clone`.
        master: the terminal's master once the container has sent it, owned by whoever takes it; else -1.
        begun: the container's operations that are known to have been begun.
        cgroups_made: the directories made, in order.
        network_devices: those that were moved into the container, if there are any.
        times: (name, process, start, end) of operations in nanoseconds of CLOCK_MONOTONIC, if `traced`.
        on_pid: called whenever `pid` is known or has changed, before the process may go on.
        run_hook: runs a hook on the host: kind, path, arguments, environment, timeout.
        on_seccomp: takes care that the questions of the filter get answered; the descriptor is closed afterwards.
    """

    def __init__(
        self,
        program: Program,
        *,
        state_directory: str,
        descriptors: dict[str, int],
        on_pid: Callable[[int], None],
        run_hook: Callable[[Operation], None] | None = None,
        on_seccomp: Callable[[int], None] | None = None,
        preserve_fds: int = 0,
        streams: Sequence[int] = (0, 1, 2),
        traced: bool = False,
    ) -> None:
        self.program = program
        self.pid = 0
        self.master = -1
        self.begun: list[Operation] = []
        self.cgroups_made: list[str] = []
        self.times: list[tuple[str, str, int, int]] = []
        self.network_devices: NetworkDevices | None = None
        self.on_pid = on_pid
        self.run_hook = run_hook
        self.on_seccomp = on_seccomp
        self._state_directory = state_directory
        self._descriptors = descriptors
        self._preserve_fds = preserve_fds
        self._streams = streams
        self._traced = traced
        self._control = -1
        self._container_operations = program.container_operations()
        self._gone_at = 0

    def run(self) -> None:
        """Every operation up to `wait_for_start` or `execute`, and the runtime's own behind it, are done.

        Raises:
            KernelError, HookError, ConfigError: the operation that failed; nothing has been undone yet.
        """
        index = 0  # of the next operation of the container
        stopped = True
        for operation in self.program:
            if not operation.in_container:
                self._run_own(operation)
                if operation.name == "clone":
                    self.on_pid(self.pid)
                continue
            if stopped:
                if index and self._container_operations[index - 1].name == "wait_for_start":
                    return
                self._go()
                stopped = False
            if operation.name in WAITS:
                self._read_until(index, operation)
                stopped = True
            index += 1

    def close(self) -> None:
        """What was opened on the way is closed; the terminal's master is its owner's."""
        for descriptor in (self._control, *self._descriptors.values()):
            if descriptor >= 0:
                posix.close(descriptor)
        self._control = -1
        self._descriptors.clear()

    def kill(self) -> None:
        """The process that was started is gone and collected, and so is its terminal."""
        if self.master >= 0:
            posix.close(self.master)
            self.master = -1
        if self.pid:
            try:
                posix.kill(self.pid, SIGKILL)
            except ProcessLookupError:
                pass
            self._collect()

    def _run_own(self, operation: Operation) -> None:
        start = time.monotonic_ns() if self._traced else 0
        method = getattr(self, f"_{operation.name}")
        try:
            method(operation)
        except KernelError as error:
            if error.pointer or not operation.pointer:
                raise
            raise KernelError(error.operation, error.errno, operation.pointer, hint=error.hint) from error
        except OSError as error:
            what = operation.name.replace("_", " ")
            subject = f" {error.filename}" if error.filename else ""
            from stave.container.failures import hint_of

            hint = hint_of(operation.name, error.errno or 0)
            raise KernelError(what + subject, error.errno or 0, operation.pointer, hint=hint) from error
        if self._traced:
            self.times.append((operation.name, "stave", start, time.monotonic_ns()))

    def _make_cgroup(self, operation: Operation) -> None:
        from stave.cgroups.operations import make_cgroup

        (path,) = operation.arguments
        make_cgroup(path, self.cgroups_made)

    def _attach_device_filter(self, operation: Operation) -> None:
        from stave.cgroups.device_filter import attach_device_filter

        path, program = operation.arguments
        attach_device_filter(path, program, native.bpf)

    def _change_cgroup(self, operation: Operation) -> None:
        from stave.cgroups import operations

        getattr(operations, operation.name)(*operation.arguments)

    _enable_controllers = _delegate_cgroup = _inherit_cpuset = _write_cgroup = _write_cgroup_first = (
        _change_cgroup
    )

    def _start_scope(self, operation: Operation) -> None:
        from stave.container.scope import start

        start(self.pid, *operation.arguments)

    def _open_namespace(self, operation: Operation) -> None:
        name, path, kind = operation.arguments
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        self._descriptors[name] = descriptor
        if native.namespace_type(descriptor) != kind:
            raise KernelError(f"{path} is a namespace of another type", EINVAL, operation.pointer)

    def _clone(self, operation: Operation) -> None:
        data = encode(self.program, self._descriptors, TRACED if self._traced else 0)
        listener = self._descriptors.get("listener", -1)
        opened: list[int] = []
        try:
            self._control, theirs = native.socket_pair()
            opened.append(theirs)
            program = posix.memfd_create("program", posix.MFD_CLOEXEC)
            opened.append(program)
            write_all(program, data)
            image = native.init_image(self._state_directory)
            opened.append(image)
            arguments = ["stave-init", str(theirs), str(program), str(listener)]
            kept = [theirs, program, *self._descriptors.values()]
            self._gone_at = time.monotonic_ns()
            self.pid = native.launch(
                image, arguments, self._streams, operation.arguments[0], self._preserve_fds, kept
            )
        finally:
            for descriptor in opened:
                posix.close(descriptor)

    def _open_source(self, operation: Operation) -> None:
        source, target, options, ids = operation.arguments
        namespace = posix.open(f"/proc/{self.pid}/ns/mnt", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            tree = native.open_tree(
                namespace, source, bool(options & SOURCE_RECURSIVE), bool(options & SOURCE_LINK)
            )
        except OSError as error:
            what = f"bind: open source {source}"
            raise KernelError(what, error.errno or 0, operation.pointer, target) from error
        finally:
            posix.close(namespace)
        try:
            if options & SOURCE_SLAVE:
                native.make_slave(tree)
            if ids:
                self._map_ids(operation, tree)
            native.send_source(self._control, tree)
        finally:
            posix.close(tree)

    def _send_user_namespace(self, operation: Operation) -> None:
        native.send_source(self._control, self._descriptors[operation.arguments[0]])

    def _make_user_namespace(self, operation: Operation) -> None:
        name, uid_map, gid_map = operation.arguments
        self._descriptors[name] = native.user_namespace(uid_map, gid_map)

    def _map_ids(self, operation: Operation, tree: int) -> None:
        source, target, options, ids = operation.arguments
        try:
            native.map_ids(tree, self._descriptors[ids], bool(options & SOURCE_MAP_ALL))
        except OSError as error:
            what = f"bind: map the ids of {source}"
            hint = "its file system, or one below it, cannot be idmapped" if error.errno == EINVAL else ""
            raise KernelError(what, error.errno or 0, operation.pointer, target, hint) from error

    def _write_id_map(self, operation: Operation) -> None:
        file, text = operation.arguments
        _write(f"/proc/{self.pid}/{file}", text)

    def _run_id_mapper(self, operation: Operation) -> None:
        from stave.container.id_mapper import run_id_mapper

        run_id_mapper(self.pid, operation)

    def _set_oom_score_adj(self, operation: Operation) -> None:
        _write(f"/proc/{self.pid}/oom_score_adj", str(operation.arguments[0]))

    def _set_rlimit(self, operation: Operation) -> None:
        native.set_rlimit(self.pid, *operation.arguments)

    def _move_network_device(self, operation: Operation) -> None:
        from stave.container.network_devices import NetworkDevices

        device, name = operation.arguments
        self.network_devices = self.network_devices or NetworkDevices(self.pid)
        self.network_devices.move(device, name, operation.pointer)

    def _enter_resctrl(self, operation: Operation) -> None:
        from stave.container.resctrl import enter

        enter(self.pid, *operation.arguments)

    def _set_affinity(self, operation: Operation) -> None:
        native.set_affinity(self.pid, operation.arguments[1])

    def _set_io_priority(self, operation: Operation) -> None:
        native.set_io_priority(self.pid, operation.arguments[0])

    def _set_scheduler(self, operation: Operation) -> None:
        native.set_scheduler(self.pid, *operation.arguments)

    def _run_runtime_hook(self, operation: Operation) -> None:
        assert self.run_hook is not None
        self.run_hook(operation)

    def _go(self) -> None:
        try:
            native.send_go(self._control)
        except BrokenPipeError:
            pass  # it has failed: its message is still there to be read

    def _read_until(self, index: int, operation: Operation) -> None:
        """stave-init stands at the operation, or has left by `execute`."""
        while True:
            message = native.receive(self._control)
            if message.type in (native.FAILED, native.WAITING):
                self.begun = self._container_operations[: message.operation + 1]
            if message.type == native.TRACE:
                self._note_times(message)
            elif message.type == native.CONSOLE:
                self.master = message.descriptor
            elif message.type == native.SECCOMP:
                self._hand_over_listener(message.descriptor)
            elif message.type == native.FORKED:
                self._collect()
                self.pid = message.value
                self.on_pid(self.pid)
                return
            elif message.type == native.WAITING and message.operation == index:
                return
            elif message.type == native.FAILED:
                from stave.container.failures import failure

                raise failure(self._container_operations[message.operation], message)
            elif message.type == 0 and operation.name == "execute":
                return
            else:
                from stave.container.failures import sudden_death

                raise sudden_death(self._collect())

    def _hand_over_listener(self, descriptor: int) -> None:
        assert self.on_seccomp is not None
        try:
            self.on_seccomp(descriptor)
        finally:
            posix.close(descriptor)
        self._go()

    def _collect(self) -> int:
        """The wait status of the process that was started, which has ended or is about to."""
        pid, self.pid = self.pid, 0
        try:
            return posix.waitpid(pid, 0)[1]
        except ChildProcessError:
            return 0

    def _note_times(self, message: native.Message) -> None:
        for at in range(message.value):
            end = int.from_bytes(message.detail[at * 8 : at * 8 + 8], "little")
            name = self._container_operations[message.operation + at].name
            self.times.append((name, "container", self._gone_at, end))
            self._gone_at = end


def _write(path: str, text: str) -> None:
    descriptor = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC)
    try:
        posix.write(descriptor, text.encode())
    except OSError as error:
        error.filename = path
        raise
    finally:
        posix.close(descriptor)
