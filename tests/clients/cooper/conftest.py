"""One root directory with an image of busybox for all tests; each leaves it without containers."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..image import rootfs_tar
from .program import Cooper


def _busybox() -> Path:
    path = shutil.which("busybox")
    if path is None:
        pytest.skip("busybox is not installed")
    return Path(path)


@pytest.fixture(scope="session")
def shared(runtime: Path) -> Iterator[Cooper]:
    """cooper with a root of its own, in which the image `busybox` is."""
    directory = Path(tempfile.mkdtemp(prefix="cooper-"))
    directory.chmod(0o711)  # as /var/lib: containers in user namespaces pass through it
    cooper = Cooper(directory / "root", runtime)
    archive = directory / "rootfs.tar"
    archive.write_bytes(rootfs_tar(_busybox()))
    cooper.load(io.BytesIO(archive.read_bytes()), "busybox")
    try:
        yield cooper
        cooper.remove_all()
        assert not cooper.leftovers()
    finally:
        cooper.remove_all()
        shutil.rmtree(directory)


@pytest.fixture
def cooper(shared: Cooper) -> Iterator[Cooper]:
    """The same, without containers and volumes before and after."""
    yield shared
    shared.remove_all()
    assert not shared.leftovers()


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a root file system, for --rootfs."""
    import tarfile

    directory = tmp_path_factory.mktemp("rootfs")
    with tarfile.open(fileobj=io.BytesIO(rootfs_tar(_busybox()))) as tar:
        tar.extractall(directory)
    return directory
