"""linux.intelRdt: plans, and groups in a directory that stands in for the resctrl file system."""

from __future__ import annotations

import posix
from pathlib import Path
from typing import Any

import pytest

from stave.container import resctrl
from stave.errors import ConfigError, KernelError
from stave.host.facts import CgroupLayout, Facts
from stave.host.resctrl import resctrl_mount
from stave.plan.resctrl import own_directories, plan_resctrl

FACTS = Facts(CgroupLayout(None, {}), resctrl="/r")


def planned(**rdt: Any) -> list[tuple[Any, ...]]:
    """The arguments of the operations of container "web"."""
    return [operation.arguments for operation in plan_resctrl(rdt, "web", FACTS)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rdt", "operations", "own"),
    [
        ({}, [("/r/web", "make", [])], ["/r/web"]),
        ({"l3CacheSchema": "L3:0=f"}, [("/r/web", "make", ["L3:0=f"])], ["/r/web"]),
        ({"closID": "gold"}, [("/r/gold", "find", [])], []),
        ({"closID": "/"}, [("/r", "find", [])], []),
        (
            {"closID": "gold", "schemata": ["L2:0=3"], "memBwSchema": "MB:0=50", "l3CacheSchema": "L3:0=f"},
            [("/r/gold", "make or match", ["L3:0=f", "MB:0=50", "L2:0=3"])],
            [],
        ),
        (
            {"closID": "gold", "enableMonitoring": True},
            [("/r/gold", "find", []), ("/r/gold/mon_groups/web", "make", [])],
            ["/r/gold/mon_groups/web"],
        ),
        (
            {"enableMonitoring": True},
            [("/r/web", "make", []), ("/r/web/mon_groups/web", "make", [])],
            ["/r/web/mon_groups/web", "/r/web"],
        ),
    ],
)
def test_plan(rdt: dict[str, Any], operations: list[Any], own: list[str]) -> None:
    """Groups are made, matched or found as the specification says; what is the container's alone goes with it."""
    assert planned(**rdt) == operations
    assert own_directories(rdt, "web", "/r") == own  # type: ignore[arg-type]


def test_not_mounted() -> None:
    """Without resctrl there is nothing to be in."""
    with pytest.raises(ConfigError, match=r"^linux\.intelRdt: no resctrl file system is mounted"):
        plan_resctrl({}, "web", Facts(CgroupLayout(None, {})))


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which new groups have the files that the kernel gives them."""
    mkdir = posix.mkdir

    def make(path: str, mode: int = 0o777) -> None:
        mkdir(path, mode)
        for name in ("schemata", "tasks"):
            (Path(path) / name).touch()

    monkeypatch.setattr(posix, "mkdir", make)
    make(str(tmp_path / "gold"))
    (tmp_path / "gold/schemata").write_text("    L3:0=00f;1=7ff\n    MB:0= 50;1=100\n")
    (tmp_path / "info").mkdir()
    return tmp_path


def test_make(groups: Path) -> None:
    """A new group has the schemata and the process."""
    resctrl.enter(42, f"{groups}/web", "make", ["L3:0=f"])
    assert (groups / "web/schemata").read_text() == "L3:0=f\n"
    assert (groups / "web/tasks").read_text() == "42"
    with pytest.raises(
        KernelError, match=r"make resctrl group .*/web \(it is somebody else's\): File exists"
    ):
        resctrl.enter(43, f"{groups}/web", "make", [])


@pytest.mark.parametrize("line", ["L3:0=f;1=7ff", "L3:1=7FF", "MB:0=50"])
def test_match(groups: Path, line: str) -> None:
    """One that is there is taken as it is if it has what is wanted, however that is written."""
    before = (groups / "gold/schemata").read_text()
    resctrl.enter(42, f"{groups}/gold", "make or match", [line])
    assert (groups / "gold/tasks").read_text() == "42"
    assert (groups / "gold/schemata").read_text() == before


def test_mismatch(groups: Path) -> None:
    """Another one is an error that shows both."""
    with pytest.raises(KernelError, match=r"use resctrl group .*/gold \(it has L3:0=f, not ff\)"):
        resctrl.enter(42, f"{groups}/gold", "make or match", ["L3:0=ff"])
    assert (groups / "gold/tasks").read_text() == ""


def test_find(groups: Path) -> None:
    """A group without schemata of the container's has to be there."""
    resctrl.enter(42, f"{groups}/gold", "find", [])
    with pytest.raises(KernelError, match="find resctrl group .*/silver: No such file"):
        resctrl.enter(42, f"{groups}/silver", "find", [])


def test_what_the_kernel_says(groups: Path) -> None:
    """A refusal comes with the kernel's own word for it."""
    (groups / "info/last_cmd_status").write_text("mask f0f has non-consecutive 1-bits\n")
    (groups / "gold/tasks").unlink()
    with pytest.raises(KernelError, match="non-consecutive 1-bits"):
        resctrl.enter(42, f"{groups}/gold", "find", [])


def test_change(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other schemata of a container that lives can be taken back."""
    monkeypatch.setattr(resctrl, "resctrl_mount", lambda: str(groups))
    rdt: Any = {"closID": "gold", "l3CacheSchema": "L3:0=f"}
    before = (groups / "gold/schemata").read_text()
    set_back = resctrl.change(rdt, "web", {"l3CacheSchema": "L3:0=3"})
    assert rdt["l3CacheSchema"] == "L3:0=3"
    assert (groups / "gold/schemata").read_text().startswith("L3:0=3\n")
    set_back()
    assert (groups / "gold/schemata").read_text() == before


def test_remove(tmp_path: Path) -> None:
    """Groups go in their order; what cannot be removed, or is gone, stops nothing."""
    (tmp_path / "web/mon").mkdir(parents=True)
    (tmp_path / "busy/x").mkdir(parents=True)
    said: list[str] = []
    paths = [f"{tmp_path}/{name}" for name in ("gone", "busy", "web/mon", "web")]
    resctrl.remove(paths, said.append)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["busy"]
    assert len(said) == 1 and "busy" in said[0]


def test_mount_point(tmp_path: Path) -> None:
    """It is found among the mounts."""
    file = tmp_path / "mountinfo"
    file.write_text("36 24 0:31 / /sys/fs/resctrl rw,nosuid - resctrl resctrl rw\n")
    assert resctrl_mount(str(file)) == "/sys/fs/resctrl"
    file.write_text("36 24 0:31 / /sys rw - sysfs sysfs rw\n")
    assert resctrl_mount(str(file)) == ""
