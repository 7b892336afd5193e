"""Namespaces: new, inherited, and by path. Spec: config-linux.md#namespaces"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .bundle import namespaces, without
from .driver import Container, namespace
from .host import mounted
from .namespace_holder import NAMES, held
from .test_user_namespaces import HOST_ID, with_user_namespace

KINDS = tuple(NAMES)


def identities(container: Container) -> dict[str, str]:
    """The namespaces of the running container's first process, by kind."""
    return {kind: namespace(container.pid, name) for kind, name in NAMES.items()}


def ours() -> dict[str, str]:
    """The test's own, by kind."""
    return {kind: namespace("self", name) for kind, name in NAMES.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_new(container: Container, kind: str) -> None:
    """A listed namespace is the container's own."""
    if kind == "user":
        with_user_namespace(container)
    else:
        container.linux["namespaces"] = [*without(container.linux["namespaces"], kind), {"type": kind}]
    container.launch()
    assert identities(container)[kind] != ours()[kind]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mount"])
def test_inherited(container: Container, kind: str) -> None:
    """One that is not listed is the runtime's."""
    container.linux["namespaces"] = without(container.linux["namespaces"], kind)
    container.launch()
    assert identities(container)[kind] == ours()[kind]


def test_none(container: Container) -> None:
    """Without any namespace all are the runtime's, the mount namespace too: the root is a chroot."""
    container.linux["namespaces"] = []
    container.config["mounts"] = []
    container.launch()
    assert identities(container) == ours()
    assert os.readlink(f"/proc/{container.pid}/root") == str(container.rootfs)
    assert "busybox" in container.exec_says("ls", "/bin")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("user", "mount")])
def test_by_path(container: Container, kind: str) -> None:
    """One with a path is that of the path, and `exec` joins it too."""
    with held(kind) as paths:
        container.linux["namespaces"] = [
            *without(container.linux["namespaces"], kind),
            *namespaces(**paths),
        ]
        container.launch()
        wanted = os.readlink(paths[kind])
        assert identities(container)[kind] == wanted
        assert container.exec_says("readlink", f"/proc/self/ns/{NAMES[kind]}") == wanted
        container.delete("--force")


def test_mount_namespace_by_path(container: Container) -> None:
    """In a mount namespace by path the container's root is pivoted to there, and stays there."""
    with held("mount") as paths:
        container.linux["namespaces"] = [
            *without(container.linux["namespaces"], "mount"),
            *namespaces(**paths),
        ]
        container.launch()
        assert identities(container)["mount"] == os.readlink(paths["mount"])
        assert "busybox" in container.exec_says("ls", "/bin")
        container.delete("--force")


def test_user_namespace_by_path(container: Container) -> None:
    """With a user namespace by path the container has the ids of its mappings."""
    with_user_namespace(container)
    del container.linux["uidMappings"], container.linux["gidMappings"]
    with held("user") as paths:
        container.linux["namespaces"] = [
            *without(container.linux["namespaces"], "user"),
            *namespaces(**paths),
        ]
        container.launch()
        assert identities(container)["user"] == os.readlink(paths["user"])
        assert container.exec_says("cat", "/proc/self/uid_map").split() == ["0", str(HOST_ID), "65536"]
        assert container.exec_says("id", "-u") == "0"
        container.delete("--force")


@pytest.mark.parametrize("kinds", [("user", "pid"), ("user", "time"), ("user", "network", "ipc", "uts")])
def test_user_namespace_with_others_by_path(container: Container, kinds: tuple[str, ...]) -> None:
    """Namespaces that a user namespace owns are joined along with it."""
    with_user_namespace(container)
    del container.linux["uidMappings"], container.linux["gidMappings"]
    with held(*kinds) as paths:
        container.linux["namespaces"] = [
            *without(container.linux["namespaces"], *kinds),
            *namespaces(**paths),
        ]
        container.launch()
        found = identities(container)
        assert {kind: found[kind] for kind in kinds} == {
            kind: os.readlink(path) for kind, path in paths.items()
        }
        assert container.exec_says("id", "-u") == "0"
        container.delete("--force")


@pytest.mark.parametrize("kind", ["pid", "time", "network", "uts"])
def test_new_user_namespace_with_another_by_path(container: Container, kind: str) -> None:
    """A new user namespace goes together with a namespace of the host's by path (as in a pod)."""
    with_user_namespace(container)
    container.config["mounts"] = [each for each in container.config["mounts"] if each["type"] != "sysfs"]
    if kind == "pid":
        # A procfs can be mounted by the owner of its PID namespace only.
        container.config["mounts"] = [each for each in container.config["mounts"] if each["type"] != "proc"]
    with held(kind) as paths:
        container.linux["namespaces"] = [
            *without(container.linux["namespaces"], kind),
            *namespaces(**paths),
        ]
        container.launch()
        found = identities(container)
        assert found[kind] == os.readlink(paths[kind])
        assert found["user"] != ours()["user"]
        container.delete("--force")


@pytest.mark.parametrize("kind", KINDS)
def test_path_of_another_type(container: Container, kind: str) -> None:
    """A path that is a namespace of another type is refused."""
    other = "uts" if kind != "uts" else "ipc"
    container.linux["namespaces"] = [*without(container.linux["namespaces"], kind)]
    container.linux["namespaces"].append({"type": kind, "path": f"/proc/self/ns/{other}"})
    index = len(container.linux["namespaces"]) - 1
    assert container.fails() == (
        f"linux.namespaces[{index}].path: /proc/self/ns/{other} is a namespace of another type: Invalid argument"
    )


