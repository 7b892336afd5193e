"""create: everything but the user's program. Spec: runtime.md#create"""

from __future__ import annotations

import posix

from ocispec.config import load_config
from ocispec.jsontext import dumps
from stave.cgroups.plan import CgroupPlan, directories, plan_cgroups, without_groups
from stave.container.caller import (
    CreateOptions,
    check_console,
    check_preserved,
    send_pidfd,
    send_terminal,
    write_pid_file,
)
from stave.container.record import write_record
from stave.container.state import SOCKET, Container, exists, read_process, timestamp
from stave.container.subjects import subject_of
from stave.errors import Error, KernelError
from stave.host.facts import Facts, read_facts
from stave.plan.constants import CLONE_NEWNS
from stave.plan.create import plan_create
from stave.seccomp.cache import filter_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import Config
    from stave.container.executor import Executor
    from stave.plan.program import Operation
    from stave.plan.result import Plan


def create(root: str, container_id: str, options: CreateOptions) -> None:
    """The container is created: its process waits for `start`. After a failure nothing is left of it.

    Args:
        root: directory of all containers' state.

    Raises:
        InvalidConfig: config.json, with every problem.
        ContainerExists: the id is taken.
        Error: whatever else failed, with the property it came from.
    """
    config = load_config(options.bundle, options.config)
    check_console(config.get("process", {}), options.console_socket, detach=True)  # type: ignore[arg-type]
    master = create_container(root, container_id, config, options)
    if master >= 0:
        posix.close(master)


def create_container(root: str, container_id: str, config: Config, options: CreateOptions) -> int:
    """As `create`; returns the terminal's master (owned by the caller) if there is one and it was not sent, else -1."""
    check_preserved(options.passed_fds)
    config = with_plugins(config, options.bundle)
    container = Container.make(root, container_id, {"id": container_id})
    creation = _Creation(container, config, options)
    try:
        creation.prepare()
        return creation.carry_out()
    except BaseException:
        creation.undo()
        raise
    finally:
        container.unlock()


def plan_bundle(
    bundle: str,
    container_id: str = "CONTAINER",
    *,
    cgroup_manager: str = "cgroupfs",
    facts: Facts | None = None,
) -> Plan:
    """What `create` and `start` would do for a bundle, for `stave explain`; nothing is done."""
    config = with_plugins(load_config(bundle), bundle)
    facts = facts or read_facts(config)
    if facts.euid != 0:
        config = _rootless(config, facts)
    cgroups = plan_groups(config, container_id, facts, cgroup_manager)
    container = Container("/run/stave", container_id, initial_state(container_id, config, bundle, cgroups))
    return _plan(container, config, CreateOptions(bundle, lambda _: None), facts, cgroups)


def with_plugins(config: Config, bundle: str) -> Config:
    """The configuration as the plug-ins want it that it asks for; most ask for none, and none is loaded then."""
    asked = [mount for mount in config.get("mounts", ()) if mount.get("type", "")[:2] == "x-"]
    if not asked and "stave.payload" not in config.get("annotations", {}):
        return config
    from stave.container.plugins import apply

    return apply(config, bundle)


