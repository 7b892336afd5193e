"""Every way in which a command can end is one exit status and one clear report."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ocispec
import stave
from ocispec.errors import InvalidConfig, InvalidJSON, Problem
from stave.cli.main import execute
from stave.errors import ConfigError, ContainerNotFound, KernelError

from .conftest import Lifecycle


def report(
    lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str], failure: BaseException
) -> tuple[int, str]:
    """The exit status of a `start web` that fails so, and what stands on standard error."""
    lifecycle("start", start=failure)
    status = execute(["start", "web"])
    return status, capfd.readouterr().err


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (ContainerNotFound("web"), 1, "container does not exist: web"),
        (ConfigError("/linux/resources/pids/limit", "is odd"), 1, "linux.resources.pids.limit: is odd"),
        (
            KernelError("bind /srv/data", errno.ENOENT, "/mounts/3", "/data"),
            1,
            'mounts[3] "/data": bind /srv/data: No such file or directory',
        ),
        (InvalidJSON("/b/config.json: a value is missing"), 1, "/b/config.json: a value is missing"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"),
            1,
            "/x: No such file or directory",
        ),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, "Broken pipe"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "out of memory"),
        (RecursionError("maximum recursion depth exceeded"), 1, "nested too deeply"),
    ],
)
def test_failures(
    lifecycle: Lifecycle,
    capfd: pytest.CaptureFixture[str],
    failure: BaseException,
    status: int,
    message: str,
) -> None:
    """A failure is one line that names the command, the container and the cause."""
    assert report(lifecycle, capfd, failure) == (status, f"stave: start web: {message}\n")


def test_bug(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """A bug is one line that names the exception and its place, and a traceback only with --debug."""
    status, err = report(lifecycle, capfd, ZeroDivisionError("division"))
    assert status == 1
    assert err.startswith("stave: start web: internal error: ZeroDivisionError: division (")
    assert err.count("\n") == 1
    assert execute(["--debug", "start", "web"]) == 1
    assert "Traceback" in capfd.readouterr().err


def test_problems_of_a_configuration(
    lifecycle: Lifecycle, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each problem of a configuration is a line in text, and all are one object in a JSON log."""
    problems = [Problem("/a", "is odd", "config.md#a"), Problem("/b", "is even")]
    lifecycle("start", start=InvalidConfig(problems, "config.json"))
    file = tmp_path / "log"
    assert execute(["--log", str(file), "--log-format", "json", "start", "web"]) == 1
    assert capfd.readouterr().err == (
        "stave: start web: config.json: /a: is odd (config.md#a)\n"
        "stave: start web: config.json: /b: is even\n"
    )
    lines = file.read_text().splitlines()
    assert [json.loads(line)["msg"] for line in lines] == [
        "config.json: /a: is odd (config.md#a); config.json: /b: is even"
    ]


def test_usage_errors(capfd: pytest.CaptureFixture[str]) -> None:
    """A wrong command line gets one line and the usage, on standard error."""
    assert execute(["start"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        'stave: start: "start" requires exactly 1 argument(s)\nusage: stave start [--help] CONTAINER\n'
    )
    assert execute(["frobnicate"]) == 1
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == 'stave: unknown command "frobnicate"'
    assert lines[1].startswith("usage: stave [--root DIR]")


def test_usage_error_in_json(capfd: pytest.CaptureFixture[str]) -> None:
    """Who reads JSON from standard error finds one object there, and no usage."""
    assert execute(["--log-format", "json", "start"]) == 1
    assert json.loads(capfd.readouterr().err)["msg"] == '"start" requires exactly 1 argument(s)'


def test_unwritable_log(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """A log that cannot be written stops the command before it does anything."""
    calls = lifecycle("start", start=None)
    assert execute(["--log", "/proc/none/log", "start", "web"]) == 1
    assert "/proc/none/log: No such file or directory" in capfd.readouterr().err
    assert calls == []


def test_exec_failure_is_255(lifecycle: Lifecycle) -> None:
    """A failing `exec` is told from a failing program by its status; a wrong command line is not one."""
    lifecycle("execute", default_process=ContainerNotFound("web"), execute=0)
    assert execute(["exec", "web", "sh"]) == 255
    assert execute(["exec"]) == 1


def test_status_of_the_program(lifecycle: Lifecycle, tmp_path: Path) -> None:
    """`run` ends with its program's status."""
    lifecycle("run", run=42)
    assert execute(["run", "-b", str(tmp_path), "web"]) == 42


def test_debug_entries(lifecycle: Lifecycle, tmp_path: Path) -> None:
    """With --debug the log tells of the start and of the exit status."""
    lifecycle("start", start=None)
    file = tmp_path / "log"
    assert execute(["--debug", "--log", str(file), "--log-format", "json", "start", "web"]) == 0
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert [entry["level"] for entry in entries] == ["debug", "debug"]
    assert [entry["msg"] for entry in entries] == ["start web: started", "start web: exit status 0"]


def test_closed_standard_output(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """Output that nobody reads is a failure of the command, not a traceback."""
    lifecycle("state", describe={"id": "web"})
    reader, writer = os.pipe()
    os.close(reader)
    saved = os.dup(1)
    try:
        os.dup2(writer, 1)
        status = execute(["state", "web"])
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(writer)
    assert status == 1
    assert capfd.readouterr().err == "stave: state web: Broken pipe\n"


def process(words: list[str], stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """The program itself, in an interpreter as bare as the installed one's."""
    roots = [str(Path(module.__file__ or "").parents[1]) for module in (stave, ocispec)]
    program = f"import sys; sys.path[:0] = {roots!r}; from stave.cli.main import main; main()"
    command = [sys.executable, "-I", "-S", "-c", program, *words]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False)


def test_program() -> None:
    """The program prints, reports and leaves with the status, without any help of the interpreter's."""
    done = process(["--version"])
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 3, "")
    done = process(["kill", "web", "NOSUCH"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'stave: kill web: unknown signal "NOSUCH"\n'


def test_nobody_reads_errors() -> None:
    """A closed standard error changes nothing but that nobody is told."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert process(["kill", "web", "NOSUCH"], stderr=writer).returncode == 1
    finally:
        os.close(writer)


def test_undecodable_words() -> None:
    """Bytes that are not UTF-8 are shown escaped, in text and in JSON."""
    done = process([os.fsdecode(b"\xff")])
    assert done.stderr.startswith('stave: unknown command "\\udcff"\n')
    done = process(["--log-format", "json", os.fsdecode(b"\xff")])
    assert json.loads(done.stderr)["msg"] == 'unknown command "\udcff"'
