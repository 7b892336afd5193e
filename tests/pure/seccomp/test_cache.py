"""The cache of compiled filters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stave.errors import ConfigError
from stave.seccomp import cache

PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}],
}
ANSWER = (bytes(range(8)) * 300, 0xFFFF_FFF6)


class Compiler:
    """Stands for `stave.seccomp.profile`; remembers what it was asked to compile."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def compile_profile(self, profile: dict[str, Any]) -> tuple[bytes, int]:
        self.asked.append(profile)
        return ANSWER


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """The compiler that the cache calls on a miss."""
    stand_in = Compiler()
    monkeypatch.setitem(sys.modules, "stave.seccomp.profile", stand_in)
    return stand_in


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A place for a cache, not made yet."""
    return tmp_path / "seccomp"


def test_upgrade_of_the_library(
    compiler: Compiler, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter counts only as long as the library that compiled it is there, and is the same file."""
    library = tmp_path / "libseccomp.so.2"
    library.write_text("old")
    monkeypatch.setattr(cache, "_library", lambda: bytes(library))
    for _ in range(2):
        assert cache.cached_filter(PROFILE, str(directory)) == ANSWER
    assert len(compiler.asked) == 1
    (tmp_path / "new").write_text("new")
    (tmp_path / "new").rename(library)
    for _ in range(2):
        assert cache.cached_filter(PROFILE, str(directory)) == ANSWER
    assert len(compiler.asked) == 2
    library.unlink()
    cache.cached_filter(PROFILE, str(directory))
    assert len(compiler.asked) == 3


def test_the_library_of_this_process() -> None:
    """It is found once it is loaded."""
    import stave.seccomp._libseccomp  # noqa: F401

    assert Path(os.fsdecode(cache._library())).is_file()


