"""oci-conformance: holds OCI runtimes to the runtime specification, clause by clause."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ociconformance import __version__, machine
from ociconformance.clauses import DOCUMENTS, SPEC_VERSION
from ociconformance.report import FORMATS
from ociconformance.results import FAIL, VERDICTS, Deviation, Result, judge, read_deviations
from ociconformance.runtime import Identity

_EXPECTED, _UNEXPECTED, _USAGE, _BROKEN = 0, 1, 2, 3


class SuiteError(Exception):
    """The suite could not run, whatever the runtime."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if every test went as is known of its runtime, 1 if not, 2 and 3 if nothing was tested."""
    options = _parser().parse_args(arguments)
    if options.list_clauses:
        print(clause_list(), end="")
        return _EXPECTED
    try:
        runtimes = [_executable(name) for name in options.runtime or ()]
        _check(runtimes, options)
        deviations = read_deviations(Path(options.deviations) if options.deviations else None)
        with ThreadPoolExecutor(options.jobs or min(len(runtimes), os.cpu_count() or 1)) as pool:
            results = list(pool.map(lambda path: run(path, options, deviations), runtimes))
    except (SuiteError, ValueError, OSError) as error:
        print(f"oci-conformance: {error}", file=sys.stderr)
        return _USAGE if isinstance(error, (ValueError, OSError)) else _BROKEN
    for form, path in _reports(options):
        text = FORMATS[form](results, about_machine())
        if path == "-":
            print(text, end="")
        else:
            Path(path).write_text(text, encoding="utf-8")
    print(summary(results), file=sys.stderr)
    return _UNEXPECTED if any(result.unexpected() for result in results) else _EXPECTED


def run(executable: str, options: argparse.Namespace, deviations: Sequence[Deviation]) -> Result:
    """The suite has run on one runtime.

    Raises: SuiteError if it broke off.
    """
    identity = Identity(executable)
    known = [
        each
        for each in deviations
        if each.runtime == identity.name
        and identity.version.startswith(each.version)
        and each.only in ("", cgroup_version())
    ]
    records = _records(["--oci-runtime", executable, *_pass_on(options)])
    return Result(
        identity.name,
        identity.version,
        executable,
        identity.specification,
        tuple(judge(record, known) for record in records),
    )


def collect() -> list[dict[str, Any]]:
    """Every test's name, clauses and summary, without running any."""
    return _records(["--collect-only"])


def clause_list() -> str:
    """Every clause with the tests that decide it, or the reason why none does."""
    tests = collect()
    lines = []
    for document in DOCUMENTS:
        for section in document.sections:
            lines.append(f"{document.name}: {section.title}")
            for clause in section.clauses:
                since = f" (since {clause.since})" if clause.since != "1.0" else ""
                lines.append(f"  {clause.id}: {clause.level}{since}: {clause.text}")
                names = [test["test"] for test in tests if clause.id in test["clauses"]]
                lines.extend(f"    tested by {name}" for name in names)
                if not names:
                    lines.append(f"    not tested: {clause.untested}")
    return "\n".join(lines) + "\n"


def summary(results: Sequence[Result]) -> str:
    """A line for every runtime, and one for each test that went otherwise than is known."""
    lines = []
    for result in results:
        counts = [f"{result.count(verdict)} {verdict}" for verdict in VERDICTS if result.count(verdict)]
        seconds = sum(test.seconds for test in result.tests)
        lines.append(f"{result.title}: {', '.join(counts)} ({seconds:.0f} s)")
        for test in result.unexpected():
            reason = (
                test.reason if test.verdict == FAIL else f"passes, though listed as a deviation: {test.why}"
            )
            lines.append(f"  {test.verdict.upper()} {test.name}: {reason}".rstrip().replace("\n", "\n    "))
    return "\n".join(lines)


def about_machine() -> str:
    """The machine in one line."""
    return f"Linux {platform.release()} on {platform.machine()}, {cgroup_version()}"


def cgroup_version() -> str:
    """The hierarchy that containers are put into."""
    return "cgroup v2" if machine.V2 else "cgroup v1"


def _records(arguments: Sequence[str]) -> list[dict[str, Any]]:
    """What the worker writes of the tests."""
    with tempfile.TemporaryDirectory(prefix="oci-conformance-") as directory:
        record, log = Path(directory, "record"), Path(directory, "log")
        with log.open("wb") as output:
            command = [
                sys.executable,
                "-m",
                "ociconformance.worker",
                "-q",
                "--tb=short",
                f"--oci-record={record}",
            ]
            # The package is found by the worker as it was by us.
            paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
            status = subprocess.run(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **paths},
            ).returncode
        if status not in (0, 1):
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise SuiteError(f"the tests broke off with status {status}:\n{tail}")
        return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]


def _pass_on(options: argparse.Namespace) -> list[str]:
    words = [f"--oci-seconds={options.seconds}"]
    if options.k:
        words += ["-k", options.k]
    if options.claim:
        words.append(f"--oci-claim={options.claim}")
    if options.oci_version:
        words.append(f"--oci-version={options.oci_version}")
    return words


def _executable(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ValueError(f"there is no runtime {name}")
    return os.path.abspath(path)


def _check(runtimes: Sequence[str], options: argparse.Namespace) -> None:
    if not runtimes:
        raise ValueError("no runtime: name one with --runtime")
    if os.geteuid() != 0:
        raise ValueError("root is needed, as the tests make namespaces, mounts and control groups")
    if machine.busybox() is None:
        raise ValueError("a static busybox is needed: /bin/busybox, or the one in OCI_CONFORMANCE_BUSYBOX")
    for form, path in _reports(options):
        if form not in FORMATS:
            raise ValueError(f"no report {form}: there are {', '.join(FORMATS)}")
        if path != "-" and not os.access(os.path.dirname(path) or ".", os.W_OK):
            raise ValueError(f"no report can be written to {path}")  # better now than after some minutes


def _reports(options: argparse.Namespace) -> list[tuple[str, str]]:
    """Form and file of each report, "-" for standard output."""
    reports = []
    for form, *files in options.report or ():
        if len(files) > 1:
            raise ValueError(f"--report takes a form and a file, not {' '.join([form, *files])}")
        reports.append((form, files[0] if files else "-"))
    return reports


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="oci-conformance", description=f"{__doc__} Version {SPEC_VERSION}, on Linux."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--runtime", metavar="PATH", action="append", help="a runtime to test; may be repeated"
    )
    parser.add_argument(
        "--report",
        nargs="+",
        metavar=("FORMAT", "FILE"),
        action="append",
        help=f"write a report ({', '.join(FORMATS)}) to FILE or standard output; may be repeated",
    )
    parser.add_argument("-k", metavar="EXPR", help="only the tests that match, as for pytest")
    parser.add_argument(
        "--list-clauses", action="store_true", help="print the clauses and their tests, and end"
    )
    parser.add_argument(
        "--claim", metavar="VERSION", help="hold the runtime to this version, whatever it claims"
    )
    parser.add_argument("--oci-version", metavar="VERSION", help="the ociVersion in every configuration")
    parser.add_argument(
        "--deviations", metavar="FILE", help="the known deviations (default: the suite's own)"
    )
    parser.add_argument(
        "--seconds", type=float, default=20, help="how long an operation may take (default: 20)"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="how many runtimes are tested at a time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