@pytest.mark.parametrize(
    ("path", "cause"), [("/nosuch", "No such file"), ("/etc/passwd", "Inappropriate ioctl")]
)
def test_no_namespace(container: Container, path: str, cause: str) -> None:
    """A path that is no namespace at all is named."""
    container.linux["namespaces"] = [*without(container.linux["namespaces"], "uts"), *namespaces(uts=path)]
    line = container.fails()
    assert "linux.namespaces[5].path" in line and cause in line


def test_mappings(container: Container) -> None:
    """The id maps are exactly the configured lines, in user namespaces of several ranges."""
    with_user_namespace(container)
    container.linux["uidMappings"] = [
        {"containerID": 0, "hostID": HOST_ID, "size": 1000},
        {"containerID": 5000, "hostID": 300_000, "size": 7},
    ]
    said = container.says("cat /proc/self/uid_map; id -u; cat /proc/self/gid_map; cat /proc/self/setgroups")
    assert said.split() == [
        "0",
        str(HOST_ID),
        "1000",
        "5000",
        "300000",
        "7",
        "0",
        "0",
        str(HOST_ID),
        "65536",
        "allow",
    ]


def test_id_that_is_not_mapped(container: Container) -> None:
    """A user without a mapping is refused, with the reason."""
    with_user_namespace(container)
    container.process["user"] = {"uid": 70_000, "gid": 0}
    assert "not mapped" in container.fails()


def test_user_in_a_user_namespace(container: Container) -> None:
    """The program has the mapped id on the host, and its groups."""
    with_user_namespace(container)
    container.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6]}
    container.launch()
    status = Path(f"/proc/{container.pid}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert fields["Uid"].split() == [str(HOST_ID + 1000)] * 4
    assert fields["Gid"].split() == [str(HOST_ID + 1001)] * 4
    assert fields["Groups"].split() == [str(HOST_ID + 5), str(HOST_ID + 6)]


def test_time_offsets(container: Container) -> None:
    """A new time namespace has the offsets asked for."""
    container.linux["namespaces"] = [*container.linux["namespaces"], *namespaces("time")]
    container.linux["timeOffsets"] = {
        "boottime": {"secs": 1_000_000},
        "monotonic": {"secs": 500, "nanosecs": 7},
    }
    lines = [
        line.split() for line in container.says("cat /proc/self/timens_offsets /proc/uptime").splitlines()
    ]
    assert ["monotonic", "500", "7"] in lines and ["boottime", "1000000", "0"] in lines
    assert float(lines[-1][0]) > 1_000_000


def test_loopback(container: Container) -> None:
    """In a new network namespace the loopback device is up."""
    assert "UP" in container.says("ip link show lo").split("\n")[0]


def test_pid_namespace(container: Container) -> None:
    """In a new PID namespace the program is process 1, and /proc shows no other."""
    assert container.says("echo $$; ls -d /proc/[0-9]*") == "1\n/proc/1"


def test_hostname_and_domainname(container: Container) -> None:
    """Both names are set in the container, and are not the host's."""
    container.config["hostname"] = "box"
    container.config["domainname"] = "example.org"
    before = os.uname()
    said = container.says("hostname; cat /proc/sys/kernel/domainname")
    assert said == "box\nexample.org"
    assert os.uname() == before


@pytest.mark.parametrize("name", ["hostname", "domainname"])
def test_names_need_a_namespace(container: Container, name: str) -> None:
    """The host's own names are not changed."""
    container.linux["namespaces"] = without(container.linux["namespaces"], "uts")
    container.config[name] = "box"
    assert f"/{name}" in container.fails()


@pytest.mark.parametrize(
    ("key", "value"),
    [("kernel.domainname", "d"), ("kernel.shmmax", "12345"), ("net.ipv4.ip_forward", "1"),
     ("fs.mqueue.msg_max", "20"), ("net/ipv4/ip_local_port_range", "2000\t3000"), ("kernel.msgmax", "1000")],
)  # fmt: skip
def test_sysctl(container: Container, key: str, value: str) -> None:
    """A kernel parameter of the container's namespaces has its value, and the host's keeps its own."""
    path = Path("/proc/sys") / (key if "/" in key else key.replace(".", "/"))
    before = path.read_text() if path.exists() else None
    container.linux["sysctl"] = {key: value}
    assert container.says(f"cat {path}") == value
    assert before is None or path.read_text() == before


@pytest.mark.parametrize(
    "key", ["kernel.core_pattern", "vm.overcommit_memory", "kernel.sysrq", "net.core/../../kernel/sysrq"]
)
def test_sysctl_of_the_host(container: Container, key: str) -> None:
    """What belongs to no namespace is refused."""
    container.linux["sysctl"] = {key: "1"}
    assert "/linux/sysctl/" in container.fails()


def test_unknown_sysctl(container: Container) -> None:
    """A parameter that the kernel does not have is named."""
    container.linux["sysctl"] = {"net.ipv4.nosuch": "1"}
    line = container.fails()
    assert line.startswith("linux.sysctl.net.ipv4.nosuch") and line.endswith("No such file or directory")


@pytest.mark.parametrize("ending", ["delete", "run", "failure", "force"])
def test_mounts_without_a_mount_namespace(container: Container, directory: Path, ending: str) -> None:
    """Mounts that are made among the caller's own go with the container (the fixture compares mountinfo)."""
    container.linux["namespaces"] = without(container.linux["namespaces"], "mount")
    (directory / "sub dir").mkdir()
    with mounted(directory / "sub dir", "-t", "tmpfs", "none"):
        container.mount("/data", "rbind", source=directory)
        container.mount("/data/sub dir", type="tmpfs")
        if ending == "run":
            assert container.says("grep -c ' /data' /proc/self/mounts") == "3"
        elif ending == "failure":
            container.mount("/x", type="nosuchfs")
            container.fails()
        else:
            container.create()
            container.start()
            container.wait()
            container.delete(*["--force"][: ending == "force"])
