"""When and where the process runs: scheduler, I/O priority, CPU affinity, memory policy."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from ocispec import types
from stave.errors import ConfigError
from stave.plan.explain import as_text
from stave.plan.scheduling import (
    IO_CLASSES,
    MEMORY_FLAGS,
    MEMORY_MODES,
    POLICIES,
    SCHEDULER_FLAGS,
    mask_of,
)

from .planning import create, execute, found, in_order, make_config, make_process, names, one

USUAL = 0x6E020000


@pytest.mark.parametrize(
    ("members", "arguments"),
    [
        ({"policy": "SCHED_OTHER", "nice": -5}, (0, 0, -5, 0, 0, 0, 0)),
        ({"policy": "SCHED_FIFO", "priority": 10}, (1, 0, 0, 10, 0, 0, 0)),
        ({"policy": "SCHED_BATCH", "nice": 19}, (3, 0, 19, 0, 0, 0, 0)),
        ({"policy": "SCHED_IDLE", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, (5, 1, 0, 0, 0, 0, 0)),
        (
            {"policy": "SCHED_DEADLINE", "runtime": 1 << 40, "deadline": 1 << 41, "period": 1 << 42,
             "flags": ["SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"]},
            (6, 6, 0, 0, 1 << 40, 1 << 41, 1 << 42),
        ),
    ],
)  # fmt: skip
def test_scheduler(members: dict[str, Any], arguments: tuple[int, ...]) -> None:
    """Its values are those of sched_setattr(2), of create as of exec."""
    process = make_process(scheduler=members)
    assert one(create(make_config(process=process)), "set_scheduler") == arguments
    assert one(execute(process, USUAL, make_config()), "set_scheduler") == arguments


@pytest.mark.parametrize(
    ("kind", "level", "value"),
    [("IOPRIO_CLASS_RT", 0, 8192), ("IOPRIO_CLASS_BE", 7, 16391), ("IOPRIO_CLASS_IDLE", 3, 24579)],
)
def test_io_priority(kind: str, level: int, value: int) -> None:
    """Class and level are one number to ioprio_set(2)."""
    process = make_process(ioPriority={"class": kind, "priority": level})
    assert one(create(make_config(process=process)), "set_io_priority") == (value,)


def test_by_the_runtime() -> None:
    """The container's side waits for it once, before it changes its user."""
    members: dict[str, Any] = {
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 1},
        "scheduler": {"policy": "SCHED_BATCH"},
    }
    plan = create(make_config(process=make_process(**members)))
    assert in_order(
        plan, "close_descriptors", "wait_for_runtime", "set_io_priority", "set_scheduler", "set_user"
    )
    members["rlimits"] = [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}]
    plan = create(make_config(process=make_process(**members)))
    words = names(plan)
    start = words.index("wait_for_runtime")
    assert words[start : start + 4] == ["wait_for_runtime", "set_rlimit", "set_io_priority", "set_scheduler"]


def test_affinity() -> None:
    """exec has one before it joins the container's cgroup, and one after."""
    process = make_process(execCPUAffinity={"initial": "0-1", "final": "3"})
    plan = execute(process, USUAL, make_config())
    assert found(plan, "set_affinity") == [("0-1", b"\3" + bytes(7)), ("3", b"\x08" + bytes(7))]
    assert in_order(
        plan, "clone", "set_affinity", "join_cgroup", "wait_for_runtime", "set_affinity", "execute"
    )


def test_affinity_as_in_the_container() -> None:
    """What the container's own process says about exec holds for processes that say nothing."""
    config = make_config(process=make_process(execCPUAffinity={"initial": "1"}))
    assert one(execute(make_process(), USUAL, config), "set_affinity")[0] == "1"
    other = make_process(execCPUAffinity={"final": "0"})
    assert one(execute(other, USUAL, config), "set_affinity")[0] == "0"


def test_affinity_is_for_exec() -> None:
    """The container's own process keeps its CPUs."""
    process = make_process(execCPUAffinity={"initial": "1", "final": "2"})
    assert names(create(make_config(process=process))) == names(create(make_config()))


