"""Namespaces: new, joined and inherited ones; the mappings of IDs; the offsets of clocks; kernel parameters."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ociconformance import isolation
from ociconformance.container import Container, eventually
from ociconformance.testing import case, covers

FILES = {
    "pid": "pid",
    "network": "net",
    "mount": "mnt",
    "ipc": "ipc",
    "uts": "uts",
    "user": "user",
    "cgroup": "cgroup",
    "time": "time",
}
"""The files of /proc/PID/ns, by the types of the specification."""

FLAGS = {
    "pid": 0x20000000,
    "network": 0x40000000,
    "mount": 0x20000,
    "ipc": 0x8000000,
    "uts": 0x4000000,
    "user": 0x10000000,
    "cgroup": 0x2000000,
    "time": 0x80,
}
_SINCE_1_1 = "time"


def ours(type: str) -> str:
    """The identity of the namespace of this type that the runtime is called in."""
    return os.readlink(f"/proc/self/ns/{FILES[type]}")


def seen(container: Container, type: str) -> str:
    """The identity of the namespace of this type that the container's process is in."""
    container.sleeps()
    return os.readlink(f"/proc/{container.pid}/ns/{FILES[type]}")


@contextmanager
def another(type: str) -> Iterator[str]:
    """The path of a namespace of this type, which a process keeps."""
    ready, told = os.pipe()
    holder = os.fork()
    if not holder:
        isolation.unshare(FLAGS[type])
        if type in ("pid", "time"):
            # These are entered by the next child.
            inner = os.fork()
            if inner:
                os.write(told, f"{inner}\n".encode())
                signal.pause()
        else:
            os.write(told, f"{os.getpid()}\n".encode())
        signal.pause()
    pid = int(os.read(ready, 32))
    os.close(ready)
    os.close(told)
    if type == "user":
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text("0 100000 65536\n")
    yield f"/proc/{pid}/ns/{FILES[type]}"


def prepare(container: Container, type: str) -> None:
    """What a container with a namespace of this type needs besides."""
    if type == "user":
        container.user_namespace()


@pytest.mark.parametrize(
    "type", [case(type, covers=f"linux/namespaces/{type}") for type in FILES if type != _SINCE_1_1]
)
@covers("linux/namespaces/new")
def test_new(container: Container, type: str) -> None:
    """Without a path the container is in a new namespace."""
    prepare(container, type)
    container.namespace(type)
    assert seen(container, type) != ours(type)


@covers("linux/namespaces/time")
def test_new_time(container: Container) -> None:
    """A new time namespace."""
    container.namespace("time")
    assert seen(container, "time") != ours("time")


@pytest.mark.parametrize("type", [type for type in FILES if type not in ("user", "time")])
@covers("linux/namespaces/inherited")
def test_inherited(container: Container, type: str) -> None:
    """A type that is not listed: the container is in the runtime's namespace."""
    container.no_namespace(type)
    if type == "mount":
        # Its mounts are made in the runtime's own namespace, and are cleaned up by the test's fixture.
        container.config["mounts"] = container.config["mounts"][:1]
    if type == "network":
        container.unmount("/sys")
    assert seen(container, type) == ours(type)


@pytest.mark.parametrize("type", [type for type in FILES if type not in ("user", "time")])
@covers("linux/namespaces/path/joined")
def test_joined(container: Container, type: str) -> None:
    """With a path the container's process is in the namespace that it leads to."""
    with another(type) as path:
        container.namespace(type, path)
        if type == "network":
            # A sysfs shows the network namespace that it is mounted in.
            container.unmount("/sys")
        assert seen(container, type) == os.readlink(path)


@covers("linux/namespaces/path/joined", "linux/namespaces/user")
def test_joined_user(container: Container) -> None:
    """The container joins a user namespace, with the IDs that are mapped there."""
    with another("user") as path:
        container.namespace("user", path)
        for key in ("uidMappings", "gidMappings"):
            container.linux[key] = [{"containerID": 0, "hostID": 100_000, "size": 65_536}]
        container.unmount("/sys")
        assert seen(container, "user") == os.readlink(path)


@covers("linux/namespaces/path/joined", "linux/namespaces/time")
def test_joined_time(container: Container) -> None:
    """The container joins a time namespace."""
    with another("time") as path:
        container.namespace("time", path)
        assert seen(container, "time") == os.readlink(path)


@pytest.mark.parametrize(
    ("type", "other"),
    [("network", "uts"), ("uts", "ipc"), ("ipc", "network"), ("pid", "mount"), ("mount", "uts")],
)
@covers("linux/namespaces/path/wrong-type")
def test_path_of_another_type(container: Container, type: str, other: str) -> None:
    """A path that leads to a namespace of another type is an error."""
    with another(other) as path:
        container.namespace(type, path)
        container.refused()


@pytest.mark.parametrize(
    "path",
    [
        case("/no/such/file", covers="linux/namespaces/path/joined"),
        case("/bin/busybox", covers="linux/namespaces/path/wrong-type"),
        case("proc/self/ns/net", covers="linux/namespaces/path/absolute"),
    ],
)
def test_path_of_no_namespace(container: Container, path: str) -> None:
    """A path that leads to no namespace, or is relative, is an error."""
    container.namespace("network", path)
    assert container.runtime("--version").status == 0
    outcome = container.try_create(cwd="/")
    assert outcome.status != 0, str(outcome)
    assert not container.exists()


@covers("linux/namespaces/duplicate")
@pytest.mark.parametrize("type", ["pid", "mount", "uts"])
def test_duplicate(container: Container, type: str) -> None:
    """A type that is listed twice is an error."""
    container.linux["namespaces"].append({"type": type})
    container.refused()