def only_file(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def test_second_time_comes_from_the_cache(compiler: Compiler, directory: Path) -> None:
    """A profile is compiled once; the stored filter and flags are the compiled ones."""
    assert cache.cached_filter(PROFILE, str(directory)) == ANSWER
    assert cache.cached_filter(PROFILE, str(directory)) == ANSWER
    assert len(compiler.asked) == 1


def test_directory_and_files_are_private(compiler: Compiler, directory: Path) -> None:
    """The directory is made with mode 0700, the file with 0600, whatever the umask allows."""
    before = os.umask(0)
    try:
        cache.cached_filter(PROFILE, str(directory))
    finally:
        os.umask(before)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert only_file(directory).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "other",
    [
        PROFILE | {"defaultErrnoRet": 1},
        PROFILE | {"defaultErrnoRet": True},
        PROFILE | {"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]},
        PROFILE | {"syscalls": [{"names": ["readwrite"], "action": "SCMP_ACT_ALLOW"}]},
        PROFILE | {"flags": []},
    ],
)
def test_other_profiles_do_not_hit(compiler: Compiler, directory: Path, other: dict[str, Any]) -> None:
    """Any difference of content is another key."""
    cache.cached_filter(PROFILE | {"defaultErrnoRet": 1.0}, str(directory))
    cache.cached_filter(PROFILE, str(directory))
    cache.cached_filter(other, str(directory))
    assert len(compiler.asked) == 3


def test_key_is_the_same_in_every_process(compiler: Compiler, directory: Path) -> None:
    """The key depends on the content alone: not on hash seeds, string interning or shared objects."""
    code = "from stave.seccomp.cache import _key; import sys; print(_key(eval(sys.argv[1])))"
    keys = {
        subprocess.run(
            [sys.executable, "-c", code, repr(PROFILE)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    cache.cached_filter(PROFILE, str(directory))
    assert keys == {only_file(directory).name}


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[:-8],
        lambda data: data + bytes(8),
        lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
        lambda data: data + bytes(40000),
    ],
    ids=["empty", "header cut", "cut", "longer", "flipped bit", "too long"],
)
def test_damaged_file_is_compiled_anew(compiler: Compiler, directory: Path, damage: Any) -> None:
    """A file that fails its hash is not used, and is replaced by a good one."""
    cache.cached_filter(PROFILE, str(directory))
    path = only_file(directory)
    good = path.read_bytes()
    path.write_bytes(damage(good))
    assert cache.cached_filter(PROFILE, str(directory)) == ANSWER
    assert len(compiler.asked) == 2
    assert path.read_bytes() == good


def test_file_of_another_profile_is_refused(compiler: Compiler, directory: Path) -> None:
    """A whole file under another profile's name fails its hash."""
    cache.cached_filter(PROFILE, str(directory))
    path = only_file(directory)
    content = path.read_bytes()
    path.unlink()
    cache.cached_filter(PROFILE | {"flags": []}, str(directory))
    only_file(directory).write_bytes(content)
    cache.cached_filter(PROFILE | {"flags": []}, str(directory))
    assert len(compiler.asked) == 3


@pytest.mark.parametrize("mode", [0o770, 0o701, 0o755])
def test_directory_open_to_others_is_not_used(compiler: Compiler, directory: Path, mode: int) -> None:
    """A directory that others can enter is neither read nor written."""
    directory.mkdir()
    directory.chmod(mode)
    assert cache.cached_filter(PROFILE, str(directory)) == ANSWER
    assert list(directory.iterdir()) == []


def test_directory_of_another_owner_is_not_used(
    compiler: Compiler, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that belongs to somebody else is not written."""
    directory.mkdir(0o700)
    monkeypatch.setattr("posix.geteuid", lambda: os.getuid() + 1)
    assert cache.cached_filter(PROFILE, str(directory)) == ANSWER
    assert list(directory.iterdir()) == []


def test_symbolic_links_are_not_followed(compiler: Compiler, directory: Path, tmp_path: Path) -> None:
    """Neither the directory nor a file in it may be a symbolic link."""
    real = tmp_path / "real"
    real.mkdir(0o700)
    directory.symlink_to(real)
    assert cache.cached_filter(PROFILE, str(directory)) == ANSWER
    assert list(real.iterdir()) == []

    cache.cached_filter(PROFILE, str(real))
    path = only_file(real)
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert cache.cached_filter(PROFILE, str(real)) == ANSWER
    assert len(compiler.asked) == 3
    assert not path.is_symlink()


@pytest.mark.parametrize("name", ["missing/seccomp", "file"])
def test_impossible_directory_is_no_error(compiler: Compiler, tmp_path: Path, name: str) -> None:
    """Where no cache can be, the profile is compiled each time."""
    (tmp_path / "file").touch()
    for _ in range(2):
        assert cache.cached_filter(PROFILE, str(tmp_path / name)) == ANSWER
    assert len(compiler.asked) == 2


def test_fifo_in_place_of_a_file_does_not_block(compiler: Compiler, directory: Path) -> None:
    """A fifo under the key's name is replaced, not waited for."""
    cache.cached_filter(PROFILE, str(directory))
    path = only_file(directory)
    path.unlink()
    os.mkfifo(path)
    assert cache.cached_filter(PROFILE, str(directory)) == ANSWER
    assert path.is_file()


def test_oldest_files_make_room(compiler: Compiler, directory: Path) -> None:
    """Their number is bounded, and the oldest go first, left-over temporary files among them."""
    directory.mkdir(0o700)
    for age in range(cache.MAX_FILES + 3):
        path = directory / f"{age}.tmp"
        path.touch()
        os.utime(path, (10_000 - age, 10_000 - age))
    cache.cached_filter(PROFILE, str(directory))
    names = {path.name for path in directory.iterdir()}
    assert len(names) == cache.MAX_FILES
    assert "0.tmp" in names
    assert not names & {f"{age}.tmp" for age in range(cache.MAX_FILES - 1, cache.MAX_FILES + 3)}


def test_failed_write_leaves_nothing(
    compiler: Compiler, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the file cannot be put in place the filter is answered all the same, and no temporary file stays."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("posix.rename", refuse)
    assert cache.cached_filter(PROFILE, str(directory)) == ANSWER
    assert list(directory.iterdir()) == []


def test_refused_profile_is_not_stored(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile's error reaches the caller, no file is written, no descriptor is left open."""

    def refuse(_: dict[str, Any]) -> tuple[bytes, int]:
        raise ConfigError("/linux/seccomp/defaultAction", "unknown action X")

    module = SimpleNamespace(compile_profile=refuse)
    monkeypatch.setitem(sys.modules, "stave.seccomp.profile", module)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ConfigError, match="unknown action X"):
        cache.cached_filter(PROFILE, str(directory))
    assert os.listdir("/proc/self/fd") == before
    assert list(directory.iterdir()) == []


def test_hit_loads_nothing_heavy(compiler: Compiler, directory: Path) -> None:
    """A hit imports the cache and a hash function, neither libseccomp nor `os`."""
    cache.cached_filter(PROFILE, str(directory))
    code = (
        "import sys; sys.path[:] = eval(sys.argv[1]); before = set(sys.modules)\n"
        "from stave.seccomp.cache import cached_filter\n"
        "cached_filter(eval(sys.argv[2]), sys.argv[3])\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, repr(sys.path), repr(PROFILE), str(directory)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= {"__future__", "_blake2", "stave", "stave.seccomp", "stave.seccomp.cache"}
