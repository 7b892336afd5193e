"""What only podman asks of a runtime, and buildah's runs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .engines import Engine, scratch
from .host import status_field


@pytest.fixture
def podman(podman_engine: Engine) -> Iterator[Engine]:
    """podman, without containers before and after."""
    yield podman_engine
    podman_engine.remove_all()


def test_user_namespace(podman: Engine) -> None:
    """With id maps the container's root is the host's user 100000, also in `exec`."""
    container = podman.start("--uidmap=0:100000:5000", "--gidmap=0:200000:5000", "sleep", "1000")
    pid = podman.pid(container)
    assert status_field(pid, "Uid").split()[0] == "100000"
    assert status_field(pid, "Gid").split()[0] == "200000"
    assert podman.ok("exec", container, "id", "-u") == "0"


def test_preserved_descriptors(podman: Engine, tmp_path: Path) -> None:
    """With --preserve-fds a program has the caller's descriptors from 3 on."""
    container = podman.start("sleep", "1000")
    file = tmp_path / "file"
    program = ["exec", "--preserve-fds=1", container, "sh", "-c", "echo through >&3"]
    done = podman.from_shell(f'exec "$@" 3>"{file}"', *program)
    assert done.returncode == 0, done.stderr
    assert file.read_text() == "through\n"


def test_own_seccomp_profile(podman: Engine, tmp_path: Path) -> None:
    """A profile given by the user is in force."""
    profile = tmp_path / "profile.json"
    profile.write_text(
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": '
        '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}'
    )
    done = podman.run(f"--security-opt=seccomp={profile}", "mkdir", "/tmp/new")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr


def test_mount_options(podman: Engine) -> None:
    """A tmpfs has the size and the flags asked for."""
    mount = "--mount=type=tmpfs,destination=/small,tmpfs-size=1m,noexec"
    done = podman.run(mount, "grep", "/small", "/proc/mounts")
    assert "noexec" in done.stdout and "size=1024k" in done.stdout


def test_buildah_run(runtime: Path, archive: Path) -> None:
    """buildah runs a build step in a container of the runtime."""
    executable = shutil.which("buildah")
    if executable is None:
        pytest.skip("buildah is not installed")
    with scratch("buildah") as directory:
        storage = [f"--root={directory}/storage", f"--runroot={directory}/run", "--storage-driver=vfs"]
        limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]

        def ok(*arguments: str) -> str:
            command = [executable, *storage, *arguments]
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        container = ok("from", *limits, f"docker-archive:{archive}")
        run = ["run", f"--runtime={runtime}", "--isolation=oci", "--network=none", container]
        ok(*run, "sh", "-c", "echo built >/built")
        assert ok(*run, "cat", "/built") == "built"
        ok("rm", container)
