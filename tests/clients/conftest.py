"""One of each of the callers of the runtime under test, started once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .containerd import Containerd, containerd
from .engines import Engine, docker, podman
from .image import write_archive


def _executable(name: str) -> str:
    """Returns the program's path; the test is skipped where the program is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image archive that every engine can load."""
    file = tmp_path_factory.mktemp("image") / "busybox.tar"
    write_archive(Path(_executable("busybox")), file)
    return file


@pytest.fixture(scope="session")
def podman_engine(runtime: Path, archive: Path) -> Iterator[Engine]:
    """podman with the runtime."""
    with podman(_executable("podman"), runtime, archive) as engine:
        yield engine


@pytest.fixture(scope="session")
def docker_engine(runtime: Path, archive: Path) -> Iterator[Engine]:
    """Docker with the runtime."""
    with docker({name: _executable(name) for name in ("docker", "dockerd")}, runtime, archive) as engine:
        yield engine


@pytest.fixture(params=["podman", "docker"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Either engine, without containers before and after."""
    chosen: Engine = request.getfixturevalue(f"{request.param}_engine")
    yield chosen
    chosen.remove_all()


@pytest.fixture(scope="session")
def containerd_server(runtime: Path, archive: Path) -> Iterator[Containerd]:
    """containerd with the runtime."""
    with containerd({name: _executable(name) for name in ("containerd", "ctr")}, runtime, archive) as server:
        yield server


@pytest.fixture
def ctr(containerd_server: Containerd) -> Iterator[Containerd]:
    """containerd, without containers before and after."""
    yield containerd_server
    containerd_server.remove_all()
