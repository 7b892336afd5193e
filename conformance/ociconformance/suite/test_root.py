"""The root file system: where it is, whether it can be written, propagation, masked and read-only paths."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ociconformance import isolation
from ociconformance.bundle import bind
from ociconformance.container import Container, eventually, fails
from ociconformance.probe import mount_at, mounts
from ociconformance.runtime import Runtime
from ociconformance.testing import case, covers

_MS_BIND, _MS_SHARED = 0x1000, 1 << 20


@pytest.mark.parametrize(
    "kind",
    [
        case("absolute", covers="config/root/path-absolute"),
        case("relative", covers="config/root/path-relative"),
        case("another name", covers="config/root/path-relative"),
        case("elsewhere", covers="config/root/path-absolute"),
    ],
)
def test_path(container: Container, place: Path, kind: str) -> None:
    """root.path is absolute, or counts from the bundle."""
    rootfs = container.rootfs
    if kind == "another name":
        rootfs = container.rootfs.rename(container.bundle / "tree")
    elif kind == "elsewhere":
        rootfs = container.rootfs.rename(place / "elsewhere")
    container.config["root"]["path"] = str(rootfs) if kind in ("absolute", "elsewhere") else rootfs.name
    (rootfs / "etc" / "name").write_text("this one")
    assert container.says("cat /etc/name") == "this one"


@covers("config/root/path-relative")
def test_path_from_elsewhere(container: Container, runtime: Runtime) -> None:
    """A relative root.path counts from the bundle, wherever the runtime is called."""
    container.script("echo hello")
    container.create(cwd="/")
    container.start().wait()
    assert container.output == "hello"


@pytest.mark.parametrize("kind", ["missing", "a file"])
@covers("config/root/exists")
def test_no_directory(container: Container, kind: str) -> None:
    """Without a directory at root.path the configuration is refused."""
    container.config["root"]["path"] = "nowhere"
    if kind == "a file":
        (container.bundle / "nowhere").write_text("")
    container.refused()


@covers("config/root/readonly")
def test_read_only(container: Container) -> None:
    """With root.readonly nothing can be written to the root file system; other mounts can."""
    container.config["root"]["readonly"] = True
    said = container.says("touch /x 2>&1 || :; touch /etc/x 2>&1 || :; touch /dev/shm/x && echo yes")
    assert said.count("Read-only file system") == 2 and said.endswith("yes")
    assert not (container.rootfs / "x").exists()


@covers("config/root/writable")
@pytest.mark.parametrize("readonly", [False, None])
def test_writable(container: Container, readonly: bool | None) -> None:
    """Without it the root file system can be written."""
    if readonly is not None:
        container.config["root"]["readonly"] = readonly
    container.says("echo hello > /x")
    assert (container.rootfs / "x").read_text() == "hello\n"


@covers("config/root/present", "config/root/path/present", "config/root/exists")
def test_only_the_root_is_there(container: Container) -> None:
    """The program sees the root file system, and nothing of the host's."""
    said = container.says(f"ls /; ls {container.bundle} 2>&1 || :")
    assert set(said.split("\n")[:-1]) == {"bin", "dev", "etc", "proc", "sys", "tmp"}
    assert "No such file" in said


@pytest.mark.parametrize(
    ("mode", "there", "not_there"),
    [
        case("shared", {"shared"}, set(), covers="linux/rootfs-propagation/shared"),
        case("private", set(), {"shared", "master", "unbindable"}, covers="linux/rootfs-propagation/private"),
        case(
            "unbindable", {"unbindable"}, {"shared", "master"}, covers="linux/rootfs-propagation/unbindable"
        ),
    ],
)
def test_propagation(container: Container, mode: str, there: set[str], not_there: set[str]) -> None:
    """The root mount has the configured propagation, as the container sees it."""
    container.linux["rootfsPropagation"] = mode
    propagation = mount_at(container, "/").propagation
    assert there <= propagation and not not_there & propagation


@covers("linux/rootfs-propagation/slave")
def test_slave(container: Container, place: Path) -> None:
    """As a slave the root gets the mounts that are made on the host, and the host none of the container's."""
    isolation.mount(str(container.rootfs), container.rootfs, flags=_MS_BIND)
    isolation.mount("none", container.rootfs, flags=_MS_SHARED)
    container.linux["rootfsPropagation"] = "slave"
    container.capabilities("CAP_SYS_ADMIN")
    container.script(
        "mount -t tmpfs inner /etc; echo ready; until [ -e /tmp/file ]; do usleep 20000; done; echo seen; exec sleep 1000"
    )
    container.create().start()
    eventually(lambda: "ready" in container.output, "the container has mounted")
    assert not any(mount.source == "inner" for mount in mounts(Path("/proc/self/mountinfo").read_text()))
    isolation.mount("outer", container.rootfs / "tmp", "tmpfs")
    (container.rootfs / "tmp" / "file").write_text("")
    eventually(lambda: "seen" in container.output, "the container sees the host's mount", seconds=8)


