"""update: limits of a container that lives."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stave.errors import Error

from .bundle import Config
from .driver import Container
from .host import CGROUPS, V2

MIB = 1 << 20
v1_only = pytest.mark.skipif(V2, reason="the machine has cgroup v2")
v2_only = pytest.mark.skipif(not V2, reason="the machine has cgroup v1")

# The files of one property in each version.
FILES = {
    "memory": ("memory/memory.limit_in_bytes", "memory.max"),
    "swap": ("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
    "reservation": ("memory/memory.soft_limit_in_bytes", "memory.low"),
    "shares": ("cpu/cpu.shares", "cpu.weight"),
    "burst": ("cpu/cpu.cfs_burst_us", "cpu.max.burst"),
    "idle": ("cpu/cpu.idle", "cpu.idle"),
    "cpus": ("cpuset/cpuset.cpus", "cpuset.cpus"),
    "mems": ("cpuset/cpuset.mems", "cpuset.mems"),
    "pids": ("pids/pids.max", "pids.max"),
    "weight": ("blkio/blkio.bfq.weight", "io.bfq.weight"),
}


def file(container: Container, name: str) -> Path:
    """The file of a limit."""
    if V2:
        return Path(f"{CGROUPS}{container.linux['cgroupsPath']}/{FILES[name][1]}")
    hierarchy, _, base = FILES[name][0].partition("/")
    return Path(f"{CGROUPS}/{hierarchy}{container.linux['cgroupsPath']}/{base}")


def value(container: Container, name: str) -> str:
    """What a limit is in the kernel."""
    return file(container, name).read_text().strip()


def quota(container: Container) -> str:
    """CPU time and period, as in v2."""
    if V2:
        return Path(f"{CGROUPS}{container.linux['cgroupsPath']}/cpu.max").read_text().strip()
    group = Path(f"{CGROUPS}/cpu{container.linux['cgroupsPath']}")
    return " ".join((group / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))


def launch(container: Container, **resources: Any) -> None:
    """The container sleeps with these limits."""
    container.linux["resources"] = resources
    container.launch()


def update(container: Container, *words: str) -> None:
    """`update` has succeeded, without a word."""
    outcome = container.stave("update", *words, container.id)
    assert (outcome.output, outcome.errors) == ("", "")


def kept(container: Container) -> Config:
    """The limits in the configuration that the container keeps."""
    config = json.loads((container.stave.root / container.id / "config.json").read_text())
    resources: Config = config["linux"]["resources"]
    return resources


def test_flags(container: Container) -> None:
    """Each flag's limit is in the kernel, and the ones not named stay."""
    launch(container, memory={"limit": 64 * MIB}, pids={"limit": 40})
    update(container, "--memory", "32m", "--memory-reservation", "16m", "--pids-limit", "20")
    update(
        container, "--cpu-quota", "5000", "--cpu-period", "50000", "--cpu-share", "512", "--cpu-burst", "2000"
    )
    update(container, "--cpuset-cpus", "0", "--cpuset-mems", "0")
    assert value(container, "memory") == str(32 * MIB)
    assert value(container, "reservation") == str(16 * MIB)
    assert value(container, "pids") == "20"
    assert value(container, "cpus") == value(container, "mems") == "0"
    assert value(container, "burst") == "2000"
    assert quota(container) == "5000 50000"
    assert value(container, "shares") == ("59" if V2 else "512")
    update(container, "--pids-limit", "-1", "--cpu-quota", "-1", "--cpu-burst", "0")
    assert value(container, "pids") == "max"
    assert quota(container) == ("max 50000" if V2 else "-1 50000")
    assert value(container, "burst") == "0"
    assert value(container, "memory") == str(32 * MIB)


def test_block_io_weight(container: Container) -> None:
    """The weight of block I/O changes, where the scheduler that knows one is there."""
    launch(container)
    if not file(container, "weight").exists():
        pytest.skip("the kernel has no BFQ")
    update(container, "--blkio-weight", "200")
    assert value(container, "weight") in ("200", "default 200")


