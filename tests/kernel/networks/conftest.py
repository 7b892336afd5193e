"""A world per test, and the proof that nothing is left in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import host
from .world import World, two_namespaces

_TEST_SECONDS = 60


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
