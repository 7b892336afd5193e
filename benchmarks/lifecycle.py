"""Times, CPU use and memory of OCI runtimes, measured side by side.

    python benchmarks/lifecycle.py --runtime stave=.venv/bin/stave --runtime runc=/usr/sbin/runc
    python benchmarks/lifecycle.py --scale 100,1000,1000 --picture times.svg

The first runtime is the one that the ratios are about. In every round each runtime in turn takes a container
through its life, so that whatever else the machine does falls on all of them. State, bundles and root file
system lie on a tmpfs, as `/run` does on most machines. Needs root and a static busybox.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import scale
from picture import picture
from profiles import PROFILES
from report import Row, spread, table
from subjects import (
    SHORT,
    SLEEPER,
    Runtime,
    Spent,
    hugetlb_hierarchy,
    prepared,
    proportional_memory,
    spawn,
    wait_for_end,
)

PYTHON = ["/usr/bin/python3", "-I", "-S", "-c", "pass"]
WARM_UP = 3
PROBES = 3  # how often a memory limit must suffice to count as sufficient
LOWEST, HIGHEST, STEP = 64, 32 << 10, 16  # the memory limits tried, in KiB

ROWS = (
    *("create", "start", "state", "exec", "ps", "pause", "resume", "kill", "delete", "run"),
    "create+start+delete",
)

_PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Samples:
    """What was measured of one runtime: times in ms by command, and memory in KiB."""

    wall: dict[str, list[float]] = field(default_factory=lambda: {row: [] for row in ROWS})
    cpu: dict[str, list[float]] = field(default_factory=lambda: {row: [] for row in ROWS})
    crowds: dict[str, list[float]] = field(default_factory=dict)
    created: list[float] = field(default_factory=list)
    smallest_limit: list[float] = field(default_factory=list)

    def add(self, row: str, *spent: Spent) -> None:
        """The row has one more sample, the sum of what was spent."""
        self.wall[row].append(sum(one.wall for one in spent))
        self.cpu[row].append(sum(one.cpu for one in spent))


def live(runtime: Runtime, samples: Samples) -> None:
    """A container has gone through its life once, a second one has run, and all was recorded."""
    runtime.configure(SLEEPER)
    created = runtime.make("create")
    pid = runtime.first_process()
    samples.created.append(proportional_memory(pid))
    started = runtime.command("start", runtime.id)
    samples.add("state", runtime.command("state", runtime.id))
    samples.add("exec", runtime.command("exec", runtime.id, *SHORT))
    samples.add("ps", runtime.command("ps", "--format=json", runtime.id))
    for verb in ("pause", "resume"):
        samples.add(verb, runtime.command(verb, runtime.id))
    samples.add("kill", runtime.command("kill", runtime.id, "KILL"))
    wait_for_end(pid)
    deleted = runtime.command("delete", runtime.id)
    samples.add("create", created)
    samples.add("start", started)
    samples.add("delete", deleted)
    samples.add("create+start+delete", created, started, deleted)
    runtime.configure(SHORT)
    samples.add("run", runtime.make("run"))


def smallest_limit(runtime: Runtime) -> list[float]:
    """Returns the smallest memory limit, in KiB, that a container runs in; nothing if none does."""

    def suffices(steps: int) -> bool:
        return all(runtime.runs_within(steps * STEP << 10) for _ in range(PROBES))

    low, high = LOWEST // STEP - 1, HIGHEST // STEP
    if not suffices(high):
        return []
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return [high * STEP]


def measure_crowds(
    subjects: Sequence[Runtime], found: dict[str, Samples], sizes: Sequence[int], runs: int
) -> None:
    """What many containers or processes cost was measured. `sizes`: as for `--scale`."""
    at_once, processes, containers = sizes

    def add(subject: Runtime, text: str, size: int, values: list[float]) -> None:
        found[subject.name].crowds.setdefault(text.format(size), []).extend(values)

    for _ in range(runs):
        for subject in subjects:
            if at_once:
                add(subject, scale.AT_ONCE, at_once, [scale.created_at_once(subject, at_once)])
            if processes:
                add(subject, scale.CROWDED, processes, [scale.crowded_deleted(subject, processes)])
    for subject in subjects:
        if containers:
            add(subject, scale.LISTED, containers, scale.listed(subject, containers, runs))


def measure(
    runtimes: Sequence[tuple[str, str]], profile: str, runs: int, sizes: Sequence[int], crowd_runs: int
) -> tuple[dict[str, Samples], list[float]]:
    """Returns what was measured with one profile: samples by runtime, and times of a bare Python in ms."""
    found: dict[str, Samples] = {}
    python: list[float] = []
    with prepared(runtimes, profile) as subjects:
        for number in range(-WARM_UP, runs):
            if number <= 0:
                found = {subject.name: Samples() for subject in subjects}
                python = []
            turn = number % len(subjects)
            for subject in subjects[turn:] + subjects[:turn]:
                live(subject, found[subject.name])
            python.append(spawn(PYTHON, subjects[0].directory / "output").wall)
        measure_crowds(subjects, found, sizes, crowd_runs)
        for subject in subjects:
            found[subject.name].smallest_limit = smallest_limit(subject)
    return found, python


def show(profile: str, found: dict[str, Samples], python: list[float]) -> None:
    """The tables of one profile are printed."""

    def rows(kind: str) -> dict[str, Row]:
        return {row: {name: getattr(samples, kind)[row] for name, samples in found.items()} for row in ROWS}

    memory: dict[str, Row] = {
        "init of a created container, PSS": {name: samples.created for name, samples in found.items()},
        "smallest memory limit": {name: samples.smallest_limit for name, samples in found.items()},
    }
    print(f"\n## {profile}\n\nA bare Python (`{' '.join(PYTHON)}`) takes {spread(python)} ms.\n")
    print(table("wall-clock time", rows("wall"), list(found), "ms", python), end="\n\n")
    print(table("CPU time", rows("cpu"), list(found), "ms"), end="\n\n")
    if crowds := crowd_rows(found):
        print(table("wall-clock time", crowds, list(found), "ms"), end="\n\n")
    print(table("memory", memory, list(found), "KiB"))


def draw(file: Path, profile: str, found: dict[str, Samples]) -> None:
    """The times of one profile are drawn to the file, its name extended by the profile's."""
    rows: dict[str, Row] = {row: {name: samples.wall[row] for name, samples in found.items()} for row in ROWS}
    title = f"Milliseconds per command, {profile} profile (median, quartiles)"
    file.with_stem(f"{file.stem}-{profile}").write_text(picture(title, rows, list(found), "ms"))


