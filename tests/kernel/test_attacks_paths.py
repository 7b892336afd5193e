"""Attacks by the root file system: links, and names that change while the container is made.

Each is known from another runtime (the CVE is named). Whether a test could fail at all is shown in it: the swapper
proves that it swaps, and what is expected inside the root proves that the dangerous path was taken.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .attacks import Canary, forget_programs, swapping
from .bundle import without
from .console import console_socket
from .driver import Container
from .test_user_namespaces import with_user_namespace

ROUNDS = 15


@pytest.fixture(scope="module", autouse=True)
def programs() -> Iterator[None]:
    """The attackers' programs are gone in the end."""
    yield
    forget_programs()


@pytest.fixture
def canary(directory: Path) -> Iterator[Canary]:
    """A directory on the host that is as it was in the end."""
    canary = Canary(directory / "canary")
    yield canary
    canary.assert_alive()


def link_forms(canary: Canary) -> list[str]:
    """Links that lead to the canary for whoever follows them on the host."""
    return [str(canary.path), f"../../../../../../../..{canary.path}"]


def replace(path: Path, target: str) -> None:
    """The path is a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("form", [0, 1, 2])
def test_proc_or_sys_is_a_link(container: Container, canary: Canary, name: str, form: int) -> None:
    """A file system that the runtime relies on is not mounted through a link.
    (CVE-2019-19921, CVE-2023-27561, CVE-2023-28642)"""
    replace(container.rootfs / name, [*link_forms(canary), "/tmp"][form])
    assert f'"/{name}"' in (line := container.fails()) and "Too many levels of symbolic links" in line


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_proc_or_sys_is_swapped(container: Container, canary: Canary, name: str) -> None:
    """Nor if it is one only every other moment: either all is as it should be, or create fails. (CVE-2023-27561)"""
    real, link = container.rootfs / name, container.rootfs / "tmp/link"
    link.symlink_to(canary.path)
    container.linux["maskedPaths"] = ["/proc/version"]
    container.linux["readonlyPaths"] = ["/proc/sys"]
    outcomes = set()
    with swapping(real, link):
        for _ in range(ROUNDS):
            outcomes.add(container.create(status=None).status)
            container.delete("--force")
    assert outcomes <= {0, 1}


def test_mount_target_is_swapped(container: Container, canary: Canary) -> None:
    """What is mounted lands in the root, whatever its target turns into meanwhile; directories are made there, too.
    (CVE-2021-30465, CVE-2024-45310)"""
    volume = container.rootfs / "volume"
    (volume / "real/sub").mkdir(parents=True)
    (volume / "link").symlink_to(canary.path)
    container.mount("/volume/real", type="tmpfs")
    container.mount("/volume/real/sub", type="tmpfs")
    container.mount("/volume/real/new/deep", "bind", source=container.bundle)
    container.mount("/volume/link/sub/file", "bind", source=container.bundle / "config.json")
    with swapping(volume / "real", volume / "link"):
        for _ in range(ROUNDS):
            container.create(status=None)
            container.delete("--force")


def test_shared_volume_is_swapped(container: Container, canary: Canary, directory: Path) -> None:
    """The same where the volume is a bind from the host, as two containers would share it. (CVE-2021-30465)"""
    volume = directory / "volume"
    (volume / "real").mkdir(parents=True)
    (volume / "link").symlink_to("/")
    container.mount("/volume", "rbind", source=volume)
    container.mount("/volume/real/tmp", type="tmpfs")
    container.mount("/volume/real/dev", "bind", source=canary.path)
    container.linux["maskedPaths"] = ["/volume/real/bin"]
    container.linux["readonlyPaths"] = ["/volume/real/etc"]
    container.linux["devices"] = [{"path": "/volume/real/root/null", "type": "c", "major": 1, "minor": 3}]
    container.process["cwd"] = "/volume/real/made-by-stave"
    with swapping(volume / "real", volume / "link"):
        for _ in range(ROUNDS):
            container.create(status=None)
            container.delete("--force")
    assert not os.path.exists("/made-by-stave") and not os.path.exists("/root/null")


@pytest.mark.parametrize("target", ["null", "/proc/sys/kernel/core_pattern"])
def test_fake_null(container: Container, canary: Canary, target: str) -> None:
    """Masks are the host's null device, whatever the image has for one. (CVE-2025-31133, CVE-2026-88265)"""
    container.config["mounts"] = [
        each for each in container.config["mounts"] if not each["destination"].startswith("/dev")
    ]
    replace(container.rootfs / "dev/null", str(canary.path / target))
    container.linux["maskedPaths"] = ["/proc/version"]
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    # The link is also a wrong node where /dev/null has to be.
    assert container.fails().endswith("/dev/null: File exists")
    os.unlink(container.rootfs / "dev/null")
    assert (
        container.says(
            "cat /proc/version; stat -c %t:%T /proc/version; echo x > /proc/version; cat /proc/version"
        )
        == "1:3"
    )
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize("mapped", [False, True])
def test_dev_is_a_link(container: Container, canary: Canary, form: int, mapped: bool) -> None:
    """Devices and links are made in the root, where /dev leads there. (CVE-2026-41579, CVE-2026-47766)"""
    if mapped:
        with_user_namespace(container)
    container.config["mounts"] = [
        each for each in container.config["mounts"] if not each["destination"].startswith("/dev")
    ]
    replace(container.rootfs / "dev", link_forms(canary)[form])
    inside = container.rootfs / str(canary.path).lstrip("/")
    assert not inside.exists()
    container.create(status=None)
    container.delete("--force")
    if not mapped:
        assert {"null", "fd", "ptmx"} <= set(os.listdir(inside)), "the link was not followed inside the root"


