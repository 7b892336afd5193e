"""Containers with a user namespace: mappings, and what its root may reach. Spec: config-linux.md#user-namespaces"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .bundle import namespaces
from .conftest import MakeContainer
from .driver import Container
from .host import V2, mounted

HOST_ID = 100_000


def with_user_namespace(container: Container, host_id: int = HOST_ID) -> None:
    """The container has a user namespace of its own, whose ids are the host's from `host_id` on."""
    container.linux["namespaces"] = [*container.linux["namespaces"], *namespaces("user")]
    mapping = [{"containerID": 0, "hostID": host_id, "size": 65536}]
    container.linux["uidMappings"] = container.linux["gidMappings"] = mapping
    for path, directories, files in os.walk(container.rootfs):
        for name in (".", *directories, *files):
            if name != "busybox":
                os.chown(f"{path}/{name}", host_id, host_id, follow_symlinks=False)


def test_source_closed_to_the_containers_root(container: Container, directory: Path) -> None:
    """A bind's source is found with the runtime's rights: another user's private directory is no obstacle."""
    with_user_namespace(container)
    private = directory / "private"
    (private / "deep").mkdir(parents=True)
    (private / "deep/file").write_text("seen\n")
    os.chown(private, 4242, 4242)
    private.chmod(0o700)
    container.mount("/one", "bind", source=private / "deep")
    container.mount("/two", "rbind", "ro", source=private / "deep/file")
    assert container.says("cat /one/file /two; touch /two 2>&1 || true") == (
        "seen\nseen\ntouch: /two: Read-only file system"
    )


def test_missing_source(container: Container) -> None:
    """A source that is not there is named with the mount that wants it."""
    with_user_namespace(container)
    container.mount("/data", "bind", source="/no/such/source")
    assert container.fails() == (
        'mounts[4] "/data": bind: open source /no/such/source: No such file or directory'
    )


def test_host_flags_are_locked(container: Container, directory: Path) -> None:
    """Root in the container cannot take back what the host has denied the mount that it sees."""
    with_user_namespace(container)
    container.process["capabilities"] = dict.fromkeys(
        ("bounding", "effective", "permitted"), ["CAP_SYS_ADMIN"]
    )
    (directory / "free").mkdir()
    (directory / "locked").mkdir()
    with mounted(directory / "locked", "-t", "tmpfs", "-o", "ro,noexec,nosuid,nodev", "none"):
        container.mount("/free", "bind", "ro", source=directory / "free")
        container.mount("/locked", "bind", source=directory / "locked")
        # The first shows that the way is open: what the configuration alone has denied can be had back.
        said = container.says(
            "for at in free locked; do mount -o remount,bind,rw /$at 2>/dev/null && echo $at; done; true"
        )
    assert said == "free"


def test_many_sources(make_container: MakeContainer, directory: Path) -> None:
    """There may be more binds than the socket to the container holds messages."""
    container = make_container()
    with_user_namespace(container)
    (directory / "file").write_text("x")
    for number in range(400):
        container.mount(f"/m/{number}", "bind", source=directory / "file")
    assert container.says("cat /m/* | wc -c") == "400"


@pytest.mark.skipif(not V2, reason="cgroup v1 cannot be delegated safely")
def test_delegated_group(container: Container) -> None:
    """Root of the container makes groups below its own where it sees them writable, but does not lift its limits."""
    with_user_namespace(container)
    container.linux["resources"] = {"pids": {"limit": 50}}
    container.mount("/sys/fs/cgroup", "nosuid", "noexec", "nodev", source="cgroup", type="cgroup")
    script = "mkdir below && echo 0 >below/cgroup.procs && cat /proc/self/cgroup; echo 99 >pids.max || echo refused"
    container.process["cwd"] = "/sys/fs/cgroup"
    assert container.says(f"{script} 2>/dev/null").split() == ["0::/below", "refused"]


@pytest.mark.parametrize("mapped", [False, True])
def test_groups_of_the_caller(container: Container, mapped: bool) -> None:
    """With the annotation a group of the caller's opens what it may open, also where it has no number; for exec, too."""
    if mapped:
        with_user_namespace(container)
    secret = container.rootfs / "secret"
    secret.write_text("seen")
    secret.chmod(0o040)
    os.chown(secret, -1, 4711)
    container.process["user"] = {"uid": 1000, "gid": 1000}
    for annotation, seen in (("0", ""), ("1", "seen")):
        container.config["annotations"] = {"run.oci.keep_original_groups": annotation}
        container.script("cat /secret || :")
        assert container.run(extra_groups=[4711]).output == seen
    container.script("cat /secret; exec sleep 1000")
    container.run("--detach", extra_groups=[4711])
    container.eventually_says("seen")
    assert container.exec("cat", "/secret", extra_groups=[4711]).output == "seen"
    assert container.exec("cat", "/secret", status=1).output == ""
    container.kill("KILL")
