"""A world per test, and the proof that nothing is left in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import host
from ..bundle import busybox, make_rootfs
from .cooper import Cooper
from .world import World, two_namespaces

_TEST_SECONDS = 180


@pytest.fixture
def world() -> Iterator[World]:
    """Networks with nothing made yet; when the test is over, everything is removed and the host is as it was."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if shutil.which("nft") is None:
        pytest.skip("nftables is not installed")
    directory = Path(tempfile.mkdtemp(prefix="cooper-tests-"))
    try:
        with host.time_limit(_TEST_SECONDS), host.private_mounts(), two_namespaces(directory) as places:
            made = World(directory, *places)
            before = made.state()
            try:
                yield made
            finally:
                made.clear()
            assert made.state() == before
            made.database.close()
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def cooper(world: World, runtime: Path, tmp_path: Path) -> Iterator[Cooper]:
    """The program; in the end it has no containers and no networks."""
    program = busybox()
    if program is None:
        pytest.skip("busybox is not installed")
    rootfs = tmp_path / "rootfs"
    make_rootfs(rootfs, program)
    (rootfs / "www").mkdir()
    (rootfs / "www/index.html").write_text("hello")
    made = Cooper(world, runtime, rootfs)
    yield made
    made.clear()


@pytest.fixture(params=["runc", "crun"])
def other_runtime(request: pytest.FixtureRequest) -> Path:
    """Another OCI runtime's executable."""
    program = request.getfixturevalue("crun") if request.param == "crun" else shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not installed, or its control groups cannot be mounted")
    return Path(program)