@pytest.mark.parametrize("name", ["console", "pts"])
def test_console_is_a_link(container: Container, canary: Canary, directory: Path, name: str) -> None:
    """The terminal is that of the container's devpts, mounted in the root, and at no link. (CVE-2025-52565,
    CVE-2026-88264)"""
    container.config["mounts"] = [
        each for each in container.config["mounts"] if each["destination"] != "/dev"
    ]
    target = canary.path / "console" if name == "console" else canary.path / "sub"
    replace(container.rootfs / "dev" / name, str(target))
    container.process["terminal"] = True
    container.script("echo hello > /dev/tty; sleep 1000")
    with console_socket(directory) as console:
        outcome = container.create("--console-socket", console.path, status=None)
        assert outcome.status == (1 if name == "console" else 0)
        if outcome.status == 0:
            container.start()
            assert console.receive().read_until("hello\n")
        container.delete("--force")


def test_fake_pseudo_terminals(container: Container, canary: Canary, directory: Path) -> None:
    """Files of the image's in /dev/pts are not taken for terminals."""
    container.config["mounts"] = [
        each for each in container.config["mounts"] if not each["destination"].startswith("/dev")
    ]
    (container.rootfs / "dev/pts").mkdir()
    (container.rootfs / "dev/pts/ptmx").write_text("")
    container.process["terminal"] = True
    with console_socket(directory) as console:
        line = container.fails("--console-socket", console.path)
    assert "a terminal needs a devpts file system" in line and line.endswith("No such device")


@pytest.mark.parametrize("property", ["maskedPaths", "readonlyPaths"])
def test_masked_path_is_a_link(container: Container, canary: Canary, property: str) -> None:
    """A mask on a link covers what the link means inside the root."""
    inside = container.rootfs / str(canary.path).lstrip("/")
    inside.mkdir(parents=True)
    (inside / "file").write_text("inside\n")
    (container.rootfs / "secret").symlink_to(canary.path / "file")
    container.linux[property] = ["/secret"]
    said = container.says(
        f"cat {canary.path}/file; (echo x > {canary.path}/file) 2>/dev/null || echo refused"
    )
    assert said == ("" if property == "maskedPaths" else "inside\nrefused")


