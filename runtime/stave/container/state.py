"""A container's state directory: ``<root>/<id>/``, mode 0700.

=============== ==========================================================================
``state.json``  what `Container.state` holds; written to a temporary name and renamed
``config.json`` the configuration as it was at `create`: later changes have no effect
``record``      what the launcher needs of a simple container (``record.py``)
``start.sock``  where `start` finds the container's first process; gone once it was started
=============== ==========================================================================

The directory itself carries the lock (flock(2)) of every command that changes the container.
Nothing is synced to disk: the state outlives a killed runtime, and need not outlive the machine's processes.
A process is known by pid *and* start time, so that a recycled pid is never taken for it.

Spec: runtime.md#state
"""

from __future__ import annotations

import fcntl
import posix
import time

from ocispec.errors import InvalidJSON
from ocispec.jsontext import dumps, loads
from stave.errors import ContainerExists, ContainerNotFound, DamagedState, Error, KernelError, StateError
from stave.host.facts import read_file, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ocispec.types import Config

SPEC_VERSION = "1.3.0"
DEFAULT_ROOT = "/run/stave"
SOCKET = "start.sock"
_ID_LIMIT = 1024
_LOCK_TIMEOUT = 10.0  # seconds

CREATING, CREATED, RUNNING, PAUSED, STOPPED = "creating", "created", "running", "paused", "stopped"


