"""events: statistics and out-of-memory notices of a container that lives."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from .bundle import without
from .driver import Container, Outcome, killed_at_exit
from .host import V2, eventually

MIB = 1 << 20


def stats(container: Container) -> dict[str, Any]:
    """The data of `events --stats`."""
    (line,) = container.stave("events", "--stats", container.id).output.splitlines()
    event = json.loads(line)
    assert (event["type"], event["id"]) == ("stats", container.id)
    data: dict[str, Any] = event["data"]
    return data


def kinds(outcome: Outcome) -> list[str]:
    """The types of the events up to now."""
    return [json.loads(line)["type"] for line in outcome.lines]


def waits(process: subprocess.Popen[bytes]) -> None:
    """`events` waits for something to happen."""
    eventually(lambda: "poll" in Path(f"/proc/{process.pid}/wchan").read_text(), "it waits")


def test_statistics(container: Container) -> None:
    """Limits and use of CPU, memory and processes, and the network interfaces, are the container's own."""
    container.linux["resources"] = {
        "memory": {"limit": 64 * MIB},
        "pids": {"limit": 30},
        "cpu": {"cpus": "0"},
    }
    container.mount("/tmp", type="tmpfs")
    container.script(
        "dd if=/dev/zero of=/tmp/x bs=1M count=8; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done;"
        " echo done; sleep 1000"
    )
    container.run("--detach")
    container.eventually_says("done")
    data = stats(container)
    assert list(data) == [
        "cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"
    ]  # fmt: skip
    usage = data["cpu"]["usage"]
    assert 0 < usage["total"] < 60e9
    assert usage["user"] + usage["kernel"] <= usage["total"] * 2 + 10**8
    assert data["cpuset"]["cpus"] == [0] and data["cpuset"]["mems"] == [0]
    memory = data["memory"]
    assert memory["usage"]["limit"] == 64 * MIB
    assert 8 * MIB < memory["usage"]["usage"] < 64 * MIB
    assert memory["raw"]["shmem"] >= 8 * MIB
    assert data["pids"] == {"current": 1, "limit": 30}
    assert [each["Name"] for each in data["network_interfaces"]] == ["lo"]
    assert ("psi" in data["memory"] and "psi" in data["cpu"]) or not V2


def test_the_hosts_network_is_not_the_containers(container: Container) -> None:
    """Without a network namespace of its own a container has no interfaces to show; unlimited is no limit."""
    container.linux["namespaces"] = without(container.linux["namespaces"], "network")
    container.launch()
    data = stats(container)
    assert data["network_interfaces"] is None
    assert data["pids"] == {"current": 1}


def test_until_the_end(container: Container) -> None:
    """There are statistics at each interval, and an end with the container's."""
    container.launch()
    process, outcome = container.stave.begin("events", "--interval=20ms", container.id)
    with killed_at_exit(process):
        eventually(lambda: len(kinds(outcome)) >= 3, "statistics have come")
        assert process.poll() is None
        container.kill("KILL")
        assert process.wait(60) == 0
    assert set(kinds(outcome)) == {"stats"}
    assert outcome.errors == ""


def test_no_waiting_in_a_loop(container: Container) -> None:
    """Between two events nothing is done."""
    container.launch()
    process, outcome = container.stave.begin("events", "--interval=1h", container.id)
    with killed_at_exit(process):
        waits(process)

        def ticks() -> int:
            words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            return int(words[11]) + int(words[12])

        before = ticks()
        for _ in range(10):
            container.exec("true")
        assert ticks() <= before + 1
        container.kill("KILL")
        assert process.wait(60) == 0
    assert outcome.output == ""


EATER = "dd if=/dev/zero of=/dev/null bs=64M count=1"


def limited(container: Container, script: str) -> None:
    """The container runs the script with little memory."""
    container.linux["resources"] = {"memory": {"limit": 8 * MIB, "swap": 8 * MIB}}
    container.script(script)
    container.create()


def test_out_of_memory(container: Container) -> None:
    """When the memory limit kills a process there is an event, and another for the next."""
    limited(container, f"trap '' USR1; while :; do read -r _ </tmp/go; {EATER} || echo killed; done")
    os.mkfifo(container.rootfs / "tmp/go")
    process, outcome = container.stave.begin("events", "--interval=1h", container.id)
    with killed_at_exit(process):
        waits(process)
        container.start()
        for number in (1, 2):
            (container.rootfs / "tmp/go").write_text("\n")
            eventually(lambda number=number: kinds(outcome) == ["oom"] * number, "the event has come")  # type: ignore[misc]
            eventually(lambda number=number: container.output.count("killed") == number, "go on")  # type: ignore[misc]
        assert json.loads(outcome.output.splitlines()[0]) == {"type": "oom", "id": container.id}
        container.kill("KILL")
        assert process.wait(60) == 0


def test_out_of_memory_of_the_first_process(container: Container) -> None:
    """The event comes also when it is the end of the container."""
    limited(container, f"exec {EATER}")
    process, outcome = container.stave.begin("events", "--interval=1h", container.id)
    with killed_at_exit(process):
        waits(process)
        container.start()
        assert process.wait(60) == 0
    assert kinds(outcome) == ["oom"]


def test_wrong_states(container: Container) -> None:
    """There are no events of a container that has stopped, or of none."""
    container.stave.fails("events", "--stats", "nobody")
    container.launch()
    container.kill("KILL")
    container.wait()
    for words in (["--stats"], []):
        assert container.stave.fails("events", *words, container.id).endswith("container not running")
