"""Runs the validation programs of opencontainers/runtime-tools, already built, against a runtime.

    oci-validation --runtime PATH DIRECTORY [-k NAME ...] [--json FILE]

DIRECTORY is the source tree in which the programs were built: it holds ``runtimetest``, the archives
``rootfs-*.tar.gz`` and the programs ``validation/*.t``.

The programs trust the runtime, and remove their bundles with everything that is mounted in them. So each runs in
mount, PID and cgroup namespaces of its own, with a copy of /etc, an empty /run, and a bound on its time; what
it leaves of processes and control groups is removed. Several print an empty plan whether they pass or not, and say what went
wrong in a comment; others print nothing when they are content. Reading TAP alone would misjudge both kinds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ociconformance import machine

TIMEOUT_S = 120
PASS, FAIL, BROKEN, LATE = "pass", "fail", "broken", "late"

# Everything is private to the program: what it mounts, and what it may destroy.
_JOIN = """set -e
groups=$1
shift
for group in $groups; do echo $$ >"$group/cgroup.procs"; done
exec unshare --mount --pid --cgroup --fork --kill-child sh -c "$@"
"""
_SETTING = """set -e
mount --make-rprivate /
mount -t proc proc /proc
mounts=$(cat /proc/mounts)
echo "$mounts" | while read -r source point type options rest; do
    case $type in cgroup | cgroup2)
        case ,$options, in *,name=*) controllers=none,$options ;; *) controllers=$options ;; esac
        umount "$point"
        mount -t "$type" -o "$controllers" "$source" "$point"
    esac
