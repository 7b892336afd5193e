"""launch.c, supervise.c, paths.c and the messages between both sides, under AddressSanitizer and UBSan."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from .sanitized import HERE, NATIVE, SANITIZE, build_directory, compile_sanitized, run

DIRECTORY, FILE, NO_SYMLINKS, PARENT = 1, 2, 4, 8  # PATH_* of interpreter.h


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs are built."""
    return build_directory(tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="module")
def paths(directory: Path) -> Path:
    """The driver of paths.c."""
    return compile_sanitized(directory, "resolve", [HERE / "resolve.c", NATIVE / "strings.c"])


@pytest.fixture(scope="module")
def foreground(directory: Path) -> Path:
    """The driver of launch.c and supervise.c."""
    sources = [HERE / "foreground.c", NATIVE / "launch.c", NATIVE / "supervise.c"]
    return compile_sanitized(directory, "foreground", sources)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with directories, a file, and links of every kind."""
    root = (tmp_path / "root").resolve()
    (root / "a/b").mkdir(parents=True)
    (root / "b").mkdir()
    (tmp_path / "file").touch()
    for file in ("file", "a/file", "a/b/file"):
        (root / file).touch()
    for place in (root, root / "a", root / "a/b"):
        (place / "up").symlink_to("..")
        (place / "out").symlink_to("../../../../..")
        (place / "loop").symlink_to("loop")
        (place / "abs").symlink_to("/a")
        (place / "round").symlink_to("./../a/b/../b/up/./b")
    return root


@pytest.mark.parametrize("seed", ["1", "2"])
def test_random_paths(paths: Path, root: Path, seed: str) -> None:
    """openat2(2) and the walk on foot agree about every path and every error, and stay inside."""
    assert int(run(paths, "random", root, seed, "20000")) > 2000


@pytest.mark.parametrize(
    ("path", "options", "expected"),
    [
        ("/a/b", 0, "/a/b"),
        ("a//b/", 0, "/a/b"),
        ("", 0, "/"),
        ("/..", 0, "/"),
        ("/out/a", 0, "/a"),
        ("/abs/b", 0, "/a/b"),
        ("/abs/b", NO_SYMLINKS, errno.ELOOP),
        ("/loop", 0, errno.ELOOP),
        ("/file/x", 0, errno.ENOTDIR),
        ("/file/..", 0, errno.ENOTDIR),
        ("/file/.", DIRECTORY, errno.ENOTDIR),
        ("/nosuch", 0, errno.ENOENT),
        ("/n/e/w", DIRECTORY, "/n/e/w"),
        ("/n/file2", FILE, "/n/file2"),
        ("/a/up/../../new", DIRECTORY, "/new"),
        ("/a/new/file3", PARENT | DIRECTORY, "/a/new file3"),
        ("/out/out/x", PARENT, "/ x"),
        ("/", PARENT, errno.EISDIR),
        ("/" + "x" * 300, 0, errno.ENAMETOOLONG),
        ("/" + "x" * 5000, DIRECTORY, errno.ENAMETOOLONG),
        ("/a" * 5000, 0, errno.ENAMETOOLONG),
        ("/d" * 200, DIRECTORY, errno.ENAMETOOLONG),
    ],
)
def test_path(paths: Path, root: Path, path: str, options: int, expected: str | int) -> None:
    """Every path ends where it should, or with the errno that says why not."""
    found = run(paths, "one", root, path, str(options)).strip()
    assert found == str(expected)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts take root")
@pytest.mark.parametrize(
    "name", ["status", "ready", "signal", "output", "spawn", "console_socket", "launch", "mounts"]
)
def test_foreground(foreground: Path, name: str) -> None:
    """The runtime's half of the C does what launch.h says, and what goes wrong is the errno that it says."""
    assert run(foreground, name) == ""


def test_messages_fuzzed(directory: Path, tmp_path: Path) -> None:
    """Whatever packets arrive, neither side reads beyond them, keeps a descriptor, or takes more than there is room
    for."""
    sources = [HERE / "fuzz_messages.c", HERE / "wait_for_go.c", NATIVE / "launch.c"]
    sources += [NATIVE / name for name in ("protocol.c", "strings.c", "program.c")]
    fuzzer = compile_sanitized(directory, "fuzz_messages", sources, f"{SANITIZE},fuzzer")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    go, source = (bytes([kind, 0, 0, 0]) + bytes(12) for kind in (1, 7))
    (corpus / "seed").write_bytes(b"\x90" + source + b"\x10" + go + b"\x7f" + bytes(127))
    run(fuzzer, "-runs=30000", "-max_total_time=4", "-seed=1", f"-artifact_prefix={directory}/", corpus)
