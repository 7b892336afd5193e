"""The runtime under test, another one, and registries.

The runtime is the one named by `--runtime` or by `STAVE_TEST_RUNTIME`, otherwise the `stave` beside the Python that
runs the tests.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="module")
def crun() -> Iterator[str | None]:
    """crun, which wants all v1 controllers that the kernel has; None where it does not get them."""
    program = shutil.which("crun")
    group = Path("/sys/fs/cgroup/hugetlb")
    unified = (group.parent / "cgroup.controllers").exists()
    missing = not unified and "hugetlb" in Path("/proc/cgroups").read_text() and not group.is_mount()
    mount = ["mount", "-t", "cgroup", "-o", "hugetlb", "cgroup", str(group)]
    mounted = False
    if program and missing:
        group.mkdir(exist_ok=True)
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    yield program if mounted or not missing else None
    if mounted:
        subprocess.run(["umount", group], check=True)
    if program and missing:
        group.rmdir()


@pytest.fixture(scope="session")
def docker_registry() -> Callable[..., contextlib.AbstractContextManager[str]]:
    """A function (place, password file or None) for a context with Debian's docker-registry on loopback: its address."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed")

    @contextlib.contextmanager
    def registry(place: Path, passwords: Path | None = None) -> Iterator[str]:
        settings, log_file = place / "registry.yml", place / "registry.log"
        settings.write_text(
            f"version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {place}/registry}}}}\n"
            "http: {addr: '127.0.0.1:0'}\n"
            + (f"auth: {{htpasswd: {{realm: test, path: {passwords}}}}}\n" if passwords else "")
        )
        with log_file.open("wb") as log:
            process = subprocess.Popen([program, "serve", settings], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while not (found := re.search('msg="listening on (127.0.0.1:[0-9]+)"', log_file.read_text())):
                assert process.poll() is None and time.monotonic() < deadline, log_file.read_text()
                time.sleep(0.01)
            yield found[1]
        finally:
            process.kill()
            process.wait()

    return registry
