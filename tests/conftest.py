"""The runtime under test.

It is the one named by `--runtime` or by `STAVE_TEST_RUNTIME`, otherwise the `stave` beside the Python that
runs the tests.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Defines the option."""
    parser.addoption("--runtime", metavar="PROGRAM", help="the OCI runtime to test (default: this project's)")


@pytest.fixture(scope="session")
def runtime(request: pytest.FixtureRequest) -> Path:
    """The absolute path of the runtime's executable."""
    named = request.config.getoption("--runtime") or os.environ.get("STAVE_TEST_RUNTIME")
    wanted = named or str(Path(sys.executable).with_name("stave"))
    path = shutil.which(wanted)
    assert path is not None, f"there is no runtime {wanted}"
    return Path(path).absolute()
