"""`--log-driver journald`: a journal of the tests' own, that of systemd in a mount namespace with another /run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..host import alive, eventually
from .program import Cooper

JOURNALD = "/lib/systemd/systemd-journald"
OWN_RUN = 'mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/systemd/journal && exec "$@"'


class InJournal(Cooper):
    """cooper beside this journald."""

    def __init__(self, cooper: Cooper, journald: int) -> None:
        super().__init__(cooper.root, cooper.runtime)
        self.journald = journald

    def inside(self, *words: str) -> list[str]:
        """The words of a command line that runs in the journal's mount namespace."""
        return ["nsenter", f"--mount=/proc/{self.journald}/ns/mnt", *words]

    def command(self, *words: str | Path) -> list[str]:
        return self.inside(*super().command(*words))


@pytest.fixture(scope="module")
def journald() -> Iterator[int]:
    """The process of a journald that takes messages."""
    if not os.path.exists(JOURNALD) or shutil.which("journalctl") is None:
        pytest.skip("systemd is not installed")
    command = ["unshare", "--mount", "--propagation=private", "sh", "-c", OWN_RUN, "sh", JOURNALD]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        # The last that it makes; journalctl --sync asks there.
        eventually(
            Path(f"/proc/{process.pid}/root/run/systemd/journal/io.systemd.journal").exists,
            "journald listens",
        )
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def journal(cooper: Cooper, journald: int) -> Iterator[InJournal]:
    """cooper beside the journal; no container is left."""
    inside = InJournal(cooper, journald)
    yield inside
    inside.remove_all()


def run(journal: InJournal, script: str, *flags: str, stdin: bytes = b"") -> bytes:
    """A container `one` has run the script and ended; its output."""
    words = (
        "--name",
        "one",
        "--network",
        "none",
        "--log-driver",
        "journald",
        *flags,
        "busybox",
        "sh",
        "-c",
        script,
    )
    return journal.run("run", "-i", *words, stdin=stdin).stdout


def test_what_is_written_is_read_again(journal: InJournal) -> None:
    """Byte for byte, each stream where it was written, the last lines, their times; and journalctl finds the fields."""
    data = os.urandom(100_000) + b"\n\n\n" + b"x" * 70_000 + b"\nlast but one\nend without newline"
    run(journal, "echo err >&2; cat", "--log-opt", "tag={{.Name}}/{{.ImageName}}", stdin=data)
    done = journal.run("logs", "one")
    assert (done.stdout, done.stderr) == (data, b"err\n")
    assert journal.out("logs", "--tail", "2", "one") == "last but one\nend without newline"
    assert journal.out("logs", "--tail", "3", "one") == f"{'x' * 70_000}\nlast but one\nend without newline"
    assert journal.out("logs", "--tail", "0", "one") == ""
    stamp, text = journal.out("logs", "-t", "--tail", "1", "one").split(" ", 1)
    assert text == "end without newline"
    assert journal.out("logs", "--since", stamp, "one").endswith(text)
    assert journal.out("logs", "--until", "2020-01-01T00:00:00Z", "one") == ""
    assert journal.inspect("one", "{{.HostConfig.LogConfig.Type}}{{.LogPath}}") == "journald"
    query = journal.inside("journalctl", "--output=json", "CONTAINER_NAME=one", "PRIORITY=3")
    line = json.loads(subprocess.run(query, check=True, capture_output=True, timeout=60).stdout)
    assert (line["MESSAGE"], line["SYSLOG_IDENTIFIER"], line["IMAGE_NAME"]) == (
        "err",
        "one/busybox",
        "busybox",
    )
    assert line["CONTAINER_ID_FULL"] == journal.inspect("one", "{{.Id}}")


def test_follow(journal: InJournal) -> None:
    """-f shows what there is, goes on with what comes, and ends when the container does."""
    journal.follow("--log-driver", "journald")


def test_a_journal_that_hangs(journal: InJournal) -> None:
    """Costs the container its log, and not its life."""
    os.kill(journal.journald, signal.SIGSTOP)
    try:
        written = run(journal, "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done")
    finally:
        os.kill(journal.journald, signal.SIGCONT)
    assert written.count(b"\n") == 2000
    assert alive(journal.journald)


def test_without_a_journal(cooper: Cooper) -> None:
    """The container is not started, and it is said what is missing; options of files are refused."""
    empty = ["unshare", "--mount", "--propagation=private", "sh", "-c", OWN_RUN, "sh"]
    words = cooper.command("run", "--rm", "--network", "none", "--log-driver", "journald", "busybox", "true")
    done = subprocess.run([*empty, *words], check=False, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr.count(b"\n")) == (125, 1)
    assert b"there is no /run/systemd/journal/socket" in done.stderr
    assert "journald has no max-size" in cooper.error(
        "create", "--log-driver", "journald", "--log-opt", "max-size=1m", "busybox"
    )
