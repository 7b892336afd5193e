"""Network drivers of other packages: the one in docs/network-drivers.md is installed, and does what the page says."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from cooper.networks.namespaces import Inside

from .cooper import PROGRAM, Cooper
from .world import BEYOND, HOST, World, batch

PAGE = Path(__file__).parents[3] / "docs/network-drivers.md"


def install(directory: Path) -> Path:
    """An environment with all that is in the one of the tests, and the package of the page; returns its cooper."""
    page, source = PAGE.read_text(), directory / "source"
    source.mkdir(parents=True)
    for name, text in re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", page, re.M | re.S):
        (source / name).write_text(text)
    packages = Path(sysconfig.get_path("purelib"))
    site = directory / packages.relative_to(sys.prefix)
    site.mkdir(parents=True)
    for entry in packages.iterdir():
        (site / entry.name).symlink_to(entry)
    (directory / "bin").mkdir()
    for program in PROGRAM.parent.glob("cooper*"):
        shutil.copy(program, directory / "bin")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    done = subprocess.run(
        [*command, "--root-user-action=ignore", "--target", site, source], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return directory / "bin/cooper"


def test_a_driver_of_another_package(world: World, cooper: Cooper, tmp_path: Path) -> None:
    """It makes networks that reach another host; without it they stay closed, and other networks work on."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools, which builds the package, is not installed")
    if not has_vxlan():
        pytest.skip("this kernel has no VXLAN")
    before = world.state()
    extended = Cooper(world, Path(cooper.words[-1]), cooper.rootfs, install(tmp_path / "environment"))
    for command, shown in re.findall(r"^\$ cooper (.*)\n((?:[^$`].*\n)*)", PAGE.read_text(), re.M):
        said = extended(*shlex.split(command))
        assert shown in ("...\n", f"{said}\n")
    with Inside(world.outside.path):
        batch(
            f"link add wide type vxlan id 7 remote {HOST} dstport 4789\naddress add 10.9.0.129/24 dev wide\nlink set wide up"
        )
    extended.run("-d", "--name", "web", "--network", "wide")
    assert world.outside.pings("10.9.0.2")
    assert "1 packets received" in extended("exec", "web", "busybox", "ping", "-c1", BEYOND)
    # Removed again: the package is in the other environment only.
    message = cooper("network", "create", "-d", "vxlan", "more", status=1)
    assert message == "cooper: there is no network driver vxlan (bridge, macvlan, or install a plug-in)"
    assert "hello" in cooper.run("--rm", command=("cat", "/www/index.html"))
    assert "no network driver vxlan" in cooper("network", "rm", "--force", "wide", status=1)
    extended.clear()
    assert world.state() == before


def has_vxlan() -> bool:
    """Whether an interface of the kind can be made."""
    words = "link add probe type vxlan id 1 dstport 4789"
    if subprocess.run(["ip", *words.split()], capture_output=True).returncode:
        return False
    batch("link del probe")
    return True
