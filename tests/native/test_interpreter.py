"""The whole interpreter under AddressSanitizer and UBSan: a stave-init built as an ordinary program with them takes
the place of the real one, and the tests of real containers run again.

A report of a sanitizer ends the process, and with it the container's `create`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stave.native import build

from .sanitized import HERE, NATIVE, build_directory, compile_sanitized

KERNEL = HERE.parent / "kernel"
# Together they execute every operation, nearly all of them also failing.
TESTS = {
    "test_mounts.py": "types overlay copy_up remount order recursively_cleared unknown_option wrong_kind_of_target",
    "test_rootfs.py": "propagation masked readonly_paths",
    "test_hooks.py": "order failure_during_create timeout missing_program",
    "test_namespaces.py": "none time_offsets user_namespace_with_others_by_path sysctl hostname_and_domainname",
    "test_user_namespaces.py": "source_closed_to_the_containers_root many_sources",
    "test_devices.py": "default_devices wrong_node",
    "test_console.py": "create exec size",
    "test_process.py": "home search_path many_arguments capability_sets few_descriptors keyring",
    "test_errors.py": "no_program not_executed noexec",
    "test_failures.py": "every_operation",
}
WRAPPER = """#!{python} -I
import os, sys
from stave.native import module
module.init_image = lambda directory: os.open({init!r}, os.O_RDONLY | os.O_CLOEXEC)
from stave.cli.main import execute
status = execute(sys.argv[1:])
sys.stdout.flush()
os._exit(status)
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stave whose stave-init has the sanitizers."""
    if os.geteuid() != 0:
        pytest.skip("containers of these tests take root")
    directory = build_directory(tmp_path_factory.mktemp("interpreter"))
    directory.chmod(0o755)
    sources = [*(NATIVE / name for name in (*build.INTERPRETER, "init.c")), HERE / "no_leak_check.c"]
    init = compile_sanitized(directory, "stave-init-sanitized", sources)
    wrapper = directory / "stave"
    wrapper.write_text(WRAPPER.format(python=sys.executable, init=str(init)))
    wrapper.chmod(0o755)
    return wrapper


def test_sanitizers_are_there(runtime: Path) -> None:
    """The program does have them: without, all of this would prove nothing."""
    symbols = subprocess.run(
        ["nm", runtime.with_name("stave-init-sanitized")], capture_output=True, text=True
    )
    assert re.search("__asan_init", symbols.stdout) and re.search("__ubsan_handle", symbols.stdout)


def test_containers(runtime: Path) -> None:
    """The containers do the same, and no sanitizer has anything to say."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--runtime", str(runtime)]
    for file, names in TESTS.items():
        command += [f"{KERNEL / file}::test_{name}" for name in names.split()]
    environment = os.environ | {"STAVE_TEST_INIT": str(runtime.with_name("stave-init-sanitized"))}
    top = HERE.parent.parent
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=top, env=environment)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-5000:]
    assert "Sanitizer" not in said and "runtime error" not in said
