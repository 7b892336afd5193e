"""Pods, as Kubernetes runs them: containerd's CRI service with the runtime as its handler."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from .cri import EXITED, RUNNING, Kubelet, kubelet
from .engines import GROUP
from .host import CGROUPS, UNIFIED, cgroups_below, eventually
from .image import write_archive

MEMORY = 32 << 20


@pytest.fixture(scope="module")
def node(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    """containerd as a node's container manager."""
    programs = {name: shutil.which(name) for name in ("containerd", "ctr", "busybox")}
    if missing := [name for name, path in programs.items() if path is None]:
        pytest.skip(f"{missing[0]} is not installed")
    archive = tmp_path_factory.mktemp("cri") / "busybox.tar"
    # The same image holds the pod's namespaces, which takes a program that does not end.
    write_archive(Path(str(programs["busybox"])), archive, ("sleep", "1000000"))
    with kubelet({name: str(path) for name, path in programs.items()}, runtime, archive) as made:
        yield made


@pytest.fixture
def pod(node: Kubelet) -> Iterator[str]:
    """A pod of the handler `tested`; nothing is left of it."""
    made = node.pod("tested")
    yield made
    node.remove(made)
    # The pod's own group is the node agent's to remove, and some runtimes leave it.
    left = "the groups of the pod's containers are gone"
    eventually(
        lambda: not [path for path in cgroups_below(GROUP) if path.parent.name.startswith("pod")], left
    )


def test_two_containers(node: Kubelet, pod: str) -> None:
    """They run side by side, share the pod's IPC namespace, and each has its own processes and log."""
    first = node.container(pod, "first", "sh", "-c", "echo from first; sleep 1000")
    second = node.container(pod, "second", "sh", "-c", "echo from second >&2; exit 7")
    assert node.status(first).state == RUNNING
    eventually(lambda: node.status(second).state == EXITED, "the second one has ended")
    assert node.status(second).exit_code == 7
    eventually(lambda: "stdout F from first" in node.log("first"), "the first one's log")
    assert "stderr F from second" in node.log("second")
    third = node.container(pod, "third", "sleep", "1000")
    spaces = [node.exec(each, "readlink", "/proc/self/ns/ipc").stdout for each in (first, third)]
    assert spaces[0] == spaces[1]


def test_exec(node: Kubelet, pod: str) -> None:
    """Output, errors and exit code of a command come back apart."""
    container = node.container(pod, "exec", "sleep", "1000")
    done = node.exec(container, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.exit_code) == (b"out\n", b"err\n", 3)
    with pytest.raises(grpc.RpcError, match="executable file not found|no such file"):
        node.exec(container, "missing")


def test_limits_and_statistics(node: Kubelet, pod: str) -> None:
    """The container has its memory limit, which can be changed, and its figures are read."""
    container = node.container(pod, "limits", "sleep", "1000", memory=MEMORY)
    name = "memory.max" if UNIFIED else "memory.limit_in_bytes"
    (file,) = [
        path / name for path in cgroups_below(GROUP) if path.name == container and (path / name).exists()
    ]
    assert file.is_relative_to(CGROUPS) and file.read_text() == f"{MEMORY}\n"
    node.service(
        "UpdateContainerResources", container_id=container, linux={"memory_limit_in_bytes": 2 * MEMORY}
    )
    assert file.read_text() == f"{2 * MEMORY}\n"
    stats = node.service("ContainerStats", container_id=container).stats
    assert 0 < stats.memory.working_set_bytes.value < MEMORY
    assert stats.cpu.timestamp > 0


def test_stop(node: Kubelet, pod: str) -> None:
    """A container that does not heed TERM is killed after the time it was given."""
    container = node.container(pod, "stop", "sh", "-c", "trap '' TERM; echo set; while :; do sleep 1; done")
    eventually(lambda: "set" in node.log("stop"), "the trap is set")
    node.service("StopContainer", container_id=container, timeout=1)
    assert node.status(container).state == EXITED
    assert node.status(container).exit_code == 137


def test_handlers(node: Kubelet) -> None:
    """The handler that a RuntimeClass names is the one that is used."""
    with pytest.raises(grpc.RpcError, match="/no/such/runtime"):
        node.pod("other")
    with pytest.raises(grpc.RpcError, match="no runtime for .?unknown"):
        node.pod("unknown")