@covers("config/valid-values/error")
def test_unknown_type(container: Container) -> None:
    """A type that there is not is an error."""
    container.linux["namespaces"].append({"type": "weather"})
    container.refused()


@covers("linux/namespaces/pid")
def test_processes(container: Container) -> None:
    """In a new PID namespace there are no other processes, and the program is the first."""
    container.script("echo $$; for each in /proc/[0-9]*; do [ -d $each ] && echo $each; done")
    container.run()
    assert container.output.split() == ["1", "/proc/1"]


@covers("linux/namespaces/network")
def test_interfaces(container: Container) -> None:
    """In a new network namespace there is nothing but a loopback device."""
    lines = container.says("cat /proc/net/dev").splitlines()[2:]
    # Kernels with tunnels compiled in add one device for each.
    assert any("lo:" in line for line in lines)
    assert not any(name in line for line in lines for name in ("eth", "en", "veth"))


@covers("linux/namespaces/ipc")
def test_message_queues(container: Container) -> None:
    """In a new IPC namespace there are no objects of the host's."""
    assert container.says("tail -n +2 /proc/sysvipc/msg | wc -l") == "0"


@covers("linux/uid-mappings", "linux/gid-mappings", "linux/namespaces/user")
def test_mappings(container: Container) -> None:
    """The user namespace has exactly the configured mappings."""
    container.namespace("user")
    container.linux["uidMappings"] = [
        {"containerID": 0, "hostID": 100_000, "size": 1000},
        {"containerID": 1000, "hostID": 300_000, "size": 50},
    ]
    container.linux["gidMappings"] = [{"containerID": 0, "hostID": 200_000, "size": 2000}]
    said = container.says("cat /proc/self/uid_map; echo --; cat /proc/self/gid_map").split()
    assert said == "0 100000 1000 1000 300000 50 -- 0 200000 2000".split()


@covers("config/process/user/uid", "config/process/user/gid", "linux/uid-mappings", "linux/gid-mappings")
def test_mapped_user(container: Container) -> None:
    """In a user namespace uid and gid count as there, and are others outside."""
    container.user_namespace(100_000)
    container.process["user"] = {"uid": 7, "gid": 8}
    container.script("id -u; id -g; exec sleep 1000")
    container.create().start()
    eventually(lambda: container.output.split() == ["7", "8"], "the program says its IDs")
    status = Path(f"/proc/{container.pid}/status").read_text()
    assert "Uid:\t100007\t100007\t100007\t100007" in status
    assert "Gid:\t100008\t100008\t100008\t100008" in status


@covers("linux/mappings/ownership")
def test_owners_of_files(container: Container) -> None:
    """A user namespace changes no owner of a file of the root file system."""
    os.chown(container.rootfs / "etc", 1234, 4321)
    container.user_namespace()
    container.says("true")
    for path, owner in ((container.rootfs, (0, 0)), (container.rootfs / "etc", (1234, 4321))):
        status = path.stat()
        assert (status.st_uid, status.st_gid) == owner, path


@pytest.mark.parametrize(
    ("offsets", "words"),
    [
        case(
            {"boottime": {"secs": 5_000_000}}, ["5000000", "0"], covers="linux/time-offsets/secs", id="secs"
        ),
        case(
            {"boottime": {"secs": 7, "nanosecs": 500}},
            ["7", "500"],
            covers="linux/time-offsets/nanosecs",
            id="nanosecs",
        ),
    ],
)
def test_time_offsets(container: Container, offsets: dict[str, dict[str, int]], words: list[str]) -> None:
    """The container's clocks are off by what is configured."""
    container.namespace("time")
    container.linux["timeOffsets"] = offsets
    said = container.says("grep boottime /proc/self/timens_offsets; cat /proc/uptime")
    assert said.split()[1:3] == words
    if words[0] == "5000000":
        assert float(said.split()[3]) > 5_000_000


# Kernel parameters of namespaces.


@covers("linux/sysctl")
@pytest.mark.parametrize(
    ("name", "value"),
    [("net.ipv4.ip_forward", "1"), ("kernel.msgmax", "12345"), ("net/ipv4/ip_default_ttl", "77")],
)
def test_sysctl(container: Container, name: str, value: str) -> None:
    """A kernel parameter has the configured value in the container, and not on the host."""
    file = Path("/proc/sys", *name.replace(".", "/").split("/"))
    before = file.read_text()
    container.linux["sysctl"] = {name: value}
    assert container.says(f"cat {file}") == value
    assert file.read_text() == before


@covers("linux/sysctl", "runtime/create/not-applicable")
@pytest.mark.parametrize("name", ["no.such.parameter", "net.ipv4.no_such_parameter"])
def test_unknown_sysctl(container: Container, name: str) -> None:
    """A parameter that there is not is an error."""
    container.linux["sysctl"] = {name: "1"}
    container.refused()


@covers("linux/sysctl", "runtime/create/not-applicable")
@pytest.mark.parametrize(
    ("namespace", "name"),
    [("network", "net.ipv4.ip_forward"), ("ipc", "kernel.msgmax"), ("uts", "kernel.domainname")],
)
def test_sysctl_of_the_host(container: Container, namespace: str, name: str) -> None:
    """A parameter of a namespace that is the host's is refused, or the host's value stays."""
    file = Path("/proc/sys", *name.split("."))
    before = file.read_text()
    container.no_namespace(namespace)
    if namespace == "network":
        container.unmount("/sys")
    container.linux["sysctl"] = {name: before.strip() if namespace == "network" else "4321"}
    if namespace == "network":
        container.try_create()
    else:
        container.refused()
    assert file.read_text() == before
