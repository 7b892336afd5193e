"""The supplied unit under systemd: what is to run always is there again after the machine has gone down, however it did."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import cooper as package

from ..host import alive, cgroups_below, eventually
from .program import PROGRAM, Cooper, processes

pytestmark = pytest.mark.skipif(
    not Path("/run/systemd/system").is_dir(), reason="systemd does not run this machine"
)
UNIT = Path("/run/systemd/system/cooper-test.service")


def systemctl(*words: str) -> str:
    """What systemctl answers."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def unit(shared: Cooper) -> Iterator[str]:
    """The name of the unit, for the tests' own root; it is not active afterwards."""
    text = (Path(package.__path__[0]) / "cooper.service").read_text()
    own = f"{PROGRAM} --root {shared.root} --runtime {shared.runtime} system"
    assert text.count("cooper system ") == 2
    UNIT.write_text(text.replace("cooper system ", f"{own} "))
    systemctl("daemon-reload")
    try:
        yield UNIT.name
    finally:
        systemctl("stop", UNIT.name)
        UNIT.unlink()
        systemctl("daemon-reload")


def power_off(cooper: Cooper, *names: str) -> None:
    """What is left of these containers is what the next boot finds: files on disk, and no process, mount, group or /run."""
    form = "{{.Id}} {{.State.Pid}} {{.HostConfig.CgroupPath}}"
    described = [line.split() for line in cooper.out("inspect", "--format", form, *names).splitlines()]
    identities = [words[0] for words in described]
    pids = [
        pid for pid, words in processes() if "cooper-supervisor" in words and words.split()[1] in identities
    ]
    pids += [int(words[1]) for words in described]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(alive(pid) for pid in pids), "all have ended")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if (point := line.split()[4]).startswith(f"{cooper.root}/"):
            subprocess.run(["umount", "-l", point], check=True)
    for path in [path for words in described for path in cgroups_below(words[2].strip("/"))]:
        path.rmdir()
    shutil.rmtree(cooper.root / "run")


def test_reboot(shared: Cooper, unit: str, tmp_path: Path) -> None:
    """The unit starts what is to run, though one container cannot, and stops it in good order."""
    (tmp_path / "gone").mkdir()
    flags = ("--network", "none", "--restart", "always", "--init")
    bind = ("--mount", f"type=bind,source={tmp_path}/gone,target=/data")
    shared.run("run", "-d", "--name", "one", *flags, "busybox", "sleep", "1000")
    shared.run("run", "-d", "--name", "two", *flags, *bind, "busybox", "sleep", "1000")
    power_off(shared, "one", "two")
    (tmp_path / "gone").rmdir()
    systemctl("start", unit)
    assert systemctl("is-active", unit) == "active"
    form = ("--format", "{{.Names}} {{.State}} {{.ExitCode}}")
    assert shared.out("ps", "-a", *form).splitlines() == ["two exited 255", "one running 0"]
    systemctl("stop", unit)
    assert shared.out("ps", "-a", *form).splitlines() == ["two exited 255", "one exited 143"]
    shared.run("rm", "--all")