def test_standard_input(container: Container, directory: Path) -> None:
    """containerd's form: the resources as JSON on the standard input; device rules do not change."""
    rule = {"allow": False, "access": "rwm"}
    launch(container, devices=[rule])
    document = {
        "devices": [{"allow": True, "access": "rwm"}],
        "memory": {"limit": 48 * MIB, "swap": None},
        "cpu": {"shares": 0, "cpus": ""},
        "unified": None,
    }
    (directory / "input").write_text(json.dumps(document))
    with (directory / "input").open() as stdin:
        outcome = container.stave("update", "--resources", "-", container.id, stdin=stdin)
    assert outcome.errors == ""
    assert value(container, "memory") == str(48 * MIB)
    assert kept(container)["devices"] == [rule]
    if not V2:
        listed = Path(f"{CGROUPS}/devices{container.linux['cgroupsPath']}/devices.list").read_text()
        assert not listed.startswith("a *:*")


def test_a_second_update_knows_the_first(container: Container) -> None:
    """What was changed is part of the container's configuration from then on."""
    launch(container, cpu={"period": 100000, "quota": 20000}, pids={"limit": 30})
    update(container, "--cpu-period", "50000")
    update(container, "--cpu-quota", "10000")
    assert quota(container) == "10000 50000"
    assert kept(container) == {"cpu": {"period": 50000, "quota": 10000}, "pids": {"limit": 30}}
    assert container.exec("true").status == 0
    assert container.status == "running"


def test_up_and_down(container: Container) -> None:
    """Limits that the kernel holds against each other can go up and down together."""
    swap = Path(f"{CGROUPS}/memory/memory.memsw.limit_in_bytes").exists() or V2
    launch(container, memory={"limit": 16 * MIB, **({"swap": 16 * MIB} if swap else {})})
    for size in (64, 8, 32):
        flags = ["--memory", f"{size}m", *(["--memory-swap", f"{size}m"] if swap else [])]
        update(container, *flags)
        assert value(container, "memory") == str(size * MIB)
        assert not swap or V2 or value(container, "swap") == str(size * MIB)
    for time, period, burst in ((90000, 100000, 50000), (5000, 10000, 4000), (400000, 400000, 300000)):
        update(container, "--cpu-quota", str(time), "--cpu-period", str(period), "--cpu-burst", str(burst))
        assert quota(container) == f"{time} {period}"
        assert value(container, "burst") == str(burst)


def test_period_below_a_limited_parent(container: Container) -> None:
    """Quota and period go up and down together also where the group above just fits them."""
    # A parent of its own, which goes with the container: the limit must not meet any other group's.
    path = Path(container.linux["cgroupsPath"])
    container.linux["cgroupsPath"] = str(path.parent / "limited" / path.name)
    parent = Path(f"{CGROUPS}{'' if V2 else '/cpu'}{container.linux['cgroupsPath']}").parent
    launch(container, cpu={"period": 100000, "quota": 50000})
    limited = "50000 100000" if V2 else "50000"
    limit = parent / ("cpu.max" if V2 else "cpu.cfs_quota_us")
    limit.write_text(limited)
    for time, period in ((25000, 50000), (100000, 200000), (5000, 10000)):
        update(container, "--cpu-quota", str(time), "--cpu-period", str(period))
        assert quota(container) == f"{time} {period}"
    if not V2:  # which takes any, and gives what there is
        refused = container.stave.fails("update", "--cpu-quota", "9000", "--memory", "32m", container.id)
        assert "linux.resources.cpu.quota: write '9000' to " in refused
        assert refused.endswith("Invalid argument")
        assert int(value(container, "memory")) > 1 << 60


def test_idle_keeps_the_weight(container: Container) -> None:
    """The weight that an idle group loses is back when it is idle no longer."""
    launch(container, cpu={"shares": 512})
    weight = value(container, "shares")
    update(container, "--cpu-idle", "1")
    assert value(container, "idle") == "1"
    update(container, "--cpu-share", "2048")
    update(container, "--cpu-share", "512")
    update(container, "--cpu-idle", "0")
    assert (value(container, "idle"), value(container, "shares")) == ("0", weight)


def test_all_or_nothing(container: Container) -> None:
    """If one value is refused, everything is as it was; the error has the property and the file."""
    launch(container, pids={"limit": 30}, memory={"limit": 64 * MIB}, cpu={"cpus": "0"})
    cpus = str((os.cpu_count() or 1) + 4000)
    words = ["--memory", "32m", "--pids-limit", "5", "--cpuset-cpus", cpus]
    refused = container.stave.fails("update", *words, container.id)
    assert refused.startswith(f"update {container.id}: linux.resources.cpu.cpus: write '{cpus}' to ")
    assert str(file(container, "cpus")) in refused
    assert value(container, "memory") == str(64 * MIB)
    assert (value(container, "pids"), value(container, "cpus")) == ("30", "0")
    assert kept(container)["pids"] == {"limit": 30}


