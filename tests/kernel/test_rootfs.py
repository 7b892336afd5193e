"""The root file system: where it lies, read-only, propagation, masked and read-only paths. Spec: config.md#root"""

from __future__ import annotations

from pathlib import Path

import pytest

from .bundle import without
from .driver import Container
from .host import mounted


@pytest.mark.parametrize(
    "path", ["rootfs", "./rootfs/", "../{name}/rootfs", "{bundle}/rootfs", "{bundle}/link"]
)
def test_path(container: Container, path: str) -> None:
    """The root's path is absolute or counts from the bundle; it may be a link."""
    (container.bundle / "link").symlink_to("rootfs")
    (container.rootfs / "marker").touch()
    container.config["root"]["path"] = path.format(name=container.bundle.name, bundle=container.bundle)
    assert "marker" in container.says("ls /").split()


@pytest.mark.parametrize(("path", "cause"), [("nosuch", "No such file"), ("config.json", "Not a directory")])
def test_no_root(container: Container, path: str, cause: str) -> None:
    """A root that is no directory is named."""
    container.config["root"]["path"] = path
    assert container.fails().startswith(f"root.path: open {container.bundle}/{path}: {cause}")


@pytest.mark.parametrize("readonly", [True, False])
def test_readonly(container: Container, readonly: bool) -> None:
    """A read-only root cannot be written to; what is mounted on it can."""
    container.config["root"]["readonly"] = readonly
    container.mount("/tmp", type="tmpfs")
    said = container.says("touch /file 2>&1 || true; touch /tmp/file /dev/shm-file; ls /tmp")
    assert said == ("touch: /file: Read-only file system\nfile" if readonly else "file")
    assert (container.rootfs / "file").exists() != readonly


def test_the_host_stays_writable(container: Container) -> None:
    """A read-only root is so for the container, not for the directory it lies in."""
    container.config["root"]["readonly"] = True
    container.launch()
    (container.rootfs / "new").touch()
    assert container.exec_says("ls", "/new") == "/new"


def root_mount(container: Container) -> list[str]:
    """The optional fields (propagation) of the container's root in mountinfo, without numbers."""
    lines = [line.split() for line in container.says("cat /proc/self/mountinfo").splitlines()]
    (fields,) = [line for line in lines if line[4] == "/"]
    return [field.split(":")[0] for field in fields[6 : fields.index("-")]]


@pytest.mark.parametrize(
    ("word", "fields"),
    [
        ("shared", {"shared"}),
        ("rshared", {"shared"}),
        ("slave", {"master"}),
        ("rslave", {"master"}),
        ("private", set()),
        ("rprivate", set()),
        ("unbindable", {"unbindable"}),
        ("runbindable", {"unbindable"}),
        (None, set()),
    ],
)
def test_propagation(container: Container, word: str | None, fields: set[str]) -> None:
    """The root has the propagation asked for; without a word, mounts of the host come in and none goes out."""
    if word:
        container.linux["rootfsPropagation"] = word
    assert set(root_mount(container)) - ({"master"} if "shared" in fields else set()) == fields


def test_mounts_stay_inside(container: Container) -> None:
    """Without a shared root no mount of the container reaches the host (the fixture compares mountinfo)."""
    container.process["capabilities"] = {
        kind: ["CAP_SYS_ADMIN"] for kind in ("bounding", "effective", "permitted")
    }
    assert container.says("mount -t tmpfs none /tmp && grep -c ' /tmp ' /proc/mounts") == "1"


def test_mounts_of_the_host_come_in(container: Container, directory: Path) -> None:
    """Through an rslave bind the container sees what the host mounts later."""
    with mounted(directory, "-t", "tmpfs", "none"):
        (directory / "sub").mkdir()
        container.mount("/data", "rbind", "rslave", source=directory)
        container.launch()
        with mounted(directory / "sub", "-t", "tmpfs", "none"):
            (directory / "sub/late").touch()
            assert container.exec_says("ls", "/data/sub") == "late"
        container.delete("--force")


def test_mounts_go_out(container: Container, directory: Path) -> None:
    """Through an rshared bind with a shared root the host sees what the container mounts."""
    container.linux["rootfsPropagation"] = "shared"
    container.process["capabilities"] = {
        kind: ["CAP_SYS_ADMIN"] for kind in ("bounding", "effective", "permitted")
    }
    with mounted(directory, "-t", "tmpfs", "none"):
        (directory / "sub").mkdir()
        container.mount("/data", "rbind", "rshared", source=directory)
        container.script("mount -t tmpfs none /data/sub && touch /data/sub/inside; sleep 1000")
        container.run("--detach")
        from .host import eventually

        eventually(lambda: (directory / "sub/inside").exists(), "the host sees the mount")
        container.delete("--force")


def test_masked(container: Container) -> None:
    """A masked file is empty, a masked directory is empty and read-only; what is missing needs no mask."""
    (container.rootfs / "secret").write_text("secret")
    (container.rootfs / "dir/sub").mkdir(parents=True)
    (container.rootfs / "dir/file").write_text("secret")
    (container.rootfs / "link").symlink_to("secret2")
    (container.rootfs / "secret2").write_text("secret")
    container.linux["maskedPaths"] = [
        "/secret",
        "/dir",
        "/dir/file",
        "/dir/sub",
        "/nosuch",
        "/link",
        "/proc/version",
    ]
    said = container.says(
        "cat /secret /secret2 /proc/version; ls -A /dir; touch /dir/new 2>&1 || true; stat -c %t:%T /secret"
    )
    assert said == "touch: /dir/new: Read-only file system\n1:3"


def test_masked_stays_masked(container: Container) -> None:
    """Root in the container without CAP_SYS_ADMIN cannot take a mask away."""
    container.linux["maskedPaths"] = ["/proc/version"]
    assert (
        container.says("umount /proc/version 2>/dev/null && echo gone; stat -c %t:%T /proc/version") == "1:3"
    )


def test_readonly_paths(container: Container) -> None:
    """Read-only paths can be read and not written to, with what is mounted below them."""
    (container.rootfs / "dir").mkdir()
    (container.rootfs / "dir/file").write_text("old")
    (container.rootfs / "file").write_text("old")
    container.mount("/dir/sub", type="tmpfs")
    container.linux["readonlyPaths"] = ["/dir", "/dir/file", "/file", "/nosuch", "/proc/sys"]
    said = container.says(
        "for at in /dir/new /dir/file /dir/sub/new /file /proc/sys/kernel/domainname; do"
        " (echo x > $at) 2>&1 || true; done; cat /dir/file /file"
    )
    lines = said.splitlines()
    assert all("Read-only file system" in line for line in lines[:5])
    assert lines[5:] == ["oldold"]


@pytest.mark.parametrize("property", ["maskedPaths", "readonlyPaths"])
def test_paths_without_a_mount_namespace(container: Container, property: str) -> None:
    """Paths of the host are neither masked nor made read-only."""
    container.linux["namespaces"] = without(container.linux["namespaces"], "mount")
    container.config["mounts"] = []
    container.linux[property] = ["/proc/version"]
    assert f"/linux/{property}" in container.fails()
