"""python -m tests.differential --examples N RUNTIME...: generated bundles, and the same view from inside on all."""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from ociconformance import isolation, machine

from .explained import unexplained
from .observe import Observation, observe
from .strategies import changes


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if all runtimes showed the same, as far as is explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="how many bundles (default: 100)")
    parser.add_argument("--seed", type=int, help="for other examples than the usual ones")
    parser.add_argument("runtime", nargs="+")
    options = parser.parse_args(arguments)
    runtimes = {Path(name).name: os.path.abspath(shutil.which(name) or name) for name in options.runtime}
    isolation.enter()
    compare(runtimes, options.examples, options.seed)
    return 0


def compare(runtimes: dict[str, str], examples: int, number: int | None) -> None:
    """Raises AssertionError with the smallest changes that were found to show an unexplained difference."""
    static = machine.busybox()
    assert static is not None, "a static busybox is needed"
    busybox = isolation.WORK / "busybox"
    busybox.write_bytes(static.read_bytes())
    busybox.chmod(0o755)
    cgroup = f"oci-differential-{os.urandom(4).hex()}"
    numbers = itertools.count()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=number is None,
        suppress_health_check=list(HealthCheck),
    )
    @given(changes())
    def same(change: dict[str, Any]) -> None:
        place = isolation.WORK / str(next(numbers))
        seen = look(runtimes, place, busybox, change, cgroup)
        said = {name: each["(said)"] for name, each in seen.items() if "(said)" in each}
        differences = unexplained(seen)
        text = "\n".join(f"  {name}: {values}" for name, values in differences.items())
        assert not differences, f"differences that nothing explains:\n{text}\n{said or ''}"

    (seed(number)(same) if number is not None else same)()


def look(
    runtimes: dict[str, str], place: Path, busybox: Path, change: dict[str, Any], cgroup: str
) -> dict[str, Observation]:
    """What the program sees on each runtime. No process, mount or cgroup is left; the files go with all of /run."""
    (place / "source" / "below").mkdir(parents=True)
    (place / "source" / "file").write_text("from the host\n")
    isolation.mount("below", place / "source" / "below", "tmpfs")
    try:
        return {name: observe(path, name, place, busybox, change, cgroup) for name, path in runtimes.items()}
    finally:
        isolation.end_all_others()
        for point in reversed(isolation.mount_points()):
            if point.startswith(f"{place}/"):
                isolation.unmount(point)
        machine.remove(cgroup)


if __name__ == "__main__":
    sys.exit(main())