def crowd_rows(found: dict[str, Samples]) -> dict[str, Row]:
    """Returns what `measure_crowds` measured, by what it was."""
    names = list(next(iter(found.values())).crowds)
    return {name: {runtime: samples.crowds[name] for runtime, samples in found.items()} for name in names}


def machine() -> str:
    """Returns one line on where the measuring takes place."""
    model = next(
        (line.split(": ", 1)[1] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    groups = "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1"
    return (
        f"{os.cpu_count()} CPUs ({model or platform.machine()}), Linux {platform.release()}, cgroup {groups}"
    )


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines()


def version(path: str) -> str:
    """Returns the first line of what the runtime says about its version."""
    return subprocess.run([path, "--version"], check=False, capture_output=True, text=True).stdout.partition(
        "\n"
    )[0]


def main() -> None:
    """The command line is carried out."""
    options = _options()
    # Containers' processes fall to this one, which reaps them at once.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    print(f"{machine()}; {options.runs} rounds, medians (quartiles)\n")
    for name, path in options.runtime:
        print(f"- {name}: {version(path)}")
    results: dict[str, object] = {"machine": machine(), "runs": options.runs}
    with hugetlb_hierarchy() as mounted:
        if not mounted:
            print("The hugetlb controller cannot be mounted: crun will fail.", file=sys.stderr)
        for profile in PROFILES if options.profile == "both" else (options.profile,):
            sizes, crowd_runs = options.scale, options.crowd_runs
            found, python = measure(options.runtime, profile, options.runs, sizes, crowd_runs)
            show(profile, found, python)
            if options.picture:
                draw(options.picture, profile, found)
            results[profile] = {
                "python": python,
                **{name: asdict(samples) for name, samples in found.items()},
            }
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures OCI runtimes side by side.")
    parser.add_argument(
        "--runtime",
        type=_named,
        action="append",
        metavar="NAME=PATH",
        help="a runtime; repeatable (default: the stave beside this Python, runc and crun)",
    )
    parser.add_argument("--runs", type=int, default=30, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument(
        "--profile", choices=[*PROFILES, "both"], default="both", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--scale",
        type=_sizes,
        default=(0, 0, 0),
        metavar="N,N,N",
        help="also measure N containers created at once, a delete with N processes, a list of N containers",
    )
    parser.add_argument(
        "--crowd-runs", type=int, default=3, metavar="N", help="rounds of that (default: %(default)s)"
    )
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="also draw FILE, an SVG, with the profile in its name"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample to FILE")
    options = parser.parse_args()
    if options.runtime is None:
        installed = [f"stave={Path(sys.executable).with_name('stave')}"]
        installed += [f"{name}={path}" for name in ("runc", "crun") if (path := shutil.which(name))]
        options.runtime = [_named(text) for text in installed]
    return options


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(int(part) for part in text.split(","))
    if len(sizes) != 3 or min(sizes) < 0:
        raise argparse.ArgumentTypeError(f"not three numbers: {text}")
    return sizes


def _named(text: str) -> tuple[str, str]:
    name, separator, path = text.partition("=")
    found = shutil.which(path)
    if not separator or not found:
        raise argparse.ArgumentTypeError(f"not the name and path of a program: {text}")
    return name, os.path.abspath(found)


if __name__ == "__main__":
    main()
