"""Times of work on images, cooper and podman side by side.

    python benchmarks/frontend/images.py --cooper .venv/bin/cooper [--megabytes 1000] [--rounds 3]

An image of many small files is loaded from a docker-archive and unpacked; in a container of it 500 MB are changed, and
committed; the result is saved. In every round each engine does each step in turn, with storage of its own below
`--directory` (whose file system must take overlayfs's upper directories). Times are of the commands alone, up to their
end, not of the disk. Needs root.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from report import table  # noqa: E402

ROWS = ("load", "import", "commit", "save")
FILE_SIZES = (300, 2_000, 8_000, 30_000, 90_000)
CHANGED = 500_000_000


class Cooper:
    """cooper with storage of its own; its runtime is never asked for anything."""

    name = "cooper"

    def __init__(self, program: str, directory: Path) -> None:
        self._command = [program, "--root", str(directory / "cooper")]

    def load(self, archive: Path) -> list[str]:
        """The command."""
        return [*self._command, "load", "--quiet", "--input", str(archive)]

    def import_(self, tar: Path) -> list[str]:
        """The command."""
        return [*self._command, "import", str(tar), "imported"]

    def create(self) -> Path:
        """A container of the image, and where its files are."""
        made = [*self._command, "create", "--network", "none", "--name", "changed", "bench:1", "true"]
        container = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
        return Path(f"{self._command[2]}/images/containers/{container}/upper")

    def commit(self) -> list[str]:
        """The command."""
        return [*self._command, "commit", "changed", "bench:2"]

    def save(self, target: Path) -> list[str]:
        """The command."""
        return [*self._command, "save", "--output", str(target), "bench:2"]

    def clean(self) -> None:
        """Containers and images are gone."""
        subprocess.run([*self._command, "rm", "-f", "changed"], check=True, capture_output=True)
        subprocess.run(
            [*self._command, "rmi", "-f", "bench:2", "bench:1", "imported"], check=True, capture_output=True
        )


class Podman:
    """podman with storage of its own."""

    name = "podman"

    def __init__(self, program: str, directory: Path) -> None:
        storage = ["--root", str(directory / "podman"), "--runroot", str(directory / "podman-run")]
        self._command = [program, *storage, "--storage-driver", "overlay"]

    def load(self, archive: Path) -> list[str]:
        """The command."""
        return [*self._command, "load", "--quiet", "--input", str(archive)]

    def import_(self, tar: Path) -> list[str]:
        """The command."""
        return [*self._command, "import", "--quiet", str(tar), "imported"]

    def create(self) -> Path:
        """A container of the image, and where its files are."""
        made = [*self._command, "create", "--network", "none", "--name", "changed", "bench:1", "true"]
        subprocess.run(made, check=True, capture_output=True)
        shown = [*self._command, "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", "changed"]
        return Path(subprocess.run(shown, check=True, capture_output=True, text=True).stdout.strip())

    def commit(self) -> list[str]:
        """The command."""
        return [*self._command, "commit", "--quiet", "changed", "bench:2"]

    def save(self, target: Path) -> list[str]:
        """The command."""
        target.unlink(missing_ok=True)
        return [*self._command, "save", "--quiet", "--output", str(target), "bench:2"]

    def clean(self) -> None:
        """Containers and images are gone."""
        subprocess.run([*self._command, "rm", "-f", "changed"], check=True, capture_output=True)
        subprocess.run([*self._command, "rmi", "-af"], check=True, capture_output=True)


def make_files(directory: Path, total: int) -> None:
    """Small files of sizes as in a distribution, whose content compresses about as well as text and programs do."""
    source = random.Random(1)
    text = bytes(source.choices(range(32, 127), k=1 << 16)) + source.randbytes(1 << 16)
    written = number = 0
    while written < total:
        size = source.choice(FILE_SIZES)
        start = source.randrange(len(text))
        place = directory / f"usr/d{number % 800}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"file{number}").write_bytes((text[start:] + text * (1 + size // len(text)))[:size])
        written += size
        number += 1


def make_archive(tar: Path, archive: Path) -> None:
    """A docker-archive of one layer."""
    digest = sha256(tar.read_bytes()).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["true"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": ["bench:1"], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as out:
        out.add(tar, "layer.tar")
        for name, data in (("config.json", config), ("manifest.json", json.dumps(manifest).encode())):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))


def spent(command: Sequence[str]) -> float:
    """Seconds that the command took."""
    before = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return time.perf_counter() - before


def measure(directory: Path, engines: Sequence[Cooper | Podman], megabytes: int, rounds: int) -> dict[str, dict[str, list[float]]]:  # fmt: skip
    """Samples by row and engine."""
    make_files(directory / "files", megabytes * 1_000_000)
    make_files(directory / "change", CHANGED)
    subprocess.run(["tar", "-C", directory / "files", "-cf", directory / "layer.tar", "."], check=True)
    shutil.rmtree(directory / "files")
    make_archive(directory / "layer.tar", directory / "image.tar")
    rows: dict[str, dict[str, list[float]]] = {row: {each.name: [] for each in engines} for row in ROWS}
    for _ in range(rounds):
        for engine in engines:
            rows["load"][engine.name].append(spent(engine.load(directory / "image.tar")))
        for engine in engines:
            rows["import"][engine.name].append(spent(engine.import_(directory / "layer.tar")))
        for engine in engines:
            upper = engine.create()
            subprocess.run(["cp", "-a", directory / "change", upper / "change"], check=True)
        os.sync()
        for engine in engines:
            rows["commit"][engine.name].append(spent(engine.commit()))
        for engine in engines:
            rows["save"][engine.name].append(spent(engine.save(directory / "saved.tar")))
        for engine in engines:
            engine.clean()
    return rows


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cooper", required=True, help="the program")
    parser.add_argument("--podman", default=shutil.which("podman"), help="the program")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the image")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", default=tempfile.gettempdir(), help="where the storage is")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="bench-images-", dir=arguments.directory))
    engines: list[Cooper | Podman] = [Cooper(arguments.cooper, directory)]
    if arguments.podman:
        engines.append(Podman(arguments.podman, directory))
    try:
        rows = measure(directory, engines, arguments.megabytes, arguments.rounds)
        title = f"{arguments.megabytes} MB, then {CHANGED // 1_000_000} MB changed"
        print(table(title, rows, [each.name for each in engines], "s"))
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
