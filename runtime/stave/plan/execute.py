"""The Program of `exec`: one more process in a container that runs."""

from __future__ import annotations

from stave.plan.capabilities import resolve
from stave.plan.constants import CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER
from stave.plan.process import add_console, add_execution, add_session, add_user, keeps_groups, oom_score
from stave.plan.result import Plan
from stave.plan.rlimits import add_rlimits
from stave.plan.rootfs import enter_host_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocispec.types import Config, Process
    from stave.host.facts import Facts
    from stave.plan.program import Operation

# What a process to execute takes over from the container's own, if it does not say otherwise.
INHERITED = (
    *("capabilities", "rlimits", "oomScoreAdj", "apparmorProfile", "selinuxLabel"),
    *("scheduler", "ioPriority", "execCPUAffinity"),
)


def plan_exec(
    process: Process,
    *,
    container_id: str,
    bundle: str,
    config: Config,
    facts: Facts,
    cgroup_join: Sequence[Operation],
    namespaces: int,
    seccomp: tuple[bytes, int] | None = None,
    no_new_keyring: bool = False,
    preserve_fds: int = 0,
) -> Plan:
    """Everything that `exec` does for this process, in order.

    What `process` leaves out of the properties in `INHERITED` is as in the container's own process.

    Args:
        process: an object like config.json's `process`.
        bundle: absolute path of the container's bundle.
        config: the configuration that the container was created with.
        cgroup_join: moves the new process into the container's cgroups.
        namespaces: CLONE_NEW* bits of the container's namespaces, as `Plan.namespaces` of its creation. The
            descriptor "container" (a pidfd of its first process) stands for all of them.
        seccomp, no_new_keyring, preserve_fds: as for `plan_create`.

    Raises:
        ConfigError: something that cannot be done, or not safely.
    """
    linux = config.get("linux", {})
    process = _with_defaults(process, config)
    plan = Plan(namespaces)
    program = plan.program

    keep_groups = keeps_groups(config)
    program.add("clone", "", 0)
    program.operations += oom_score(process)
    if "execCPUAffinity" in process:
        from stave.plan.scheduling import initial_affinity

        program.operations += initial_affinity(process)
    program.operations += cgroup_join
    program.add("set_dumpable", "", 0)
    labels = None
    if process.get("apparmorProfile") or process.get("selinuxLabel"):
        from stave.plan.labels import Labels

        labels = Labels(process, facts)
        program.add("open_proc", "")
    if namespaces:
        program.add("setns", "", "container", namespaces)
    if namespaces & CLONE_NEWUSER:
        program.add("become_root", "", keep_groups)
    if namespaces & (CLONE_NEWPID | CLONE_NEWTIME):
        program.add("fork", "")
    if not namespaces & CLONE_NEWNS:
        enter_host_root(program, config, bundle)

    if labels:
        labels.open(program, not no_new_keyring)
    add_console(program, process, mount=False)
    add_session(program, linux, container_id, preserve_fds, no_new_keyring)
    if "memoryPolicy" in linux:
        from stave.plan.scheduling import add_memory_policy

        add_memory_policy(program, linux["memoryPolicy"])
    in_user_namespace = bool(namespaces & CLONE_NEWUSER)
    capabilities = resolve(process.get("capabilities", {}), facts, in_user_namespace, plan.warnings)
    denied = False
    if in_user_namespace or facts.rootless:
        from stave.plan.id_maps import setgroups_denied

        denied = setgroups_denied(linux, facts)
    add_rlimits(program, process.get("rlimits", ()))
    if "scheduler" in process or "ioPriority" in process or "execCPUAffinity" in process:
        from stave.plan.scheduling import add_scheduling

        add_scheduling(program, process, executed=True)
    add_user(program, process, capabilities, denied, keep_groups)
    if labels:
        labels.write(program)
    add_execution(program, process, capabilities, seccomp)
    return plan


def _with_defaults(process: Process, config: Config) -> Process:
    result = process.copy()
    if "process" in config:
        own = config["process"]
        for key in INHERITED:
            # Callers in Go write "" for a label that they leave out.
            if key in own and result.get(key, "") == "":
                result[key] = own[key]  # type: ignore[literal-required]
    return result
