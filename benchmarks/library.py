"""A container's life through the library, against crun's and runc's command lines on the same bundle.

    .venv/bin/python benchmarks/library.py [--runs 30] [--profile minimal|full|both]

A life is create, start of a program that ends at once, the wait for its end, and delete. The library's runs in one
process that stays, which is what a library is for; what its import and first use cost is printed beside it.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from profiles import PROFILES
from subjects import SHORT, Runtime, hugetlb_hierarchy, prepared

import stave


def by_command(subject: Runtime) -> float:
    """Milliseconds of one life by the command line."""
    before = time.perf_counter_ns()
    subject.make("create")
    pid = subject.first_process()
    subject.command("start", subject.id)
    wait_for(pid)
    subject.command("delete", subject.id)
    return (time.perf_counter_ns() - before) / 1e6


def wait_for(pid: int) -> None:
    """The process, whoever's child it is, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([descriptor], [], [])
    os.close(descriptor)


def by_library(subject: Runtime, runtime: stave.Runtime) -> float:
    """Milliseconds of one life by the library."""
    before = time.perf_counter_ns()
    with runtime.create(subject.id, subject.directory, stdout=stave.DEVNULL) as container:
        container.start()
        container.wait()
    return (time.perf_counter_ns() - before) / 1e6


def measure(profile: str, runs: int) -> None:
    """Prints medians and ratios for one profile."""
    programs = [(name, path) for name in ("runc", "crun") if (path := shutil.which(name))]
    stave_program = str(Path(sys.executable).with_name("stave"))
    with prepared([("library", stave_program), *programs], profile) as subjects:
        library, *others = subjects
        runtime = stave.Runtime(library.directory / "state")
        lives: dict[str, Callable[[], float]] = {"library": lambda: by_library(library, runtime)}
        for other in others:
            lives[other.name] = lambda other=other: by_command(other)  # type: ignore[misc]
        for subject in subjects:
            subject.configure(SHORT)
        first = by_library(library, runtime)
        times: dict[str, list[float]] = {name: [] for name in lives}
        for _ in range(runs):
            for name, life in lives.items():
                times[name].append(life())
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"\n### {profile}\n\nFirst life in the process: {first:.1f} ms.\n")
    print("| | ms | library / this |\n| --- | ---: | ---: |")
    for name, median in medians.items():
        print(f"| {name} | {median:.1f} | {medians['library'] / median:.2f} |")


def main() -> None:
    """Reads the command line and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--profile", choices=[*PROFILES, "both"], default="both")
    options = parser.parse_args()
    with hugetlb_hierarchy() as mounted:
        if not mounted:
            print("The hugetlb controller cannot be mounted: crun will fail.", file=sys.stderr)
        for profile in PROFILES if options.profile == "both" else [options.profile]:
            measure(profile, options.runs)


if __name__ == "__main__":
    main()