class _Creation:
    """One `create` under way, and what has to be undone if it fails."""

    def __init__(self, container: Container, config: Config, options: CreateOptions) -> None:
        self.container = container
        self.config = config
        self.options = options
        self.executor: Executor | None = None
        self.runtime_hooks_ran = False

    def prepare(self) -> None:
        config, container, bundle = self.config, self.container, self.options.bundle
        config.get("root", {})["path"] = real_path(config, bundle)
        facts = read_facts(config)
        if facts.euid != 0:
            self.config = config = _rootless(config, facts)
        cgroups = plan_groups(config, container.id, facts, self.options.cgroup_manager)
        container.state = initial_state(container.id, config, bundle, cgroups)
        if cgroups.scope:
            container.state["scope"] = {"unit": cgroups.scope, "user": facts.rootless}
        if self.options.listen_fds or self.options.notify_socket:
            config = self._as_service(config)
        self.plan = _plan(container, config, self.options, facts, cgroups)
        if facts.resctrl:
            from stave.plan.resctrl import own_directories

            own = own_directories(config["linux"]["intelRdt"], container.id, facts.resctrl)
            container.state["resctrl"] = [path for path in own if not exists(path)]
        container.state["namespaces"] = self.plan.namespaces
        container.state["startOperations"] = _after_start(self.plan)
        if config.get("mounts") and not self.plan.namespaces & CLONE_NEWNS:
            from stave.container.mounts import mounts_below

            container.state["sharedMounts"] = {"before": mounts_below(config["root"]["path"])}
        for warning in self.plan.warnings:
            self.options.log_warning(warning)

    def _as_service(self, config: Config) -> Config:
        """What only the first process gets, so not the configuration that is kept."""
        from stave.container.service import with_notify_socket, with_sockets

        if "process" in config and self.options.listen_fds:
            config = with_sockets(config, self.options.listen_fds)
        if "process" in config and self.options.notify_socket:
            config = with_notify_socket(config, self.container)
        return config

    def carry_out(self) -> int:
        from stave.container.executor import Executor
        from stave.native import module as native

        container, options = self.container, self.options
        container.write("config.json", dumps(self.config).encode())
        container.save()
        listener = native.listen(container.descriptor, SOCKET)
        self.executor = executor = Executor(
            self.plan.program,
            state_directory=container.directory,
            descriptors={"listener": listener},
            on_pid=self._save_pid,
            run_hook=self._run_hook,
            preserve_fds=options.passed_fds,
            streams=options.streams,
            traced=options.trace is not None,
        )
        try:
            executor.run()
        finally:
            executor.close()
        master = executor.master
        if master >= 0 and options.console_socket:
            send_terminal(options.console_socket, master)
            posix.close(master)
            master = executor.master = -1
        container.state["cgroupsMade"] = executor.cgroups_made
        container.state["ready"] = True
        if options.pidfd_socket:
            send_pidfd(options.pidfd_socket, executor.pid, "standard")
        if options.pid_file:
            write_pid_file(options.pid_file, executor.pid)
        container.save()
        write_record(container, self.config)
        if options.trace is not None:
            from stave.container.trace import write_trace

            write_trace(options.trace, executor.times)
        return master

    def undo(self) -> None:
        """Nothing is left: process, cgroups, mounts (most die with the process), state directory. What cannot be
        undone is a warning: what went wrong first is the error."""
        for step in (self._end_process, self._remove_groups, self._unmount, self.container.remove):
            try:
                step()
            except (Error, OSError) as error:
                self.options.log_warning(str(error))
        if self._hooks_ran():
            from stave.container.delete import run_poststop

            run_poststop(self.container, self.options.log_warning)

    def _end_process(self) -> None:
        if self.executor is None:
            return
        try:
            if self.executor.network_devices:
                # Virtual ones would end with the network namespace, and others come back under another name.
                self.executor.network_devices.move_back()
        finally:
            self.executor.kill()

    def _remove_groups(self) -> None:
        state, log_warning = self.container.state, self.options.log_warning
        if self.executor is not None and "scope" in state:
            from stave.container.scope import stop

            stop(state, log_warning)
        if groups := state.get("resctrl"):
            from stave.container.resctrl import remove

            remove(groups, log_warning)
        if self.executor is not None and self.executor.cgroups_made:
            from stave.cgroups.manage import remove_created

            remove_created(state["cgroups"], self.executor.cgroups_made)

    def _unmount(self) -> None:
        if shared := self.container.state.get("sharedMounts"):
            from stave.container.mounts import unmount_new

            unmount_new(self.container.state["rootfs"], shared["before"])

    def _hooks_ran(self) -> bool:
        """Whether any hook of `create` was begun: then the poststop hooks may have something to clean up."""
        begun = self.executor.begun if self.executor else ()
        return self.runtime_hooks_ran or any(each.name == "run_container_hook" for each in begun)

    def _save_pid(self, pid: int) -> None:
        process = read_process(pid)
        self.container.state["pid"] = pid
        self.container.state["startTime"] = process[1] if process else 0
        if self.executor is not None:
            self.container.state["cgroupsMade"] = self.executor.cgroups_made
        self.container.save()

    def _run_hook(self, operation: Operation) -> None:
        from stave.container.hooks import run_hook

        self.runtime_hooks_ran = True
        _, path, arguments, environment, timeout = operation.arguments
        before, after = self.container.hook_state("created")
        hook = {"path": path, "args": arguments, "env": environment, "timeout": timeout}
        state = before + str(self.container.pid).encode() + after
        run_hook(operation.pointer, hook, state, self.options.bundle)  # type: ignore[arg-type]


