"""What the runtime relies on is looked at before it is used: procfs, the null device, links, processes that join.

Each of these guards was taken out once to see its test fail.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .attacks import Canary
from .bundle import namespaces, without
from .conftest import MakeContainer
from .console import console_socket
from .driver import Container, killed_at_exit
from .host import eventually
from .namespace_holder import held
from .test_user_namespaces import with_user_namespace

KEY = "kernel/domainname"
SYSCTL = {"kernel.domainname": "real"}
# As in an outer container: what the host's procfs shows can be read only, so the container's own has to serve.
READ_ONLY_PROC = "mount -o remount,bind,ro /proc"


@contextlib.contextmanager
def on_a_host(container: Container, script: str) -> Iterator[None]:
    """The runtime runs on a host whose mounts the script has changed."""
    stave = container.stave
    unshare = ["unshare", "--mount", "--propagation=private", "sh", "-ec", f'{script}; exec "$@"', "sh"]
    stave.before = unshare
    try:
        yield
    finally:
        stave.before = []


@pytest.fixture
def canary(directory: Path) -> Iterator[Canary]:
    """A directory on the host that is as it was in the end."""
    canary = Canary(directory / "canary")
    yield canary
    canary.assert_alive()


def without_proc(container: Container) -> None:
    """Nothing is mounted on /proc."""
    container.config["mounts"] = [each for each in container.config["mounts"] if each["type"] != "proc"]


def fake_sysctl(proc: Path) -> Path:
    """A file that looks like a kernel parameter."""
    file = proc / "sys" / KEY
    file.parent.mkdir(parents=True)
    file.write_text("fake\n")
    return file


def test_the_hosts_null_device_is_none(container: Container, canary: Canary) -> None:
    """What is at the host's /dev/null does not hide anything unless it is the null device. (CVE-2025-31133)"""
    container.linux["maskedPaths"] = ["/proc/version"]
    with on_a_host(container, f"mount --bind {canary.path}/null /dev/null"):
        line = container.fails()
    assert line.endswith("not the null device /dev/null: No such device")


def test_sysctl_by_way_of_the_containers_procfs(container: Container) -> None:
    """Where the host's is read-only the container's own procfs serves."""
    container.linux["sysctl"] = SYSCTL
    with on_a_host(container, READ_ONLY_PROC):
        assert container.says(f"cat /proc/sys/{KEY}") == "real"


def test_sysctl_in_a_procfs_that_is_none(container: Container) -> None:
    """But it has to be one. (CVE-2025-52881)"""
    without_proc(container)
    fake = fake_sysctl(container.rootfs / "proc")
    container.linux["sysctl"] = SYSCTL
    with on_a_host(container, READ_ONLY_PROC):
        assert container.fails().endswith("Invalid cross-device link")
    assert fake.read_text() == "fake\n"


@pytest.mark.parametrize("link", ["proc", "proc/sys"])
def test_sysctl_through_a_link(container: Container, link: str) -> None:
    """And is where it says: not somewhere else in a procfs. (CVE-2025-52881)"""
    without_proc(container)
    container.config["mounts"].append({"destination": "/real", "type": "proc", "source": "proc"})
    if link == "proc":
        (container.rootfs / link).rmdir()
    (container.rootfs / link).symlink_to("/real" if link == "proc" else "/real/sys")
    container.linux["sysctl"] = SYSCTL
    with on_a_host(container, READ_ONLY_PROC):
        assert container.fails().endswith("Too many levels of symbolic links")


def test_a_sysctl_is_a_link(container: Container, directory: Path) -> None:
    """A parameter's file is no link, not even on the host, whose mounts a user namespace keeps together."""
    without_proc(container)
    target, kernel = container.rootfs / "tmp/target", "/proc/sys/kernel"
    target.write_text("before")
    with_user_namespace(container)
    container.linux["sysctl"] = SYSCTL
    script = f"cp {kernel}/cap_last_cap {directory}; mount -t tmpfs none {kernel}; cp {directory}/cap_last_cap {kernel}"
    with on_a_host(container, f"{script}; ln -s /tmp/target {kernel}/domainname"):
        assert container.fails().endswith("Too many levels of symbolic links")
    assert target.read_text() == "before"


