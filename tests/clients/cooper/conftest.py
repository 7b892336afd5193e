"""One root directory with an image of busybox for all tests; each leaves it without containers."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..image import rootfs_tar
from .program import Cooper, place


def _busybox() -> Path:
    path = shutil.which("busybox")
    if path is None:
        pytest.skip("busybox is not installed")
    return Path(path)


@pytest.fixture(scope="session")
def shared(runtime: Path) -> Iterator[Cooper]:
    """cooper with a root of its own, in which the image `busybox` is."""
    with place() as directory:
        cooper = Cooper(directory / "root", runtime)
        cooper.load(io.BytesIO(rootfs_tar(_busybox())), "busybox")
        try:
            yield cooper
        finally:
            cooper.remove_all()
        assert not cooper.leftovers()


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
