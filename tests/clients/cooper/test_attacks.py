"""Attacks on engines by images and containers: each is known from another one (the CVE is named)."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from ociimage.importing import import_tar
from ociimage.store import Store

from ..host import eventually
from ..image import rootfs_tar
from .conftest import _busybox
from .program import Cooper
from .test_supervisor import supervisor_of

# Whatever process loads it leaves a file where it is told by the place of the library itself.
LIBRARY = r"""
#include <fcntl.h>
__attribute__((constructor)) static void loaded(void)
{
	open(LOADED, O_CREAT | O_WRONLY, 0666);
}
"""
NSS = ("libnss_files.so.2", "libnss_compat.so.2", "libnss_evil.so.2", "libc.so.6")


def test_libraries_of_the_container(cooper: Cooper, tmp_path: Path) -> None:
    """Neither a copy nor the name of a user makes cooper load what lies in the container. (CVE-2019-14271)"""
    loaded, evil = tmp_path / "loaded", tmp_path / "evil.so"
    command = ["cc", "-shared", "-fPIC", f'-DLOADED="{loaded}"', "-o", str(evil), "-x", "c", "-"]
    subprocess.run(command, input=LIBRARY.encode(), check=True)
    subprocess.run(["python3", "-c", f"import ctypes; ctypes.CDLL({str(evil)!r})"], check=True)
    assert loaded.exists(), "the library does nothing: the test would prove nothing"
    loaded.unlink()
    cooper.run("create", "--name", "one", "-u", "mallory", "busybox", "sleep", "1000")
    (tmp_path / "nsswitch.conf").write_text("passwd: evil files\ngroup: evil files\n")
    (tmp_path / "passwd").write_text("mallory:x:77:77::/:/bin/sh\n")
    for name in ("nsswitch.conf", "passwd"):
        cooper.run("cp", tmp_path / name, f"one:/etc/{name}")
    for directory in ("lib", "lib64", "usr/lib", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"):
        (tmp_path / "tree" / directory).mkdir(parents=True, exist_ok=True)
        for name in NSS:
            (tmp_path / "tree" / directory / name).write_bytes(evil.read_bytes())
    cooper.run("cp", f"{tmp_path}/tree/.", "one:/")
    cooper.run("start", "one")
    cooper.run("cp", "-a", tmp_path / "passwd", "one:/tmp/copy")
    cooper.run("cp", "-a", "one:/etc/passwd", tmp_path / "back")
    assert cooper.out("exec", "-u", "mallory", "one", "id", "-u") == "77"
    assert not loaded.exists()


@pytest.mark.parametrize("form", ["/../../../../../..{}", "/..{}", "/link"])
def test_a_volume_that_climbs(cooper: Cooper, tmp_path: Path, form: str) -> None:
    """What an image declares as a volume is a path in the image: nothing of the host's is copied. (CVE-2022-23648)"""
    (tmp_path / "secret").write_text("of the host")
    path = form.format(tmp_path)
    data = io.BytesIO(rootfs_tar(_busybox()))
    import_tar(Store(f"{cooper.root}/images"), data, "base", changes=['CMD ["sh"]'])
    cooper.run("create", "--name", "link", "base", "true")
    (tmp_path / "link").symlink_to(tmp_path)
    cooper.run("cp", tmp_path / "link", "link:/link")
    cooper.run("commit", "--change", f'VOLUME ["{path}"]', "link", "climbing")
    done = cooper.run(
        "run", "--rm", "climbing", "sh", "-c", f"find / -xdev -name secret; ls -A {path}", status=None
    )
    assert b"secret" not in done.stdout
    for file in (cooper.root / "volumes").rglob("secret"):
        raise AssertionError(file)


def test_output_without_end(cooper: Cooper, tmp_path: Path) -> None:
    """However much a container, a health check or a command writes, in one line or in many, the supervisor needs no
    more memory for it. (CVE-2022-31030)"""
    flood = "head -c 60000000 /dev/zero | tr '\\0' x"
    check = (
        "--health-cmd",
        f"{flood}; echo checked",
        "--health-interval",
        "100ms",
        "--health-timeout",
        "60s",
    )
    cooper.run(
        "run", "-d", "--name", "one", *check, "busybox", "sh", "-c", f"{flood}; echo; echo done; sleep 1000"
    )
    eventually(lambda: cooper.out("logs", "--tail", "1", "one") == "done", "all is written")
    eventually(lambda: cooper.inspect("one", "{{.State.Health.Status}}") == "healthy", "it was checked")
    assert len(cooper.inspect("one", "{{json .State.Health}}")) < 100_000
    status = Path(f"/proc/{supervisor_of(cooper, 'one')}/status").read_text()
    (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    assert int(peak) < 16 * 1024


def test_other_users(cooper: Cooper) -> None:
    """What containers write, log and are told is not for other users of the machine, also not a set-user-id program on
    a volume whose name is known. (CVE-2021-41091, CVE-2021-41103)"""
    script = "cp /bin/busybox /data/su; chmod 4755 /data/su; cp -p /data/su /su; echo secret"
    cooper.run("run", "--name", "one", "-e", "A=secret", "-v", "known:/data", "busybox", "sh", "-c", script)
    places = [cooper.root, *cooper.root.rglob("*")]
    assert cooper.root / "volumes/known/_data/su" in places
    # Three that everybody in the container reads.
    open_ = ("hosts", "resolv.conf", "hostname")
    files = [path for path in places if path.is_file() and not path.is_symlink() and path.name not in open_]
    program = (
        "import os, sys\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "for path in sys.stdin.read().split('\\0'):\n"
        "    if os.access(path, os.R_OK) or os.access(path, os.X_OK): print(path)\n"
    )
    given = "\0".join(map(str, files)).encode(errors="surrogateescape")
    done = subprocess.run(["python3", "-c", program], input=given, capture_output=True, check=True)
    assert done.stdout.decode() == ""


def test_variables_of_python(cooper: Cooper, tmp_path: Path) -> None:
    """The caller's settings for Python are not for cooper, nor do they come to the container."""
    evil = tmp_path / "evil"
    evil.mkdir()
    for name in (
        "sitecustomize",
        "usercustomize",
        "posix",
        "json",
        "cooper",
        "ocispec",
        "ociimage",
        "encodings",
    ):
        (evil / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    variables = {"PYTHONPATH": evil, "PYTHONHOME": evil, "PYTHONSTARTUP": evil / "json.py", "PYTHONUSERBASE": evil,
                 "PYTHONINSPECT": "1", "PYTHONBREAKPOINT": "json.x", "PYTHONPLATLIBDIR": "evil"}  # fmt: skip
    env = {name: str(value) for name, value in variables.items()}
    for words in (("run", "--rm", "busybox", "env"), ("ps", "-a"), ("info",), ("images", "--format", "json")):
        done = cooper.run(*words, env=env)
        assert b"PYTHON" not in done.stdout
    assert not (tmp_path / "ran").exists()
    assert os.listdir(evil)
