"""Statistics: the kernel's files as numbers, in the form of runc's events."""

from __future__ import annotations

from pathlib import Path

import pytest

from stave.cgroups.statistics import (
    UNLIMITED,
    parse_flat,
    parse_interfaces,
    parse_list,
    parse_nested,
    parse_number,
    parse_pressure,
    statistics,
)


@pytest.mark.parametrize(("text", "number"), [("5\n", 5), ("max\n", UNLIMITED), ("", 0), ("-1\n", -1)])
def test_numbers(text: str, number: int) -> None:
    """A file with one number."""
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("text", "numbers"), [("", []), ("\n", []), ("0\n", [0]), ("0-2,7,9-9\n", [0, 1, 2, 7, 9])]
)
def test_lists(text: str, numbers: list[int]) -> None:
    """CPUs and memory nodes."""
    assert parse_list(text) == numbers


def test_tables() -> None:
    """Files with several lines of names and numbers, and none at all."""
    assert parse_flat("cache 5\nrss 0\n") == {"cache": 5, "rss": 0}
    assert parse_flat("") == {}
    assert parse_nested("8:0 rbytes=5 wios=1 cost=x\n7:0 \n") == {"8:0": {"rbytes": 5, "wios": 1}, "7:0": {}}
    assert parse_nested("") == parse_pressure("") == {}


def test_interfaces() -> None:
    """Each line of net/dev is an interface with eight of its sixteen counts."""
    head = "Inter-|   Receive\n face |bytes    packets\n"
    line = "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
    assert parse_interfaces(head + line) == [
        {
            "Name": "eth0", "RxBytes": 1, "RxPackets": 2, "RxErrors": 3, "RxDropped": 4,
            "TxBytes": 9, "TxPackets": 10, "TxErrors": 11, "TxDropped": 12,
        }
    ]  # fmt: skip
    assert parse_interfaces(head) == []


def fill(directory: Path, **files: str) -> str:
    """A directory with these files, "__" for the dots in their names."""
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        (directory / name.replace("__", ".")).write_text(content)
    return str(directory)


def test_v1(tmp_path: Path) -> None:
    """Every controller's files end up where runc has them."""
    cpu = fill(
        tmp_path / "cpu",
        cpu__stat="nr_periods 4\nnr_throttled 2\nthrottled_time 9\n",
        cpuacct__usage="77\n",
        cpuacct__usage_percpu="70 7 \n",
        cpuacct__usage_all="cpu user system\n0 60 10\n1 5 2\n",
        cpuacct__stat="user 3\nsystem 2\n",
    )
    memory = fill(
        tmp_path / "memory",
        memory__stat="cache 9\nrss 8\n",
        memory__limit_in_bytes="100\n",
        memory__usage_in_bytes="20\n",
        memory__max_usage_in_bytes="30\n",
        memory__failcnt="1\n",
        memory__memsw__limit_in_bytes="200\n",
    )
    block = fill(
        tmp_path / "blkio",
        blkio__throttle__io_serviced_recursive="8:0 Read 3\n8:0 Total 3\nTotal 3\n",
        blkio__bfq__time_recursive="8:0 6\n",
        blkio__throttle__io_service_bytes_recursive="Total 0\n",
    )
    huge = fill(
        tmp_path / "hugetlb",
        hugetlb__2MB__usage_in_bytes="5\n",
        hugetlb__2MB__rsvd__usage_in_bytes="6\n",
        hugetlb__2MB__rsvd__max_usage_in_bytes="7\n",
        hugetlb__1GB__failcnt="9\n",
        hugetlb__1GB__usage_in_bytes="0\n",
    )
    pids = fill(tmp_path / "pids", pids__current="3\n", pids__max="max\n")
    cpuset = fill(
        tmp_path / "cpuset", cpuset__cpus="0-1\n", cpuset__mems="0\n", cpuset__sched_relax_domain_level="-1"
    )
    paths = {"cpu": cpu, "cpuacct": cpu, "memory": memory, "blkio": block, "hugetlb": huge, "pids": pids}
    found = statistics({**paths, "cpuset": cpuset})
    assert found["cpu"] == {
        "usage": {
            "total": 77, "percpu": [70, 7], "percpu_kernel": [10, 2], "percpu_user": [60, 5],
            "kernel": 20000000, "user": 30000000,
        },
        "throttling": {"periods": 4, "throttledPeriods": 2, "throttledTime": 9},
    }  # fmt: skip
    assert found["memory"]["cache"] == 9 and found["memory"]["raw"] == {"cache": 9, "rss": 8}
    assert found["memory"]["usage"] == {"limit": 100, "usage": 20, "max": 30, "failcnt": 1}
    assert found["memory"]["swap"]["limit"] == 200
    assert found["blkio"] == {
        "ioServicedRecursive": [
            {"major": 8, "minor": 0, "value": 3, "op": "Read"},
            {"major": 8, "minor": 0, "value": 3, "op": "Total"},
        ],
        "ioTimeRecursive": [{"major": 8, "minor": 0, "value": 6}],
    }
    assert found["hugetlb"] == {
        "1GB": {"usage": 0, "max": 0, "failcnt": 9},
        "2MB": {"usage": 6, "max": 7, "failcnt": 0},
    }
    assert found["pids"] == {"current": 3}
    assert found["cpuset"]["cpus"] == [0, 1] and found["cpuset"]["sched_relax_domain_level"] == -1


