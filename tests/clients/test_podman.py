"""What only podman asks of a runtime, and buildah's runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .engines import GROUP, Engine, scratch
from .host import UNIFIED, eventually, status_field
from .image import IMAGE


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


def test_user_namespace_of_another_container(podman: Engine) -> None:
    """With --userns=container: a container has the user namespace of that one."""
    first = podman.start("--uidmap=0:100000:5000", "--gidmap=0:100000:5000", "sleep", "1000")
    second = podman.start(f"--userns=container:{first}", "sleep", "1000")
    of_first, of_second, own = (
        os.readlink(f"/proc/{pid}/ns/user") for pid in (podman.pid(first), podman.pid(second), os.getpid())
    )
    assert of_first == of_second != own


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
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=180)
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        container = ok("from", *limits, f"docker-archive:{archive}")
        run = ["run", f"--runtime={runtime}", "--isolation=oci", "--network=none", container]
        ok(*run, "sh", "-c", "echo built >/built")
        assert ok(*run, "cat", "/built") == "built"
        ok("rm", container)


def test_statistics(podman: Engine) -> None:
    """Memory and processes of a running container are shown."""
    container = podman.start("--memory=64m", "sleep", "1000")
    (shown,) = json.loads(podman.ok("stats", "--no-stream", "--format=json", container))
    assert shown["pids"] == "1"
    assert shown["mem_usage"].endswith("/ 67.11MB")


def test_copy(podman: Engine, tmp_path: Path) -> None:
    """Files are copied into a running container and out of it."""
    container = podman.start("sleep", "1000")
    (tmp_path / "in").write_text("through\n")
    podman.ok("cp", str(tmp_path / "in"), f"{container}:/tmp/in")
    assert podman.ok("exec", container, "cat", "/tmp/in") == "through"
    podman.ok("cp", f"{container}:/tmp/in", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "through\n"


def test_named_volume(podman: Engine) -> None:
    """What one container writes into a volume, the next one finds there."""
    podman.ok("volume", "create", "data")
    assert podman.run("--volume=data:/data", "sh", "-c", "echo kept >/data/file").returncode == 0
    assert podman.run("--volume=data:/data:ro", "cat", "/data/file").stdout == "kept\n"
    podman.ok("volume", "rm", "data")


def test_logs_are_followed(podman: Engine) -> None:
    """`logs --follow` ends when the container does, with everything that it wrote."""
    container = podman.start("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done")
    assert podman.ok("logs", "--follow", container).split() == ["1", "2", "3"]


def test_read_only_and_no_systemd(podman: Engine) -> None:
    """With --read-only only the usual temporary directories take files; systemd's mounts are not made."""
    done = podman.run(
        "--read-only", "--systemd=false", "sh", "-c", "touch /tmp/x && ! touch /x 2>/dev/null && mount"
    )
    assert done.returncode == 0
    assert "/run/lock" not in done.stdout


def test_build(podman: Engine, tmp_path: Path) -> None:
    """The steps of a Containerfile run in containers of the runtime."""
    (tmp_path / "Containerfile").write_text(f'FROM {IMAGE}\nRUN echo built >/built\nCMD ["cat", "/built"]\n')
    limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]
    podman.ok("build", "--isolation=oci", "--network=none", *limits, "--tag=localhost/built", str(tmp_path))
    assert podman.ok("run", "--rm", f"--cgroup-parent=/{GROUP}", "localhost/built") == "built"
    podman.ok("rmi", "localhost/built")


POD = f"""
apiVersion: v1
kind: Pod
metadata:
  name: pair
spec:
  hostNetwork: true
  containers:
    - name: writer
      image: {IMAGE}
      command: ["sh", "-c", "echo shared >/data/file; sleep 1000"]
      volumeMounts: [{{name: data, mountPath: /data}}]
    - name: reader
      image: {IMAGE}
      command: ["sh", "-c", "until cat /data/file 2>/dev/null; do sleep 0.1; done; sleep 1000"]
      volumeMounts: [{{name: data, mountPath: /data}}]
  volumes:
    - name: data
      hostPath: {{path: DIRECTORY}}
"""


def cgroup_manager() -> str:
    """What manages a pod's control group.

    Debian's podman, where it makes that group on cgroup v2 itself, forbids every device in it, /dev/null too.
    """
    if not UNIFIED:
        return "cgroupfs"
    if Path("/run/systemd/system").exists():
        return "systemd"
    pytest.skip("podman's pods on cgroup v2 need systemd, whatever the runtime")


def test_play_kube(podman: Engine, tmp_path: Path) -> None:
    """A pod of two containers from a Kubernetes description runs, and is taken down again."""
    play = [f"--cgroup-manager={cgroup_manager()}", "play", "kube"]
    directory = tmp_path / "data"
    directory.mkdir()
    file = tmp_path / "pod.yaml"
    file.write_text(POD.replace("DIRECTORY", str(directory)))
    try:
        podman.ok(*play, "--log-level=error", str(file))
        eventually(
            lambda: podman.ok("logs", "pair-reader") == "shared", "one container reads what the other wrote"
        )
    finally:
        podman.ok(*play, "--down", str(file))
    assert podman.ok("ps", "--all", "--quiet") == ""


def test_tmpfs_in_a_user_namespace(podman: Engine) -> None:
    """A tmpfs belongs to the container's root, whoever that is on the host."""
    flags = ["--uidmap=0:100000:5000", "--gidmap=0:100000:5000", "--tmpfs=/scratch"]
    done = podman.run(*flags, "sh", "-c", "touch /scratch/file && stat -c %u /scratch/file")
    assert done.stdout == "0\n", done.stderr


def test_umoci_bundle(runtime: Path, archive: Path, tmp_path: Path) -> None:
    """A bundle that umoci has unpacked from an OCI image runs as it is, but for the terminal."""
    programs = {name: shutil.which(name) for name in ("umoci", "skopeo")}
    if missing := [name for name, path in programs.items() if path is None]:
        pytest.skip(f"{missing[0]} is not installed")

    def ok(*arguments: str | Path) -> str:
        done = subprocess.run(
            [*map(str, arguments)], check=False, capture_output=True, text=True, timeout=180
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    image, bundle = tmp_path / "image", tmp_path / "bundle"
    ok("skopeo", "--insecure-policy", "copy", f"docker-archive:{archive}", f"oci:{image}:latest")
    ok("umoci", "unpack", "--image", f"{image}:latest", bundle)
    config = json.loads((bundle / "config.json").read_text())
    config["process"] |= {"terminal": False, "args": ["sh", "-c", "echo from $(hostname)"]}
    config["linux"]["cgroupsPath"] = f"/{GROUP}/umoci"
    (bundle / "config.json").write_text(json.dumps(config))
    root = tmp_path / "state"
    assert ok(runtime, "--root", root, "run", "--bundle", bundle, "umoci") == "from umoci-default"