@covers("linux/rootfs-propagation/private")
def test_private_both_ways(container: Container) -> None:
    """As private the root gets no mount of the host's."""
    isolation.mount(str(container.rootfs), container.rootfs, flags=_MS_BIND)
    isolation.mount("none", container.rootfs, flags=_MS_SHARED)
    container.linux["rootfsPropagation"] = "private"
    container.script("until [ -e /etc/go ]; do usleep 10000; done; ls /tmp")
    container.create().start()
    isolation.mount("outer", container.rootfs / "tmp", "tmpfs")
    (container.rootfs / "tmp" / "file").write_text("")
    (container.rootfs / "etc" / "go").write_text("")
    assert container.wait() == 0
    assert container.output == ""


@covers("config/valid-values/error")
def test_unknown_propagation(container: Container) -> None:
    """A propagation that there is not is an error."""
    container.linux["rootfsPropagation"] = "sideways"
    container.refused()


@covers("linux/masked-paths")
def test_masked(container: Container) -> None:
    """A masked file is empty, a masked directory as well; a path that isn't there does no harm."""
    (container.rootfs / "etc" / "secret").write_text("secret")
    (container.rootfs / "etc" / "secrets").mkdir()
    (container.rootfs / "etc" / "secrets" / "file").write_text("secret")
    container.linux["maskedPaths"] = [
        "/etc/secret",
        "/etc/secrets",
        "/etc/missing",
        "/proc/uptime",
        "/proc/sys",
    ]
    said = container.says("cat /etc/secret /proc/uptime; ls /etc/secrets; ls /proc/sys; echo end")
    assert said == "end"


@covers("linux/masked-paths")
def test_masked_can_not_be_written(container: Container) -> None:
    """What is written to a masked path does not come to what it masks."""
    (container.rootfs / "etc" / "secret").write_text("secret")
    (container.rootfs / "etc" / "secrets").mkdir()
    container.linux["maskedPaths"] = ["/etc/secret", "/etc/secrets"]
    container.says("echo changed > /etc/secret 2>/dev/null || :; touch /etc/secrets/new 2>/dev/null || :")
    assert (container.rootfs / "etc" / "secret").read_text() == "secret"
    assert not list((container.rootfs / "etc" / "secrets").iterdir())


@covers("linux/readonly-paths")
def test_read_only_paths(container: Container) -> None:
    """A read-only path can be read and not written; a path that isn't there does no harm."""
    (container.rootfs / "etc" / "file").write_text("content")
    (container.rootfs / "etc" / "directory").mkdir()
    container.linux["readonlyPaths"] = ["/etc/file", "/etc/directory", "/etc/missing", "/proc/sys"]
    said = container.says(
        "cat /etc/file; echo; for each in /etc/file /etc/directory/new /proc/sys/kernel/domainname; do"
        " { echo x > $each; } 2>&1 | grep -o 'Read-only file system'; done; echo x > /etc/other && echo written"
    )
    assert said.split("\n") == ["content", *["Read-only file system"] * 3, "written"]


@pytest.mark.parametrize(
    "property",
    [
        case("maskedPaths", covers="linux/masked-paths/absolute"),
        case("readonlyPaths", covers="linux/readonly-paths/absolute"),
    ],
)
def test_relative_paths(container: Container, property: str) -> None:
    """A relative path is refused."""
    container.linux[property] = ["etc"]
    container.refused()


@covers("config/mounts/source/bind")
def test_the_host_is_left_alone(container: Container, place: Path) -> None:
    """A symbolic link in the root file system does not lead a mount to the host."""
    (place / "target").mkdir()
    os.symlink(place / "target", container.rootfs / "etc" / "link")
    (place / "source").mkdir()
    (place / "source" / "file").write_text("")
    container.mount(bind(place / "source", "/etc/link"))
    container.script("true")
    outcome = container.try_create()
    if outcome.status == 0:
        assert not list((place / "target").iterdir())
    else:
        fails(outcome)