done
mount -t tmpfs none /run
mkdir /run/etc /run/own
cp -a /etc/. /run/etc
mount --bind /run/etc /etc
mount -t tmpfs none /run/own
cd "$1"
exec "$2"
"""

# Programs that no conforming runtime passes, or not everywhere, and why. The suite's own faults and what version
# 1.3 of the specification has overtaken are facts of the suite; the rest depends on the machine.
KNOWN = {
    "delete_resources": "suite: compares two pointers instead of two numbers",
    "hooks": "suite: expects text that its hooks do not write",
    "linux_cgroups_pids": "suite: compares two pointers instead of two numbers",
    "linux_cgroups_relative_pids": "suite: compares two pointers instead of two numbers",
    "process_rlimits": "suite: its checker, a Go program, raises its own soft limit first",
    "start": "suite: counts success of `start` without `process` as the pass",
    "poststart_fail": "specification: since 1.3 a failing poststart hook is an error",
    "prestart": "specification: prestart hooks belong to `create`",
    "process_capabilities_fail": "specification: an unknown capability is a warning",
    "misc_props": "luck: a program that is not there has to be executed without an error",
    "pidfile": "luck: a program that has ended has to take a signal",
    "poststart": "luck: a hook and the program write to one file at the same time",
    "killsig": "luck: a signal may come before the shell's trap",
    "linux_cgroups_blkio": "machine: needs the weights of the CFQ scheduler and a device 8:0",
    "linux_cgroups_relative_blkio": "machine: needs the weights of the CFQ scheduler and a device 8:0",
    "linux_cgroups_network": "machine: needs net_cls and net_prio",
    "linux_cgroups_relative_network": "machine: needs net_cls and net_prio",
    "linux_cgroups_memory": "machine: the kernel ignores memory.kmem.limit_in_bytes",
    "linux_cgroups_relative_memory": "machine: the kernel ignores memory.kmem.limit_in_bytes",
    "linux_process_apparmor_profile": "machine: needs AppArmor",
    "process_capabilities": "machine: needs every capability",
}


@dataclass(frozen=True)
class Verdict:
    """How one program went.

    Attributes:
        outcome: PASS; FAIL where it says that the runtime failed; BROKEN where it ended without saying so; LATE.
        passed, failed, skipped: assertions.
        reason: why no runtime, or none here, passes; "" if one can.
        said: what it wrote, for a person to read.
    """

    name: str
    outcome: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    reason: str
    said: str


def run(directory: Path, runtime: Path, name: str, timeout_s: float = TIMEOUT_S) -> Verdict:
    """The program has run, and nothing is left of it."""
    program = directory / "validation" / f"{name}.t"
    environment = {**os.environ, "RUNTIME": str(runtime), "TMPDIR": "/run/own"}
    began = time.monotonic()
    late = False
    with _groups_of_our_own() as groups:
        process = subprocess.Popen(
            ["sh", "-c", _JOIN, "sh", " ".join(groups), _SETTING, "sh", str(directory), str(program)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            late = True
            # The first process of the PID namespace dies with unshare, and all others with it.
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
    outcome = LATE if late else judge(said, process.returncode)
    seconds = round(time.monotonic() - began, 1)
    return Verdict(name, outcome, *_counts(said), seconds, KNOWN.get(name, ""), said)


def judge(said: str, status: int) -> str:
    """The outcome, from what a program wrote and its exit status."""
    passed, failed, _ = _counts(said)
    if failed:
        return FAIL
    if status:
        return BROKEN
    # An empty plan comes with either outcome; only the comment tells.
    errors = [text for text in re.findall(r'"error":\s*"((?:[^"\\]|\\.)*)"', said) if text]
    return FAIL if errors and not passed else PASS


def _counts(said: str) -> tuple[int, int, int]:
    """Passed, failed and skipped assertions."""
    lines = re.findall(r"^(ok|not ok) \d+(.*)$", said, re.MULTILINE)
    skipped = sum(1 for _, rest in lines if "# SKIP" in rest)
    failed = sum(1 for word, rest in lines if word == "not ok" and "# SKIP" not in rest)
    return len(lines) - skipped - failed, failed, skipped


@contextlib.contextmanager
def _groups_of_our_own() -> Iterator[list[str]]:
    """A control group in each hierarchy, for the program to take for the root; nothing is left of them."""
    groups = [path / f"oci-validation-{os.getpid()}" for path in machine.hierarchies()]
    try:
        for group in groups:
            group.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group of version 1
                with contextlib.suppress(OSError):
                    (group / name).write_text((group.parent / name).read_text())
        yield [str(group) for group in groups]
    finally:
        deadline = time.monotonic() + 10
        while any(not _removed(group) for group in groups) and time.monotonic() < deadline:
            time.sleep(0.01)


def _removed(group: Path) -> bool:
    for path, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            for pid in Path(path, "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.rmdir(path)
    return not group.exists()


def names(directory: Path, wanted: Sequence[str] = ()) -> list[str]:
    """The programs that are there, or those of them that are wanted.

    Raises:
        ValueError: there are none, or a wanted one is not there.
    """
    found = sorted(path.stem for path in (directory / "validation").glob("*.t"))
    if missing := set(wanted) - set(found):
        raise ValueError(f"{directory}/validation has no {', '.join(sorted(missing))}")
    if not found:
        raise ValueError(f"{directory}/validation holds no programs (*.t): build them first")
    return [name for name in found if not wanted or name in wanted]


def as_line(verdict: Verdict) -> str:
    """One line for a person."""
    counts = f"{verdict.passed}/{verdict.failed}/{verdict.skipped}"
    reason = f"  ({verdict.reason})" if verdict.outcome != PASS and verdict.reason else ""
    return f"{verdict.outcome:6} {verdict.name:32} {counts:>11} {verdict.seconds:6.1f} s{reason}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if every program passed that a conforming runtime can pass, 1 if not, 2 for a wrong call."""
    parser = argparse.ArgumentParser("oci-validation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", type=Path, help="where the programs were built")
    parser.add_argument("--runtime", type=Path, required=True, help="the OCI runtime's executable")
    parser.add_argument(
        "-k", dest="wanted", action="append", default=[], metavar="NAME", help="only this program"
    )
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT_S, metavar="S", help="seconds for one program"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write everything there, the programs' output too"
    )
    options = parser.parse_args(arguments)
    try:
        runtime = options.runtime.resolve(strict=True)
        programs = names(options.directory, options.wanted)
    except (OSError, ValueError) as error:
        print(f"oci-validation: {error}", file=sys.stderr)
        return 2
    verdicts = []
    for name in programs:
        verdicts.append(run(options.directory.resolve(), runtime, name, options.timeout))
        print(as_line(verdicts[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in verdicts], indent=1))
    passed = sum(each.outcome == PASS for each in verdicts)
    surprises = [each.name for each in verdicts if each.outcome != PASS and not each.reason]
    print(
        f"{passed} of {len(verdicts)} programs pass; without a known reason fail: {', '.join(surprises) or 'none'}"
    )
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