def test_working_directory_is_a_link(container: Container, canary: Canary) -> None:
    """A missing working directory is made in the root. (CVE-2026-55686 in podman)"""
    (container.rootfs / "work").symlink_to(canary.path)
    container.process["cwd"] = "/work/new/deep"
    assert container.says("pwd -P") == f"{canary.path}/new/deep"
    assert (container.rootfs / str(canary.path).lstrip("/") / "new/deep").is_dir()


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
@pytest.mark.parametrize(
    "destination", ["/proc", "/proc/sys/kernel", "/proc/self/attr", "/proc/1/", "/./proc/../proc/sys"]
)
def test_fake_proc(container: Container, directory: Path, kind: str, destination: str) -> None:
    """Nothing may take the place of the files in /proc that the runtime or the container trust. (CVE-2019-16884,
    CVE-2025-52881)"""
    container.mount(destination, *["bind"][: kind == "bind"], type=kind, source=directory)
    assert "mounts[4].destination" in container.fails()


def test_mount_onto_proc_through_a_link(container: Container, directory: Path) -> None:
    """Neither by way of a link in the image."""
    (container.rootfs / "innocent").symlink_to("/proc/sys")
    container.mount("/innocent/kernel", "bind", source=directory)
    assert container.fails() == 'mounts[4] "/innocent/kernel": bind: open target: Operation not permitted'


def test_sysctl_with_a_fake_proc(container: Container) -> None:
    """A kernel parameter is written to the kernel, not to a file that looks like it. (CVE-2025-52881)"""
    container.config["mounts"] = [each for each in container.config["mounts"] if each["type"] != "proc"]
    fake = container.rootfs / "proc/sys/kernel/domainname"
    fake.parent.mkdir(parents=True)
    fake.write_text("fake\n")
    container.linux["sysctl"] = {"kernel.domainname": "real"}
    assert (
        container.says("cat /proc/sys/kernel/domainname; uname -a | grep -c real || true").split()[0]
        == "fake"
    )
    container.config["mounts"].append({"destination": "/real", "type": "proc", "source": "proc"})
    assert container.says("cat /real/sys/kernel/domainname") == "real"


@pytest.mark.parametrize("mapped", [False, True])
def test_release_agent(container: Container, mapped: bool) -> None:
    """No file through which cgroup v1 would run a program on the host can be written. (CVE-2022-0492)"""
    if mapped:
        with_user_namespace(container)
        container.process["capabilities"] = dict.fromkeys(
            ("bounding", "effective", "permitted"), ["CAP_SYS_ADMIN"]
        )
    container.mount("/sys/fs/cgroup", "rw", type="cgroup")
    said = container.says(
        "for at in $(find /sys/fs/cgroup -name release_agent); do (echo /evil > $at) 2>/dev/null && echo $at; done;"
        " mkdir /tmp/new; mount -t cgroup -o memory none /tmp/new 2>/dev/null"
        " && (echo /evil > /tmp/new/release_agent) 2>/dev/null && echo new; true"
    )
    assert said == ""


def test_cgroups_of_the_host_in_a_user_namespace(container: Container) -> None:
    """Without a cgroup namespace the host's tree is read-only for root in a user namespace. (CVE-2023-25809)"""
    with_user_namespace(container)
    container.linux["namespaces"] = without(container.linux["namespaces"], "cgroup")
    container.mount("/sys/fs/cgroup", "rw", type="cgroup")
    said = container.says(
        "for at in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir $at/evil 2>/dev/null && echo $at; done;"
        " for at in $(find /sys/fs/cgroup -name cgroup.procs -o -name tasks); do (echo 0 > $at) 2>/dev/null && echo $at;"
        " done; true"
    )
    assert said == ""


@pytest.mark.parametrize("path", ["../../evil", "/../evil", "a/../../evil", "/a\nb", "/a/./../.."])
def test_cgroups_path(container: Container, path: str, host_unchanged: Callable[[], None]) -> None:
    """A cgroup path leads nowhere outside of the hierarchy, and never up."""
    container.linux["cgroupsPath"] = path
    outcome = container.create(status=None)
    container.delete("--force")
    assert outcome.status == 1, "it was taken as it is"
