"""The Program of `create`, up to and including the user's program that `start` lets loose."""

from __future__ import annotations

from stave.plan.capabilities import resolve
from stave.plan.constants import CLONE_NEWNS, CLONE_NEWUSER
from stave.plan.devices import add_devices
from stave.plan.mounts import add_mounts
from stave.plan.namespaces import Namespaces, add_namespaces
from stave.plan.process import (
    add_console,
    add_directory,
    add_execution,
    add_session,
    add_user,
    keeps_groups,
    oom_score,
)
from stave.plan.result import Plan
from stave.plan.rlimits import add_rlimits
from stave.plan.rootfs import close_up, enter_root, open_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocispec.types import Config, Process
    from stave.host.facts import Facts
    from stave.plan.hooks import HookState
    from stave.plan.program import Operation

# What is created without a process can be deleted, but not started.
NO_PROCESS: Process = {"cwd": "/", "args": []}


def plan_create(
    config: Config,
    *,
    container_id: str,
    bundle: str,
    facts: Facts,
    cgroup_setup: Sequence[Operation],
    cgroup_late: Sequence[Operation] = (),
    cgroup_join: Sequence[Operation],
    cgroup_paths: Mapping[str, str],
    hook_state: HookState,
    seccomp: tuple[bytes, int] | None = None,
    no_pivot: bool = False,
    no_new_keyring: bool = False,
    preserve_fds: int = 0,
) -> Plan:
    """Everything that `create` and `start` do for this configuration, in order.

    Args:
        config: a valid config.json.
        bundle: absolute path; relative paths of the configuration count from it.
        cgroup_setup: makes the cgroups and sets their limits.
        cgroup_late: the same, as far as it takes the new process.
        cgroup_join: moves the new process into them.
        cgroup_paths: absolute directory of the container's cgroup per v1 hierarchy, and under "" in v2.
        hook_state: gives, for a status, the state's JSON text before and after the pid.
        seccomp: the compiled filter (struct sock_filter[]) and its SECCOMP_FILTER_FLAG_* bits.
        no_pivot: for roots that cannot be pivoted, such as an initramfs.
        no_new_keyring: leave the session keyring alone.
        preserve_fds: how many descriptors from 3 on stay open in the user's program.

    Raises:
        ConfigError: something that cannot be done, or not safely.

    Spec: runtime.md#create
    """
    linux = config.get("linux", {})
    hooks = config.get("hooks", {})
    process = config.get("process", NO_PROCESS)
    namespaces = Namespaces(linux.get("namespaces", ()))
    plan = Plan(namespaces.own)
    program = plan.program

    program.operations += cgroup_setup
    on_host = [*oom_score(process), *cgroup_late, *cgroup_join]
    if "intelRdt" in linux:
        from stave.plan.resctrl import plan_resctrl

        on_host += plan_resctrl(linux["intelRdt"], container_id, facts)
    keep_groups = keeps_groups(config)
    add_namespaces(program, namespaces, linux, facts, on_host, plan.warnings, keep_groups)

    if devices := linux.get("netDevices"):
        from stave.plan.network_devices import add_network_devices

        add_network_devices(program, devices, facts)
    open_root(program, config, bundle, namespaces)
    labels = None
    if process.get("apparmorProfile") or process.get("selinuxLabel"):
        from stave.plan.labels import Labels

        labels = Labels(process, facts)
        labels.open(program, not no_new_keyring)
    label = None
    if linux.get("mountLabel"):
        from stave.plan.labels import mount_label

        label = mount_label(linux, facts)
    read_only = add_mounts(program, config, bundle, namespaces, facts, cgroup_paths, label)
    add_devices(program, config, namespaces, facts)
    add_console(program, process, mount=bool(namespaces.own & CLONE_NEWNS))
    if hooks:
        from stave.plan.hooks import add_create_hooks

        add_create_hooks(program, hooks, hook_state)
    enter_root(program, namespaces, no_pivot)
    if hostname := config.get("hostname"):
        program.add("set_hostname", "/hostname", hostname)
    if domainname := config.get("domainname"):
        program.add("set_domainname", "/domainname", domainname)
    if sysctls := linux.get("sysctl"):
        from stave.plan.sysctl import add_sysctls

        add_sysctls(program, sysctls)
    add_directory(program, process)
    close_up(program, config, namespaces, read_only, label)

    add_session(program, linux, container_id, preserve_fds, no_new_keyring)
    if "process" not in config:
        program.add("wait_for_start", "", "listener")
        return plan
    if "memoryPolicy" in linux:
        from stave.plan.scheduling import add_memory_policy

        add_memory_policy(program, linux["memoryPolicy"])
    in_user_namespace = bool(namespaces.own & CLONE_NEWUSER)
    capabilities = resolve(process.get("capabilities", {}), facts, in_user_namespace, plan.warnings)
    denied = False
    if in_user_namespace or facts.rootless:
        from stave.plan.id_maps import setgroups_denied

        denied = setgroups_denied(linux, facts)
    add_rlimits(program, process.get("rlimits", ()))
    if "scheduler" in process or "ioPriority" in process:
        from stave.plan.scheduling import add_scheduling

        add_scheduling(program, process, executed=False)
    add_user(program, process, capabilities, denied, keep_groups)
    program.add("wait_for_start", "", "listener")
    if labels:
        labels.write(program)
    if hooks:
        from stave.plan.hooks import add_start_hooks

        add_start_hooks(program, hooks, hook_state)
    add_execution(program, process, capabilities, seccomp)
    return plan