def test_below_what_is_in_use(container: Container) -> None:
    """With checkBeforeUpdate a limit below what is in use is refused; the container lives on."""
    container.linux["resources"] = {"memory": {"limit": 64 * MIB, "checkBeforeUpdate": True}}
    container.mount("/tmp", type="tmpfs")
    container.script("dd if=/dev/zero of=/tmp/x bs=1M count=16; echo written; sleep 1000")
    container.run("--detach")
    container.eventually_says("written")
    refused = container.stave.fails("update", "--memory", "8m", container.id)
    assert "linux.resources.memory.limit: 8388608 is less than the " in refused
    assert value(container, "memory") == str(64 * MIB)
    assert container.status == "running"
    update(container, "--memory", "48m")


@v1_only
def test_limits_of_memory_and_swap(container: Container) -> None:
    """A memory limit above the one that includes swap is refused by name; no limit at all lifts both."""
    launch(container, memory={"limit": 16 * MIB, "swap": 32 * MIB})
    refused = container.stave.fails("update", "--memory", "64m", container.id)
    assert "linux.resources.memory.swap: must be at least memory.limit" in refused
    update(container, "--memory", "-1")
    assert int(value(container, "swap")) > 1 << 60


@v2_only
def test_unified(container: Container, directory: Path) -> None:
    """Files of cgroup v2 change by their names."""
    launch(container)
    (directory / "r.json").write_text('{"unified": {"memory.high": "33554432"}}')
    update(container, "--resources", str(directory / "r.json"))
    assert file(container, "memory").with_name("memory.high").read_text().strip() == "33554432"


@pytest.mark.parametrize("paused", [False, True])
def test_before_start(container: Container, paused: bool) -> None:
    """A created container takes other limits, and so does a paused one."""
    container.runs("sleep", "1000")
    container.create()
    if paused:
        container.start()
        container.stave("pause", container.id)
    update(container, "--pids-limit", "17")
    assert value(container, "pids") == "17"


def test_wrong_states(container: Container) -> None:
    """A container that has stopped has no limits, and one without intelRdt no share of the cache."""
    container.stave.fails("update", "--pids-limit", "5", "nobody")
    launch(container)
    refused = container.stave.fails("update", "--l3-cache-schema", "L3:0=f", container.id)
    assert "linux.intelRdt.l3CacheSchema: the container was created without intelRdt" in refused
    container.kill("KILL")
    container.wait()
    assert "container not running" in container.stave.fails("update", "--pids-limit", "5", container.id)


def test_schemata(container: Container, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container in a resctrl group, here a directory like one: its process is in it, and an update changes it."""
    from stave import Runtime
    from stave.container import resctrl
    from stave.container.update import update
    from stave.host import resctrl as host_resctrl

    group = directory / "gold"
    group.mkdir()
    (group / "tasks").touch()
    (group / "schemata").write_text("L3:0=f\n")
    for module in (resctrl, host_resctrl):
        monkeypatch.setattr(module, "resctrl_mount", lambda: str(directory))
    container.linux["intelRdt"] = {"closID": "gold"}
    root = str(container.stave.root)
    with Runtime(container.stave.root).create(
        container.id, container.bundle, config=container.config
    ) as made:
        assert (group / "tasks").read_text() == str(made.state()["pid"])
        update(root, container.id, {}, {"l3CacheSchema": "L3:0=3"})
        assert (group / "schemata").read_text() == "L3:0=3\n"
        kept = json.loads((container.stave.root / container.id / "config.json").read_text())
        assert kept["linux"]["intelRdt"] == {"closID": "gold", "l3CacheSchema": "L3:0=3"}
        # The limit cannot be had: nothing is changed.
        with pytest.raises(Error):
            update(root, container.id, {"cpu": {"cpus": "4711"}}, {"l3CacheSchema": "L3:0=1"})
        assert (group / "schemata").read_text() == "L3:0=3\n"
