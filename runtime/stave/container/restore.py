"""restore: a container from the images of a checkpoint.

::

    stave restore                   scaffold (stave-init)         criu                     the container
      | a mount namespace of its own; cgroups, limits
      | clone ------------------------>| the mounts of `create`, so that every mount point exists
      | what is mounted where <--------|
      | kill ------------------------->x
      | start ---------------------------------------------------->| is moved to the cgroups
      | request -------------------------------------------------->| clone ---------------->|
      |<------------------------------- setup-namespaces: hooks ---|                        |
      |<------------------------------- post-restore: the pid -----|                        |
      |<------------------------------- orphan-pts-master ---------|                        |
      |<------------------------------- response ------------------| resumes it ----------->| goes on

The container's first process is a child of this one, as after `create`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from signal import SIGKILL
from typing import Any

from ocispec.config import load_config
from ocispec.errors import InvalidJSON
from ocispec.jsontext import dumps, loads
from ocispec.types import Config, Linux
from stave.cgroups.manage import kill, remove_created
from stave.cgroups.plan import CgroupPlan, join_operations
from stave.container.caller import check_console, send_terminal, write_pid_file
from stave.container.create import initial_state, plan_groups, real_path, with_plugins
from stave.container.criu_options import DESCRIPTORS, Directories, RestoreOptions, external_key, fill
from stave.container.delete import delete, run_poststop
from stave.container.executor import Executor
from stave.container.external_mounts import NULL, External, external_mounts
from stave.container.foreground import wait_in_foreground
from stave.container.hooks import run_hooks
from stave.container.state import Container, read_process
from stave.criu.client import Criu, CriuError, with_excerpt
from stave.criu.client import Process as CriuProcess
from stave.criu.messages import RESTORE
from stave.errors import ConfigError, Error, KernelError
from stave.host.facts import read_facts
from stave.native import module as native
from stave.plan.create import plan_create
from stave.plan.namespaces import NAMESPACES
from stave.plan.program import Operation, Program

_LOG = "restore.log"
_CLONE_NEWTIME = 0x80
# Namespaces that criu joins on its own; of the others it is given a descriptor.
_JOINED = {"ipc": "ipc", "uts": "uts", "user": "user", "mount": "mnt", "time": "time"}
_EXTERNAL = {"network": "net", "pid": "pid"}


def restore(
    root: str, container_id: str, options: RestoreOptions, *, detach: bool, no_subreaper: bool
) -> int:
    """The container's processes run again (detach), or have run to their end and the container is gone again.

    Args:
        no_subreaper: leave the container's orphans to whoever gets them otherwise.

    Returns:
        0 if detached, else the exit status of the first process, or 128 and the signal that ended it.

    Raises:
        ContainerExists: the id is taken.
        Error: criu is not there, or failed; nothing is left of the container then.
    """
    config = with_plugins(load_config(options.bundle), options.bundle)
    check_console(config.get("process", {}), options.console_socket, detach=detach)  # type: ignore[arg-type]
    if not (detach or no_subreaper):
        native.set_subreaper(True)
    container = Container.make(root, container_id, {"id": container_id})
    restoration = _Restoration(container, config, options)
    try:
        restoration.carry_out()
        if options.pid_file:
            write_pid_file(options.pid_file, container.pid)
    except BaseException:
        restoration.undo()
        raise
    finally:
        container.unlock()
    if detach:
        return 0
    try:
        return wait_in_foreground(container.pid, restoration.master)
    finally:
        delete(root, container_id, True, options.log_warning)


class _Restoration:
    """One `restore` under way, and what has to be undone if it fails."""

    def __init__(self, container: Container, config: Config, options: RestoreOptions) -> None:
        self.container = container
        self.config = config
        self.options = options
        self.master = -1
        self.cgroups_made: list[str] = []
        self.hooks_ran = False

    def carry_out(self) -> None:
        container, config, options = self.container, self.config, self.options
        criu = Criu(options.executable)
        if options.lazy_pages:
            criu.require("lazy_pages", "--lazy-pages")
        rootfs = config.get("root", {})["path"] = real_path(config, options.bundle)
        facts = read_facts(config)
        if facts.rootless:
            raise Error("restore needs root's power over the host: criu can do nothing without")
        cgroups = plan_groups(config, container.id, facts, options.cgroup_manager)
        container.state = initial_state(container.id, config, options.bundle, cgroups)
        if cgroups.scope:
            container.state["scope"] = {"unit": cgroups.scope, "user": False}
        namespaces = config.get("linux", {}).get("namespaces", ())
        container.state["namespaces"] = sum(NAMESPACES[each["type"]][0] for each in namespaces)
        container.write("config.json", dumps(config).encode())
        container.save()
        # criu wants the root file system to be a mount, in the mount namespace that its directories are of.
        native.isolate_root(rootfs)
        with ExitStack() as stack:
            directories = Directories(options, _LOG, make=False)
            stack.callback(directories.close)
            request = criu.request(RESTORE)
            _add_cgroup_roots(request.opts, cgroups, facts.cgroups)
            with self._scaffold(cgroups) as scaffold:
                external = external_mounts([*scaffold.program, *self._masks()], scaffold.pid)
                keep = self._fill(request.opts, directories, external, stack)
                process = criu.begin(keep=keep)
                stack.callback(process.end)
                _join(process, cgroups)  # before the scaffold ends: a scope ends with its last process
            try:
                process.carry_out(request, self._notice)
            except CriuError as error:
                raise with_excerpt(error, "restore", directories.log) from error
        if not container.state["ready"]:
            raise Error("criu has not said which process it restored")

    @contextmanager
    def _scaffold(self, cgroups: CgroupPlan) -> Iterator[Executor]:
        """The cgroups are there and, in the root file system, all mount points.

        Meanwhile a process has the mounts of `create`, in a mount namespace that goes with it.
        """
        plain = _plain(self.config)
        plan = plan_create(
            plain,
            container_id=self.container.id,
            bundle=self.options.bundle,
            facts=read_facts(plain),
            cgroup_setup=cgroups.setup,
            cgroup_late=cgroups.late,
            cgroup_join=(),
            cgroup_paths=cgroups.paths,
            hook_state=self.container.hook_state,
        )
        program = Program()
        for operation in plan.program:
            program.operations.append(operation)
            if operation.name == "pivot_root":
                break
        program.add("wait_for_runtime", "")
        null = os.open(NULL, os.O_RDWR | os.O_CLOEXEC)
        executor = Executor(
            program,
            state_directory=self.container.directory,
            descriptors={},
            on_pid=lambda _: None,
            streams=(null, null, null),
        )
        self.cgroups_made = executor.cgroups_made
        try:
            executor.run()
            yield executor
        finally:
            executor.close()
            executor.kill()
            os.close(null)

    def _masks(self) -> list[Operation]:
        masked = self.config.get("linux", {}).get("maskedPaths", ())
        return [Operation("mask_path", "/linux/maskedPaths", (path, None)) for path in masked]

    def _fill(
        self, target: Any, directories: Directories, external: list[External], stack: ExitStack
    ) -> list[int]:
        """The message `criu_opts` is complete; returns the descriptors that it names, which the stack closes."""
        options, container = self.options, self.container
        fill(target, options, directories, container.state["rootfs"], container.state["annotations"])
        target.evasive_devices = True
        target.rst_sibling = True
        target.ext_masters = True
        if options.lsm_profile:
            target.lsm_profile = options.lsm_profile
        if options.lsm_mount_context:
            target.lsm_mount_context = options.lsm_mount_context
        for mount in {each.key: each for each in external}.values():
            target.ext_mnt.add(key=mount.key, val=mount.source)
        opened: list[int] = []
        for index, namespace in enumerate(self.config.get("linux", {}).get("namespaces", ())):
            if path := namespace.get("path"):
                descriptor = _add_namespace(target, f"/linux/namespaces/{index}", namespace["type"], path)
                if descriptor >= 0:
                    opened.append(descriptor)
                    stack.callback(os.close, descriptor)
        for number, name in enumerate(_streams(directories.images, options.images)):
            if name.startswith("pipe:"):
                target.inherit_fd.add(key=name, fd=number)
            elif name.startswith("file["):
                # The name of an open file lacks its first letter, which usually is "/". Under its full name criu
                # would open our file anew, and expect the size and position of the old one.
                target.inherit_fd.add(key=name[1:], fd=number)
        return opened

    def _notice(self, script: str, pid: int, descriptors: list[int]) -> None:
        if script == "setup-namespaces":
            self._run_hooks(pid)
        elif script == "post-restore":
            self._save(pid)
        elif script == "orphan-pts-master":
            self._take_terminal(descriptors)

    def _run_hooks(self, pid: int) -> None:
        """As at `create`: the network of the new namespace may come from a hook."""
        hooks = self.config.get("hooks", {})
        state = dumps({**self.container.describe("created"), "pid": pid}).encode()
        for kind, some in (
            ("prestart", hooks.get("prestart")),
            ("createRuntime", hooks.get("createRuntime")),
        ):
            if some:
                self.hooks_ran = True
                run_hooks(kind, some, state, self.options.bundle)

    def _save(self, pid: int) -> None:
        """From here on the container is one like any other."""
        process = read_process(pid)
        state = self.container.state
        state["pid"], state["startTime"] = pid, process[1] if process else 0
        state["cgroupsMade"] = self.cgroups_made
        state["ready"] = True
        # criu puts what it restores into a time namespace, whose clocks go on from where they were.
        if os.readlink(f"/proc/{pid}/ns/time") != os.readlink("/proc/self/ns/time"):
            state["namespaces"] |= _CLONE_NEWTIME
        self.container.save()

    def _take_terminal(self, descriptors: list[int]) -> None:
        if not descriptors:
            raise Error("criu sent no terminal")
        if self.options.console_socket:
            send_terminal(self.options.console_socket, descriptors[0])
        else:
            self.master = os.dup(descriptors[0])

    def undo(self) -> None:
        """Nothing is left: processes, cgroups, state directory."""
        if self.container.pid:
            try:
                os.kill(self.container.pid, SIGKILL)
                os.waitpid(self.container.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        made = set(self.cgroups_made)
        if own := {
            name: path for name, path in self.container.state.get("cgroups", {}).items() if path in made
        }:
            kill(own)  # what a criu has left that was killed itself
        if "scope" in self.container.state:
            from stave.container.scope import stop

            stop(self.container.state, self.options.log_warning)
        if self.cgroups_made:
            try:
                remove_created(self.container.state["cgroups"], self.cgroups_made)
            except Error as error:
                self.options.log_warning(str(error))
        self.container.remove()
        if self.hooks_ran:
            run_poststop(self.container, self.options.log_warning)


def _plain(config: Config) -> Config:
    """The configuration with its mounts and devices, and no more namespaces than these take."""
    linux = config.get("linux", {})
    plain: Linux = {"namespaces": [{"type": "mount"}]}
    if "devices" in linux:
        plain["devices"] = linux["devices"]
    if "rootfsPropagation" in linux:
        plain["rootfsPropagation"] = linux["rootfsPropagation"]
    return {
        "ociVersion": config["ociVersion"],
        "root": {"path": config["root"]["path"]},
        # Those of cgroups lie on a tmpfs or a sysfs, so that they need no mount point.
        "mounts": [mount for mount in config.get("mounts", []) if mount.get("type") != "cgroup"],
        "linux": plain,
    }


def _add_namespace(target: Any, pointer: str, kind: str, path: str) -> int:
    """criu knows the namespace that the container is to be in again; returns a descriptor that it needs, or -1."""
    if kind in _JOINED:
        target.join_ns.add(ns=_JOINED[kind], ns_file=path)
        return -1
    if kind not in _EXTERNAL:
        raise ConfigError(f"{pointer}/path", f"criu cannot join a {kind} namespace")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError(f"open {path}", error.errno or 0, f"{pointer}/path") from error
    target.inherit_fd.add(key=external_key(_EXTERNAL[kind]), fd=descriptor)
    return descriptor


def _streams(images: int, path: str) -> list[str]:
    """What the first process's streams were. Raises Error if the images, in the directory `path`, do not say."""
    file_path = f"{path}/{DESCRIPTORS}"
    try:
        descriptor = os.open(DESCRIPTORS, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=images)
    except OSError as error:
        raise KernelError(f"open {file_path}", error.errno or 0) from error
    with open(descriptor, "rb") as file:
        data = file.read(1 << 16)
    try:
        names = loads(data)
    except InvalidJSON as error:
        raise Error(f"{file_path} is damaged: {error}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(names) > 3:
        raise Error(f"{file_path} is damaged: it is no list of three names")
    return names


def _join(process: CriuProcess, cgroups: CgroupPlan) -> None:
    """criu, and with it what it restores, is in the container's groups."""
    for operation in join_operations(cgroups.paths):
        file = operation.arguments[0]
        try:
            with open(file, "w") as group:
                group.write(str(process.pid))
        except OSError as error:
            raise KernelError(f"write to {file}", error.errno or 0, operation.pointer) from error


def _add_cgroup_roots(target: Any, cgroups: CgroupPlan, layout: Any) -> None:
    """The groups may be other ones than those of the images."""
    for controller, path in cgroups.paths.items():
        mount_point = layout.v1.get(controller) if controller else layout.unified
        if controller:
            target.cg_root.add(ctrl=controller, path=path.removeprefix(mount_point))
        else:
            target.cg_root.add(path=path.removeprefix(mount_point))
