"""The decoder of Programs, under AddressSanitizer and UBSan, and fuzzed.

Whatever bytes stave-init is handed, it must refuse them or stay inside them.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ocispec.defaults import default_config
from stave.host.facts import CgroupLayout, Facts
from stave.native import build
from stave.plan.create import plan_create
from stave.plan.program import encode

HERE = Path(__file__).parent
NATIVE = HERE.parent.parent / "runtime" / "stave" / "native"
SANITIZE = "-fsanitize=address,undefined"
FLAGS = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs are built, with the generated header."""
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed")
    path = tmp_path_factory.mktemp("native")
    build.HERE = str(NATIVE)  # the installed package is without the C sources
    build.write_operations_header(str(path))
    return path


def compile_driver(directory: Path, name: str, sanitizers: str) -> Path:
    """A driver, linked with the decoder."""
    program = directory / name
    sources = [HERE / f"{name}.c", NATIVE / "program.c"]
    includes = [f"-I{NATIVE}", f"-I{directory}", f"-I{HERE}"]
    subprocess.run(["clang", *FLAGS, sanitizers, *includes, "-o", program, *sources], check=True)
    return program


@pytest.fixture(scope="module")
def decoder(directory: Path) -> Path:
    """The driver that opens damaged copies of a Program."""
    return compile_driver(directory, "decoder", SANITIZE)


@pytest.fixture(scope="module")
def program(directory: Path) -> Path:
    """The flat form of the default configuration's Program."""
    plan = plan_create(
        default_config(),
        container_id="web",
        bundle="/bundles/web",
        facts=Facts(CgroupLayout("/sys/fs/cgroup", {})),
        cgroup_setup=[],
        cgroup_join=[],
        cgroup_paths={"": "/sys/fs/cgroup/web"},
        hook_state=lambda status: (b'{"pid":', b"}"),
        seccomp=(bytes(range(64)), 0),
    )
    path = directory / "program"
    path.write_bytes(encode(plan.program, {"listener": 3}))
    return path


def run(*command: str | Path) -> str:
    """What a driver prints; a report of the sanitizers fails it."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_real_program_is_accepted(decoder: Path, program: Path) -> None:
    """Every argument is read where it lies: the path of the root is among them."""
    found = run(decoder, "print", program)
    assert "error" not in found
    assert b"/bundles/web/rootfs".hex() in found


def test_truncated(decoder: Path, program: Path) -> None:
    """Every shorter length is refused, or read within its bounds if its header agrees."""
    assert run(decoder, "truncate", program)


def test_every_byte_changed(decoder: Path, program: Path) -> None:
    """No single byte leads out of the Program."""
    assert run(decoder, "bytes", program, "37")


@pytest.mark.parametrize("seed", ["1", "2"])
def test_random_damage(decoder: Path, program: Path, seed: str) -> None:
    """Nor do several bytes and words at once."""
    assert run(decoder, "random", program, seed, "20000")


def test_fuzzed(directory: Path, program: Path) -> None:
    """libFuzzer finds no way out either, starting from a real Program."""
    fuzzer = compile_driver(directory, "fuzz_decoder", f"{SANITIZE},fuzzer")
    corpus = directory / "corpus"
    corpus.mkdir()
    shutil.copy(program, corpus)
    run(fuzzer, "-runs=100000", "-max_total_time=20", "-seed=1", f"-artifact_prefix={directory}/", corpus)


def test_stave_init(directory: Path) -> None:
    """It is static, small, and its stack is not executable."""
    build.build_init(str(directory))
    init = directory / "stave-init"
    assert init.stat().st_size < 200_000
    headers = run("readelf", "--program-headers", "--wide", init)
    assert "INTERP" not in headers and "DYNAMIC" not in headers
    (stack,) = [line for line in headers.splitlines() if "GNU_STACK" in line]
    assert "RWE" not in stack
