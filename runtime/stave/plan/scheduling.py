"""When and where the process runs: scheduler, I/O priority, CPU affinity, memory policy.

Imported only for a configuration that has one of them. Spec: config.md#linux-process, config-linux.md#memory-policy
"""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.program import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocispec.types import MemoryPolicy, Process
    from stave.plan.program import Program

# sched_setattr(2), linux/sched.h
POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
SCHEDULER_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}
# ioprio_set(2)
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
IO_CLASS_SHIFT = 13
# set_mempolicy(2), linux/mempolicy.h
MEMORY_MODES = {
    "MPOL_DEFAULT": 0,
    "MPOL_PREFERRED": 1,
    "MPOL_BIND": 2,
    "MPOL_INTERLEAVE": 3,
    "MPOL_LOCAL": 4,
    "MPOL_PREFERRED_MANY": 5,
    "MPOL_WEIGHTED_INTERLEAVE": 6,
}
MEMORY_FLAGS = {
    "MPOL_F_NUMA_BALANCING": 1 << 13,
    "MPOL_F_RELATIVE_NODES": 1 << 14,
    "MPOL_F_STATIC_NODES": 1 << 15,
}
# More than any kernel has CPUs or nodes; keeps a typing error from making a mask of gigabytes.
MAX_NUMBER = 65535


def initial_affinity(process: Process) -> list[Operation]:
    """What puts the process on its first CPUs, before it joins the container's cgroup. For `exec` only."""
    return _affinity(process, "initial")


def add_scheduling(program: Program, process: Process, executed: bool) -> None:
    """The process has its scheduler, I/O priority and, if it is executed in a container, its final CPUs.

    By the runtime, as a container may lack the rights; late, as the way here should not depend on them.
    """
    operations = _affinity(process, "final") if executed else []
    if "ioPriority" in process:
        wanted = process["ioPriority"]
        value = IO_CLASSES[wanted["class"]] << IO_CLASS_SHIFT | wanted["priority"]
        operations.append(Operation("set_io_priority", "/process/ioPriority", (value,)))
    if "scheduler" in process:
        operations.append(_scheduler(process))
    if operations and program.operations[-1].in_container:
        program.add("wait_for_runtime", operations[0].pointer)
    program.operations += operations


def add_memory_policy(program: Program, policy: MemoryPolicy) -> None:
    """The process takes its memory from the nodes that it is to."""
    mode = MEMORY_MODES[policy["mode"]]
    for flag in policy.get("flags", ()):
        mode |= MEMORY_FLAGS[flag]
    nodes = policy.get("nodes", "")
    mask = mask_of(nodes, "/linux/memoryPolicy/nodes") if nodes else None
    program.add("set_memory_policy", "/linux/memoryPolicy", mode, mask)


def mask_of(numbers: str, pointer: str) -> bytes:
    """The bit mask of a list such as "0-3,7", as long as it has to be: whole 64-bit words, the lowest first.

    Raises:
        ConfigError: a number beyond what a kernel could have.
    """
    bits = 0
    for part in numbers.split(","):
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if high > MAX_NUMBER:
            raise ConfigError(pointer, f"{high} is more than any kernel has (highest: {MAX_NUMBER})")
        bits |= (1 << high + 1) - (1 << low)
    words = (bits.bit_length() + 63) // 64
    return bits.to_bytes(words * 8, "little")


def _affinity(process: Process, key: str) -> list[Operation]:
    numbers = process.get("execCPUAffinity", {}).get(key, "")
    if not numbers:
        return []
    pointer = f"/process/execCPUAffinity/{key}"
    return [Operation("set_affinity", pointer, (numbers, mask_of(str(numbers), pointer)))]


def _scheduler(process: Process) -> Operation:
    wanted = process["scheduler"]
    flags = 0
    for flag in wanted.get("flags", ()):
        flags |= SCHEDULER_FLAGS[flag]
    arguments = (
        POLICIES[wanted["policy"]],
        flags,
        wanted.get("nice", 0),
        wanted.get("priority", 0),
        wanted.get("runtime", 0),
        wanted.get("deadline", 0),
        wanted.get("period", 0),
    )
    return Operation("set_scheduler", "/process/scheduler", arguments)