def test_procfs_of_a_joined_mount_namespace(container: Container) -> None:
    """What is at /proc in a mount namespace that somebody else has prepared counts only if it is a procfs."""
    container.linux["sysctl"] = SYSCTL
    fake = f"mount -t tmpfs none /proc; mkdir -p /proc/sys/kernel; echo fake > /proc/sys/{KEY}"
    with held("mount") as paths:
        subprocess.run(["nsenter", f"--mount={paths['mount']}", "sh", "-ec", fake], check=True)
        container.linux["namespaces"] = [
            *without(container.linux["namespaces"], "mount"),
            *namespaces(mount=paths["mount"]),
        ]
        assert container.says(f"cat /proc/sys/{KEY}") == "real"


@pytest.mark.parametrize("separator", ["+", "\n", " ", ";", "\t"])
def test_sysctl_with_more_than_a_value(container: Container, separator: str) -> None:
    """A value is written to its own parameter, whatever is in it. (CVE-2022-0811)"""
    pattern = Path("/proc/sys/kernel/core_pattern")
    before = pattern.read_text()
    container.linux["sysctl"] = {"kernel.domainname": f"real{separator}kernel.core_pattern=|/evil"}
    assert container.says("cat /proc/sys/kernel/domainname").startswith("real")
    assert pattern.read_text() == before


@pytest.mark.parametrize("property", ["maskedPaths", "readonlyPaths"])
def test_magic_links(container: Container, property: str) -> None:
    """A link that stands for an open file or directory, instead of a name, leads nowhere."""
    (container.rootfs / "link").symlink_to("/proc/self/cwd")
    container.linux[property] = ["/link/bin"]
    assert container.fails().endswith("open /link/bin: Too many levels of symbolic links")


@pytest.mark.parametrize("target", ["/etc/passwd", "/proc/sysrq-trigger", "CANARY/console"])
def test_console_through_a_link(container: Container, canary: Canary, directory: Path, target: str) -> None:
    """The terminal is mounted at /dev/console or not at all, also if what it leads to is inside. (CVE-2025-52565)"""
    container.config["mounts"] = [
        each for each in container.config["mounts"] if each["destination"] != "/dev"
    ]
    (container.rootfs / "etc/passwd").touch()
    (container.rootfs / "dev/console").symlink_to(target.replace("CANARY", str(canary.path)))
    container.process["terminal"] = True
    with console_socket(directory) as console:
        line = container.fails("--console-socket", console.path)
    assert line.endswith("open target /dev/console: Too many levels of symbolic links")


def test_a_joining_process_in_a_user_namespace(make_container: MakeContainer) -> None:
    """Whoever is root in the user and PID namespace that a process joins cannot look into it before it is the
    container's. Held up by a hook, it would stay open for long. (CVE-2016-9962)"""
    first, second = make_container(), make_container()
    # The host's ids: with others the change of the user would have the same effect.
    with_user_namespace(first, 0)
    first.process["capabilities"] = dict.fromkeys(
        ("bounding", "effective", "permitted"), ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"]
    )
    first.launch()
    own = f"/proc/{first.pid}/ns"
    second.linux["namespaces"] = [
        *without(second.linux["namespaces"], "pid"),
        *namespaces(user=f"{own}/user", pid=f"{own}/pid"),
    ]
    said, go_on = second.bundle / "said", second.bundle / "go-on"
    hook = f"cat > {said}.new; mv {said}.new {said}; until [ -e {go_on} ]; do sleep 0.01; done"
    second.config["hooks"] = {
        "createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", hook], "env": ["PATH=/bin"]}]
    }
    second.write_config()
    words: list[str | Path] = [
        "create",
        "--bundle",
        second.bundle,
        "--pid-file",
        second.bundle / "pid",
        second.id,
    ]
    process, outcome = second.stave.begin(*words)
    with killed_at_exit(process):
        eventually(said.exists, "the hook runs")
        pid = json.loads(said.read_text())["pid"]
        look = (
            f"cd /proc/{pid}; for each in exe cwd root fd/*; do readlink $each; done; cat maps environ; true"
        )
        found = first.exec("sh", "-c", look).output
        go_on.touch()
        assert process.wait(60) == 0, outcome.errors
    second.delete("--force")
    second.wait()  # the first one's PID namespace ends with its last process
    assert found == ""
