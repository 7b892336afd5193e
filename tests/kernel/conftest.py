"""Containers to test with, and the proof that nothing is left of them."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import stave as package

from . import host
from .bundle import busybox, default_config, make_rootfs
from .driver import Container, Stave
from .groups import Groups, below_our_own

MakeContainer = Callable[[], Container]
_TEST_SECONDS = 180


@pytest.fixture(scope="package")
def workshop() -> Iterator[Path]:
    """A directory that everybody may enter, with a busybox in it; mounts, orphans and cgroups of our own."""
    if os.geteuid() != 0:
        pytest.skip("namespaces of every kind need root")
    program = busybox()
    if program is None:
        pytest.skip("busybox is not installed")
    directory = Path(tempfile.mkdtemp(prefix="stave-tests-"))
    directory.chmod(0o755)
    shutil.copy(program, directory / "busybox")
    try:
        with host.subreaper(), host.cgroup_of_our_own(), host.private_mounts():
            yield directory
    finally:
        # Out of the private mounts: nothing of the host's can be mounted in there any more.
        shutil.rmtree(directory)


@pytest.fixture
def in_python(runtime: Path, workshop: Path) -> Path:
    """The runtime without the launcher: its Python entry, started as the launcher would."""
    if not (Path(runtime).parent / "python3").exists():
        pytest.skip("the runtime under test has no Python beside it")
    script = workshop / "stave-in-python"
    entry = "import sys; sys.path.insert(0, sys.argv.pop(1)); from stave.cli.main import main; main()"
    site = Path(package.__file__).parent.parent
    script.write_text(f"#!/bin/sh\nexec {runtime.parent}/python3 -I -S -X utf8 -c '{entry}' {site} \"$@\"\n")
    script.chmod(0o755)
    return script


@pytest.fixture
def stave(runtime: Path, workshop: Path, request: pytest.FixtureRequest) -> Iterator[Stave]:
    """The runtime, and a state directory that is empty in the end; with the parameter "python", its Python alone."""
    if getattr(request, "param", "launcher") == "python":
        runtime = request.getfixturevalue("in_python")
    directory = Path(tempfile.mkdtemp(dir=workshop))
    directory.chmod(0o755)
    with host.time_limit(_TEST_SECONDS):
        yield Stave(runtime, directory)


@pytest.fixture
def directory(stave: Stave) -> Path:
    """A directory for the test's own files, on the same file system as the bundles."""
    place = stave.directory / "files"
    place.mkdir()
    return place


class HostState:
    """Mounts, cgroups, processes and state directories at one moment."""

    def __init__(self, stave: Stave) -> None:
        self.mounts = host.mounts()
        self.cgroups = host.cgroups()
        self.children = host.children()
        self.containers = [name for name in _names(stave.root) if name != ".seccomp"]

    def assert_unchanged(self, stave: Stave, but: Sequence[int] = ()) -> None:
        """Everything is as it was, but for these processes of the test's own."""

        def left() -> list[int]:
            return [pid for pid in host.children() if pid not in (*but, *self.children)]

        # A process that was killed has left its cgroup a moment before it has ended.
        host.eventually(lambda: not left(), lambda: f"these end: {[_command(pid) for pid in left()]}", 10)
        now = HostState(stave)
        assert now.containers == self.containers
        assert now.cgroups == self.cgroups
        assert [mount for mount in now.mounts if mount not in self.mounts] == []
        # A mount of somebody else's goes with its directory, also from here.
        gone = [mount for mount in self.mounts if mount not in now.mounts]
        assert [mount for mount in gone if os.path.exists(mount.split()[4])] == []


def _names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory)) if directory.exists() else []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return f"{pid} is gone"


@pytest.fixture
def host_unchanged(stave: Stave) -> Iterator[Callable[..., None]]:
    """No mount, cgroup, process and state directory is left by the test; may be called to check at once."""
    before = HostState(stave)
    yield lambda *but: before.assert_unchanged(stave, but)
    before.assert_unchanged(stave)


@pytest.fixture
def make_container(stave: Stave, workshop: Path, host_unchanged: object) -> Iterator[MakeContainer]:
    """Makes containers, each in a bundle of its own, that are gone in the end."""
    made: list[Container] = []
    numbers = itertools.count(1)

    def make() -> Container:
        name = f"c{next(numbers)}"
        bundle = stave.directory / name
        make_rootfs(bundle / "rootfs", workshop / "busybox")
        made.append(Container(stave, name, bundle, default_config(f"/{host.GROUP}/{name}")))
        return made[-1]

    yield make
    for container in made:
        container.delete("--force")


@pytest.fixture
def container(make_container: MakeContainer) -> Container:
    """A container to be."""
    return make_container()


@pytest.fixture
def make_groups() -> Iterator[Callable[..., Groups]]:
    """Makes groups below the test's own parent; nothing of them is left afterwards."""
    with below_our_own() as make:
        yield make
