"""A store per test, in mounts of the test's own, and the proof that nothing is left of it."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ociimage.snapshots.snapshots import Snapshots
from ociimage.store import Store

from .. import host

_TEST_SECONDS = 180


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """Where overlayfs may have its upper directories: None for the usual place, unless that is on an overlayfs itself."""
    usual = Path(tempfile.gettempdir())
    kind = subprocess.run(
        ["stat", "-f", "-c", "%t", usual], capture_output=True, text=True, check=True
    ).stdout
    if kind.strip() != "794c7630" or os.geteuid() != 0:
        yield None
        return
    disk, directory = Path("/dev/shm/ociimage-tests.ext4"), usual / "ociimage-ground"
    directory.mkdir()
    with open(disk, "wb") as file:
        file.truncate(1 << 30)
    try:
        subprocess.run(["modprobe", "--all", "loop", "ext4"], check=True)
        subprocess.run(["mkfs.ext4", "-q", disk], check=True)
        subprocess.run(["mount", "-o", "loop", disk, directory], check=True)
        directory.chmod(0o711)
        try:
            yield str(directory)
        finally:
            # Nothing to be unmounted where it was mounted in a mount namespace that has ended.
            subprocess.run(["umount", directory], check=False, stderr=subprocess.DEVNULL)
    finally:
        disk.unlink()
        directory.rmdir()


@pytest.fixture
def place(ground: str | None) -> Iterator[Path]:
    """A directory of root's that others may pass through; no mount and no process is left in it."""
    if os.geteuid() != 0:
        pytest.skip("layers have files of all owners, which needs root")
    directory = Path(tempfile.mkdtemp(prefix="ociimage-tests-", dir=ground))
    directory.chmod(0o711)
    try:
        with host.time_limit(_TEST_SECONDS), host.private_mounts():
            children = host.children()
            yield directory
            assert [each for each in host.mounts() if str(directory) in each] == []
            host.eventually(lambda: set(host.children()) <= set(children), "its processes have ended", 10)
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def store(place: Path) -> Iterator[Store]:
    """An empty store; when the test is over nothing half made is in it, and no descriptor was left open."""
    gc.collect()  # errors of earlier tests hold files of theirs
    before = len(os.listdir("/proc/self/fd"))
    made = Store(str(place / "store"))
    yield made
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before
    temporary = place / "store/tmp"
    if temporary.exists():
        assert list(temporary.iterdir()) == []


@pytest.fixture
def snapshots(store: Store) -> Iterator[Snapshots]:
    """The store's containers, which are removed in the end."""
    made = Snapshots(store)
    yield made
    for each in made.ids():
        made.remove(each)