def test_v1_without_controllers(tmp_path: Path) -> None:
    """A controller that is not mounted is not counted; a group that is gone is an error."""
    found = statistics({"name=systemd": fill(tmp_path)})
    assert found["memory"] == found["hugetlb"] == found["cpu"]["usage"] == {}
    assert statistics({})["pids"] == {}
    with pytest.raises(FileNotFoundError):
        statistics({"memory": f"{tmp_path}/gone"})


def test_v2(tmp_path: Path) -> None:
    """The same of cgroup v2, in v1's units and sums; with pressure where the kernel has it."""
    pressure = (
        "some avg10=1.00 avg60=2.00 avg300=3.00 total=4\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n"
    )
    group = fill(
        tmp_path,
        cpu__stat="usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 4\nnr_throttled 2\nthrottled_usec 9\n",
        cpu__pressure=pressure,
        cpuset__cpus__effective="0-1\n",
        memory__max="100\n",
        memory__current="20\n",
        memory__peak="30\n",
        memory__swap__max="50\n",
        memory__swap__current="5\n",
        memory__stat="anon 1\nfile 9\nkernel 7\nsock 6\n",
        memory__events="low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\n",
        pids__current="3\n",
        pids__max="9\n",
        io__stat="8:0 rbytes=5 wbytes=6 rios=1 wios=2 dbytes=0 dios=0\n",
        hugetlb__2MB__current="5\n",
        hugetlb__2MB__events="max 4\n",
    )
    found = statistics({"": group})
    assert found["cpu"]["usage"] == {"total": 5000, "kernel": 2000, "user": 3000}
    assert found["cpu"]["throttling"]["throttledTime"] == 9000
    assert found["cpu"]["psi"]["some"] == {"avg10": 1.0, "avg60": 2.0, "avg300": 3.0, "total": 4}
    assert "psi" not in found["memory"] and "psi" not in found["blkio"]
    assert found["cpuset"] == {"cpus": [0, 1], "mems": []}
    assert found["memory"]["usage"] == {"limit": 100, "usage": 20, "max": 30, "failcnt": 3}
    assert found["memory"]["swap"] == {"limit": 150, "usage": 25, "max": 0, "failcnt": 0}
    assert found["memory"]["kernel"]["usage"] == 7 and found["memory"]["kernelTCP"]["usage"] == 6
    assert found["memory"]["cache"] == 9
    assert found["memory"]["event_count"] == {
        "low": 0, "high": 0, "max": 3, "oom": 2, "oom_kill": 1, "oom_group_kill": 0,
    }  # fmt: skip
    assert found["pids"] == {"current": 3, "limit": 9}
    assert found["blkio"]["ioServiceBytesRecursive"][:2] == [
        {"major": 8, "minor": 0, "value": 5, "op": "Read"},
        {"major": 8, "minor": 0, "value": 6, "op": "Write"},
    ]
    assert [each["value"] for each in found["blkio"]["ioServicedRecursive"]] == [1, 2, 0]
    assert found["hugetlb"] == {"2MB": {"usage": 5, "failcnt": 4}}
    (tmp_path / "memory.max").write_text("max\n")
    assert statistics({"": group})["memory"]["swap"]["limit"] == UNLIMITED