def test_exec_as_the_container() -> None:
    """Scheduler and I/O priority are those of the container, if the process does not say otherwise."""
    own = {"scheduler": {"policy": "SCHED_BATCH"}, "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 1}}
    config = make_config(process=make_process(**own))
    assert one(execute(make_process(), USUAL, config), "set_scheduler")[0] == 3
    other = execute(make_process(scheduler={"policy": "SCHED_IDLE"}), USUAL, config)
    assert one(other, "set_scheduler")[0] == 5
    assert one(other, "set_io_priority") == (16385,)


@pytest.mark.parametrize(
    ("policy", "mode", "nodes"),
    [
        ({"mode": "MPOL_DEFAULT"}, 0, None),
        ({"mode": "MPOL_LOCAL", "nodes": ""}, 4, None),
        ({"mode": "MPOL_BIND", "nodes": "0"}, 2, b"\1" + bytes(7)),
        ({"mode": "MPOL_INTERLEAVE", "nodes": "0-1,3", "flags": ["MPOL_F_STATIC_NODES"]}, 3 | 1 << 15, b"\x0b" + bytes(7)),
        ({"mode": "MPOL_BIND", "nodes": "64", "flags": ["MPOL_F_NUMA_BALANCING"]}, 2 | 1 << 13, bytes(8) + b"\1" + bytes(7)),
    ],
)  # fmt: skip
def test_memory_policy(policy: dict[str, Any], mode: int, nodes: bytes | None) -> None:
    """Mode, flags and nodes are those of set_mempolicy(2), also for processes that are executed later."""
    config = make_config(linux={"memoryPolicy": policy})
    assert one(create(config), "set_memory_policy") == (mode, nodes)
    assert one(execute(make_process(), USUAL, config), "set_memory_policy") == (mode, nodes)
    assert in_order(create(config), "join_cgroup", "set_memory_policy", "set_user")


def test_every_name() -> None:
    """The tables hold what the specification lists, and nothing else."""
    for table, kind in (
        (POLICIES, types.Scheduler.__annotations__["policy"]),
        (IO_CLASSES, types.IOPriority.__annotations__["class"]),
        (MEMORY_MODES, types.MemoryPolicy.__annotations__["mode"]),
    ):
        if listed := get_args(kind):
            assert set(table) == set(listed)
    assert len(SCHEDULER_FLAGS) == 7 and len(MEMORY_FLAGS) == 3


@pytest.mark.parametrize(
    ("numbers", "mask"),
    [
        ("0", b"\1" + bytes(7)),
        ("0-3,7", b"\x8f" + bytes(7)),
        ("63", bytes(7) + b"\x80"),
        ("64", bytes(8) + b"\1" + bytes(7)),
        ("1024-1025", bytes(128) + b"\3" + bytes(7)),
        ("0,2000", b"\1" + bytes(249) + b"\1" + bytes(5)),
    ],
)
def test_masks(numbers: str, mask: bytes) -> None:
    """A mask is as long as its highest number needs: there are machines with more than 1024 CPUs."""
    assert mask_of(numbers, "") == mask
    assert len(mask) % 8 == 0


def test_absurd_numbers() -> None:
    """They do not become masks of gigabytes."""
    with pytest.raises(ConfigError, match=r"^process\.execCPUAffinity\.initial: 4294967295 is more"):
        execute(make_process(execCPUAffinity={"initial": "0-4294967295"}), USUAL, make_config())


def test_in_words() -> None:
    """explain uses the specification's names."""
    process = make_process(
        scheduler={"policy": "SCHED_FIFO", "priority": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
        ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 2},
    )
    linux = {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0,2", "flags": ["MPOL_F_STATIC_NODES"]}}
    text = as_text(create(make_config(process=process, linux=linux)).program)
    assert "set_scheduler policy=SCHED_FIFO flags=SCHED_FLAG_RESET_ON_FORK nice=0 priority=3" in text
    assert "set_io_priority priority=IOPRIO_CLASS_BE:2" in text
    assert "set_memory_policy mode=MPOL_BIND|MPOL_F_STATIC_NODES nodes=0x5" in text