class Container:
    """A container and its state directory.

    Attributes:
        id: its name, unique below `root`.
        root: directory of all containers' state.
        directory: absolute path of the state directory.
        state: what state.json says: id, bundle, rootfs, annotations, created (RFC 3339), owner (uid), pid and
            startTime (0 before there is a process), ready (False until `create` has ended well), cgroups
            (hierarchy -> directory), cgroupsMade (directories that `create` made), namespaces (CLONE_NEW* bits),
            hooks (those that are still to come: poststart, poststop), startable (whether there is a process to
            start), scope (with the systemd driver: its unit, and whether the user's systemd has it), sharedMounts
            (without a mount namespace: what was mounted below the root before), startOperations (what `start` sets
            off: name, pointer, subject of each, and the first's index).
        descriptor: of the directory, once locked; else -1.
    """

    __slots__ = ("id", "root", "directory", "state", "descriptor")

    def __init__(self, root: str, container_id: str, state: dict[str, Any]) -> None:
        self.id = container_id
        self.root = root
        self.directory = f"{root}/{container_id}"
        self.state = state
        self.descriptor = -1

    @classmethod
    def make(cls, root: str, container_id: str, state: dict[str, Any]) -> Container:
        """A new state directory, locked; no state is saved yet.

        Raises:
            ContainerExists: the id is taken.
            KernelError: it cannot be made.
        """
        check_id(container_id)
        container = cls(root, container_id, state)
        make_root(root)
        while container.descriptor < 0:
            try:
                posix.mkdir(container.directory, 0o700)
            except FileExistsError:
                raise ContainerExists(container_id) from None
            except OSError as error:
                raise _not_made(container.directory, error) from error
            try:
                container.lock()
            except ContainerNotFound:
                pass  # a `delete --force` took it for what a killed `create` had left
        if exists(f"{container.directory}/state.json"):
            # And somebody else has made it anew, before the lock was ours.
            container.unlock()
            raise ContainerExists(container_id)
        return container

    @classmethod
    def load(cls, root: str, container_id: str, lock: bool = False) -> Container:
        """The container as it was saved last; with `lock`, nobody else changes it until this process ends.

        Raises:
            ContainerNotFound: there is none.
            DamagedState: its state file cannot be read.
        """
        check_id(container_id)
        container = cls(root, container_id, {})
        if lock:
            container.lock()
        try:
            container._read()
        except BaseException:
            container.unlock()
            raise
        return container

    def _read(self) -> None:
        file = f"{self.directory}/state.json"
        try:
            text = read_file(file)
        except (FileNotFoundError, NotADirectoryError):
            raise ContainerNotFound(self.id) from None
        try:
            state = loads(text.encode("utf-8", "surrogateescape"))
        except InvalidJSON as error:
            raise DamagedState(f"{file} is damaged ({error}): delete --force removes it") from error
        if not isinstance(state, dict):
            raise DamagedState(f"{file} is damaged (no object): delete --force removes it")
        self.state = state

    def lock(self) -> None:
        """This process alone changes the container until it ends.

        Raises:
            ContainerNotFound: the directory is not there (any more).
            StateError: another command holds the lock for longer than ten seconds.
        """
        deadline = time.monotonic() + _LOCK_TIMEOUT
        try:
            while True:
                if self.descriptor < 0:
                    flags = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC
                    self.descriptor = posix.open(self.directory, flags)
                try:
                    fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        self.unlock()
                        raise StateError(f"container {self.id} is in use by another command") from None
                    time.sleep(0.005)
                    continue
                # While we waited the container may have been deleted, and made anew in another directory.
                if posix.fstat(self.descriptor).st_ino == posix.stat(self.directory).st_ino:
                    return
                self.unlock()
        except (FileNotFoundError, NotADirectoryError):
            self.unlock()
            raise ContainerNotFound(self.id) from None

    def unlock(self) -> None:
        """Others may change the container again."""
        if self.descriptor >= 0:
            posix.close(self.descriptor)
            self.descriptor = -1

    def save(self) -> None:
        """state.json says what `state` holds, also if this process is killed at any instant."""
        self.write("state.json", dumps(self.state).encode())

    def write(self, name: str, data: bytes) -> None:
        """A file of the state directory holds `data`, whole or not at all.

        Raises:
            KernelError: it could not be written; the disk may be full.
        """
        temporary = f"{self.directory}/.{name}"
        flags = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC
        try:
            descriptor = posix.open(temporary, flags, 0o600)
            try:
                write_all(descriptor, data)
            finally:
                posix.close(descriptor)
            posix.rename(temporary, f"{self.directory}/{name}")
        except OSError as error:
            raise KernelError(f"write {self.directory}/{name}", error.errno or 0) from error

    def config(self) -> Config:
        """The configuration that the container was created with."""
        config: Config = loads(self.read_config())  # type: ignore[assignment]
        return config

    def read_config(self) -> bytes:
        """config.json as it was at `create`, normalised."""
        return read_file(f"{self.directory}/config.json").encode("utf-8", "surrogateescape")

    def remove(self) -> None:
        """The state directory is gone, and the id free again."""
        _remove_files(self.directory)

    @property
    def pid(self) -> int:
        """The first process's pid; 0 before there is one."""
        return int(self.state.get("pid", 0))

    def is_alive(self) -> bool:
        """Whether the container's first process still runs (a zombie does not)."""
        process = read_process(self.pid)
        return process is not None and process == ("alive", self.state.get("startTime"))

    def status(self) -> str:
        """creating, created, running, paused or stopped."""
        if not self.is_alive():
            return STOPPED if self.state.get("ready") or self.pid else CREATING
        if not self.state.get("ready"):
            return CREATING
        if self.is_frozen():
            return PAUSED
        return CREATED if exists(f"{self.directory}/{SOCKET}") else RUNNING

    def is_frozen(self) -> bool:
        """Whether the container's cgroup is frozen."""
        from stave.cgroups.files import freezer_group, is_frozen

        group = freezer_group(self.state["cgroups"])
        return group is not None and is_frozen(group)

    def describe(self, status: str | None = None) -> dict[str, Any]:
        """The state as the specification wants it. Spec: runtime.md#state"""
        status = status or self.status()
        described: dict[str, Any] = {"ociVersion": SPEC_VERSION, "id": self.id, "status": status}
        # Kept after the end too: whoever polls may compare the state before and after.
        described["pid"] = 0 if status == STOPPED else self.pid
        described["bundle"] = self.state.get("bundle", "")
        if annotations := self.state.get("annotations"):
            described["annotations"] = annotations
        return described

    def listed(self, status: str | None = None) -> dict[str, Any]:
        """What `state` and `list` say of it: also what other runtimes tell. `list` adds the owner."""
        record = self.describe(status)
        for key in ("rootfs", "created"):
            record[key] = self.state.get(key, "")
        return record

    def hook_state(self, status: str) -> tuple[bytes, bytes]:
        """The state for a hook's stdin, as JSON text before and after the pid."""
        described = self.describe(status)
        described["pid"] = 0
        # An id holds no quotes, so the first match is the member itself.
        before, pid, after = dumps(described).partition('"pid":')
        return (before + pid).encode(), after[1:].encode()