def _rootless(config: Config, facts: Facts) -> Config:
    from stave.container.rootless import with_user_namespace

    return with_user_namespace(config, facts)


def plan_groups(config: Config, container_id: str, facts: Facts, manager: str) -> CgroupPlan:
    """The container's cgroups, by the manager that the caller chose.

    Raises:
        ConfigError: limits without a group to set them in.
    """
    if manager == "disabled":
        return without_groups(config)
    if manager == "systemd":
        from stave.container.scope import plan

        return plan(config, container_id, facts)
    return plan_cgroups(
        config, container_id, facts.cgroups, rootless=facts.rootless, delegated=facts.delegated
    )


def initial_state(container_id: str, config: Config, bundle: str, cgroups: CgroupPlan) -> dict[str, object]:
    hooks = config.get("hooks", {})
    return {
        "id": container_id,
        "bundle": bundle,
        "rootfs": config.get("root", {}).get("path", ""),
        "annotations": config.get("annotations", {}),
        "created": timestamp(),
        "owner": posix.geteuid(),
        "pid": 0,
        "startTime": 0,
        "ready": False,
        "startable": "process" in config,
        "hooks": {kind: hooks.get(kind, []) for kind in ("poststart", "poststop")},
        "cgroups": cgroups.paths,
        # What systemd makes is systemd's to remove.
        "cgroupsMade": [] if cgroups.scope else _missing(directories(cgroups.paths)),
    }


def _missing(paths: list[str]) -> list[str]:
    """The paths and what is above them, as far as they do not exist yet, parents first.

    Saved before the groups are made, so that `delete` finds them all if this process is killed on the way.
    """
    missing: dict[str, None] = {}
    for path in paths:
        absent = []
        while path and not exists(path):
            absent.append(path)
            path = path.rpartition("/")[0]
        missing.update(dict.fromkeys(reversed(absent)))
    return list(missing)


def _plan(
    container: Container,
    config: Config,
    options: CreateOptions,
    facts: Facts,
    cgroups: CgroupPlan,
) -> Plan:
    return plan_create(
        config,
        container_id=container.id,
        bundle=options.bundle,
        facts=facts,
        cgroup_setup=cgroups.setup,
        cgroup_late=cgroups.late,
        cgroup_join=cgroups.join,
        cgroup_paths=cgroups.paths,
        hook_state=container.hook_state,
        seccomp=filter_of(config, container.root),
        no_pivot=options.no_pivot,
        no_new_keyring=options.no_new_keyring,
        preserve_fds=options.passed_fds,
    )


def _after_start(plan: Plan) -> dict[str, object]:
    """What `start` needs to name a failure: the operations behind `wait_for_start`."""
    operations = plan.program.container_operations()
    first = next(index for index, each in enumerate(operations) if each.name == "wait_for_start")
    later = operations[first:]
    return {"first": first, "operations": [[each.name, each.pointer, subject_of(each)] for each in later]}


def real_path(config: Config, bundle: str) -> str:
    """The root file system's path without links, relative parts or the bundle left to resolve."""
    path = config.get("root", {}).get("path", "")
    if not path.startswith("/"):
        path = f"{bundle}/{path}"
    try:
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except OSError as error:
        raise KernelError(f"open {path}", error.errno or 0, "/root/path") from error
    try:
        return posix.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        posix.close(descriptor)
