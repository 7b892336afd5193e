"""`cooper logs`: what a container wrote, byte for byte, and no more of it than is allowed."""

from __future__ import annotations

import os
import re

import pytest

from ..host import eventually
from .program import Cooper

STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")


def write(cooper: Cooper, script: str, *flags: str, stdin: bytes = b"") -> None:
    """A container `one` has run the script and ended."""
    cooper.run(
        "run", "-i", "--network", "none", "--name", "one", *flags, "busybox", "sh", "-c", script, stdin=stdin
    )


def test_both_streams(cooper: Cooper) -> None:
    """Standard error is kept and comes out on standard error again."""
    write(cooper, "echo out; sleep 0.1; echo err >&2; sleep 0.1; echo end")
    done = cooper.run("logs", "one")
    assert (done.stdout, done.stderr) == (b"out\nend\n", b"err\n")


def test_binary_and_parts_of_lines(cooper: Cooper) -> None:
    """No byte is lost or added: not without a last newline, not in long lines, not in what is no text."""
    data = os.urandom(200_000) + b"x" * 200_000 + b"\n\n\0end without newline"
    write(cooper, "cat", stdin=data)
    assert cooper.run("logs", "one").stdout == data


def test_tail_and_times(cooper: Cooper) -> None:
    """The last lines, counted as lines; with the time of each; from and up to a time."""
    write(cooper, "for i in 1 2 3 4 5; do echo line $i; done; sleep 0.3; echo late")
    assert cooper.out("logs", "--tail", "2", "one") == "line 5\nlate"
    assert cooper.out("logs", "--tail", "0", "one") == ""
    lines = cooper.out("logs", "-t", "one").splitlines()
    assert len(lines) == 6 and all(STAMP.match(line) for line in lines)
    last = lines[-1].split()[0]
    assert cooper.out("logs", "--since", last, "one") == "late"
    assert cooper.out("logs", "--until", lines[4].split()[0], "one").splitlines()[-1] == "line 5"
    assert cooper.out("logs", "--since", "10m", "one").count("\n") == 5
    assert "is no time" in cooper.error("logs", "--since", "then", "one", status=125)


def test_follow(cooper: Cooper) -> None:
    """-f goes on with what comes and ends when the container does."""
    cooper.follow()


def test_rotation(cooper: Cooper) -> None:
    """The files keep to their size and number; `logs` reads them as one, the oldest lines being gone."""
    write(cooper, "i=0; while [ $i -lt 3000 ]; do echo line number $i; i=$((i+1)); done",
          "--log-opt", "max-size=20k", "--log-opt", "max-file=3")  # fmt: skip
    identity = cooper.inspect("one", "{{.Id}}")
    files = sorted((cooper.root / "containers" / identity).glob("log*"))
    assert [file.name for file in files] == ["log", "log.1", "log.2"]
    assert all(file.stat().st_size < 20_480 + 100 for file in files)
    lines = cooper.out("logs", "one").splitlines()
    numbers = [int(line.split()[-1]) for line in lines]
    assert numbers == list(range(numbers[0], 3000)) and len(numbers) > 500


def test_rotation_is_on_by_default(cooper: Cooper) -> None:
    """10 MB, three files: a container alone does not fill the disk."""
    cooper.run("create", "--name", "one", "busybox")
    assert (
        cooper.inspect("one", "{{json .HostConfig.LogConfig.Config}}")
        == '{"max-size":"10000000","max-file":"3"}'
    )


def test_follow_over_a_rotation(cooper: Cooper) -> None:
    """Who follows sees every line once, whatever the files are called meanwhile."""
    script = "read x; i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done"
    cooper.run("run", "-di", "--network", "none", "--name", "one", "--log-opt", "max-size=8k", "--log-opt", "max-file=50",
               "busybox", "sh", "-c", script)  # fmt: skip
    following = cooper.start("logs", "-f", "one")
    cooper.run("attach", "one", stdin=b"go\n")
    lines = following.communicate(timeout=60)[0].split()
    assert [int(line) for line in lines] == list(range(2000))


def test_no_log(cooper: Cooper) -> None:
    """With --log-driver none nothing is kept, and `logs` says why there is nothing."""
    write(cooper, "echo secret", "--log-driver", "none")
    assert "--log-driver none" in cooper.error("logs", "one", status=1)


@pytest.mark.parametrize(
    "words", [("--log-driver", "syslog"), ("--log-opt", "colour=red"), ("--log-opt", "max-file=0")]
)
def test_wrong_options(cooper: Cooper, words: tuple[str, ...]) -> None:
    """What is not known is refused before anything is made."""
    assert "--log-" in cooper.error("create", *words, "busybox")


def test_the_log_survives_its_readers(cooper: Cooper) -> None:
    """A follower that is killed does not disturb the container."""
    cooper.run(
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "one",
        "busybox",
        "sh",
        "-c",
        "while :; do echo x; sleep 0.01; done",
    )
    following = cooper.start("logs", "-f", "one")
    assert following.stdout is not None
    following.stdout.readline()
    following.kill()
    following.communicate()
    before = len(cooper.out("logs", "one"))
    eventually(lambda: len(cooper.out("logs", "one")) > before, "it writes on")