def _remove_files(directory: str) -> None:
    """The directory is gone with the files in it, and those one level below."""
    for name in posix.listdir(directory):
        path = f"{directory}/{name}"
        try:
            posix.unlink(path)
        except IsADirectoryError:
            _remove_files(path)
    posix.rmdir(directory)


def describe(root: str, container_id: str) -> dict[str, Any]:
    """The state of a container, for `stave state`. Raises ContainerNotFound."""
    return Container.load(root, container_id).listed()


def list_all(root: str) -> list[dict[str, Any]]:
    """A record per container below `root`, by name: state, rootfs, created, owner.

    Directories that are no containers are passed over; one that is being made has no state yet.
    """
    try:
        names = sorted(posix.listdir(root))
    except FileNotFoundError:
        return []
    records = []
    owners: dict[int, str] = {}
    for name in names:
        try:
            container = Container.load(root, name)
        except Error:
            continue
        record = container.listed()
        owner = container.state.get("owner", 0)
        if owner not in owners:
            owners[owner] = _owner_name(owner)
        record["owner"] = owners[owner]
        records.append(record)
    return records


def processes(root: str, container_id: str) -> list[int]:
    """The pids of all processes in the container's cgroups, in the caller's PID namespace."""
    from stave.cgroups.manage import processes as group_processes

    container = Container.load(root, container_id)
    return group_processes(container.state["cgroups"])


def read_process(pid: int) -> tuple[str, int] | None:
    """("alive" or "ended", start time in clock ticks since boot) of a process; None if there is none.

    Source: proc_pid_stat(5), fields 3 and 22.
    """
    if pid <= 0:
        return None
    try:
        text = read_file(f"/proc/{pid}/stat")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold anything, also parentheses and spaces.
    fields = text.rpartition(")")[2].split()
    return ("ended" if fields[0] in "ZX" else "alive", int(fields[19]))


def check_id(container_id: str) -> None:
    """The id may name a directory. Raises Error, worded as runc does."""
    if container_id in ("", ".", "..") or len(container_id) > _ID_LIMIT:
        raise Error(f"invalid container ID format: {container_id!r}")
    for character in container_id:
        if not (character.isascii() and (character.isalnum() or character in "_+-.")):
            raise Error(f"invalid container ID format: {container_id!r}: letters, digits and _ + - . only")


def make_root(root: str) -> None:
    """The directory of all containers exists, for its owner only where it is new.

    Raises:
        KernelError: it cannot be made.
    """
    path = ""
    for part in root.split("/")[1:]:
        path += f"/{part}"
        if not exists(path):
            try:
                posix.mkdir(path, 0o700 if path == root else 0o755)
            except FileExistsError:
                continue
            except OSError as error:
                raise _not_made(path, error) from error


def _not_made(directory: str, error: OSError) -> KernelError:
    hint = "--root names another state directory"
    return KernelError(f"make directory {directory}", error.errno or 0, hint=hint)


def exists(path: str) -> bool:
    """Whether there is a file of that name, of any kind; a link counts by itself."""
    try:
        posix.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def timestamp() -> str:
    """Now, as RFC 3339 in UTC with nanoseconds."""
    now = time.time_ns()
    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1_000_000_000))
    return f"{date}.{now % 1_000_000_000:09}Z"


def _owner_name(uid: int) -> str:
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
