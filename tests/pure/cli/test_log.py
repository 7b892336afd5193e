"""Messages are on standard error and in the log, in the forms that callers of runc read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from stave.cli.log import Log
from stave.cli.output import one_line
from stave.cli.parser import Invocation, parse
from stave.errors import KernelError

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def invocation(*words: str) -> Invocation:
    """An invocation of `create web` with these global flags."""
    return parse([*words, "create", "web"])


def test_text_without_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    """Without --log, each message of a failure is a line on standard error."""
    Log(invocation()).error(["mounts[3]: one", "two"])
    assert capfd.readouterr() == ("", "stave: create web: mounts[3]: one\nstave: create web: two\n")


def test_json_without_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    """With --log-format json alone, standard error holds one object and nothing else."""
    Log(invocation("--log-format", "json")).error(["one", "two"])
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    entry = json.loads(err)
    assert re.fullmatch(TIME, entry.pop("time"))
    assert entry == {"level": "error", "msg": "one; two"}


def test_json_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With --log, a failure is one object in the file as well as a line on standard error."""
    file = tmp_path / "log"
    file.write_text("before\n")
    message = 'no "such" file: \u00e9\n\udcff'
    Log(invocation("--log", str(file), "--log-format", "json")).error([message])
    before, line = file.read_text().splitlines()
    assert before == "before"
    assert json.loads(line)["msg"] == message
    assert capfd.readouterr().err == 'stave: create web: no "such" file: \u00e9\\n\\udcff\n'


def test_text_file(tmp_path: Path) -> None:
    """In text, an entry is one line of logrus's form, with quotes and backslashes escaped once."""
    file = tmp_path / "log"
    Log(invocation("--log", str(file))).error(['exec "a\\b"\nnext'])
    assert re.fullmatch(rf'time="{TIME}" level=error msg="exec \\"a\\\\b\\"\\nnext"\n', file.read_text())


def test_warnings(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In text, a warning goes to the log if there is one, otherwise to standard error."""
    file = tmp_path / "log"
    Log(invocation("--log", str(file))).warning("old kernel")
    assert capfd.readouterr().err == ""
    assert "level=warning" in file.read_text()
    Log(invocation()).warning("old kernel")
    assert capfd.readouterr().err == "stave: create web: warning: old kernel\n"


def test_warnings_in_json(tmp_path: Path) -> None:
    """In JSON, warnings are entries of their own after a success, and part of the one entry of a failure."""
    file = tmp_path / "log"
    words = ["--log", str(file), "--log-format", "json"]
    good, bad = Log(invocation(*words)), Log(invocation(*words))
    good.warning("old kernel")
    good.finish()
    bad.warning("old kernel")
    bad.error(["broken"])
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(entry["level"], entry["msg"], entry.get("warnings")) for entry in entries] == [
        ("warning", "old kernel", None),
        ("error", "broken", ["old kernel"]),
    ]


def test_debug(tmp_path: Path) -> None:
    """Debug messages need --debug."""
    file = tmp_path / "log"
    Log(invocation("--log", str(file))).debug("nothing")
    assert not file.exists()
    Log(invocation("--debug", "--log", str(file))).debug("something")
    assert "level=debug" in file.read_text()


def test_unwritable_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A log that can no longer be written is told on standard error, and what it should hold as well."""
    log = Log(invocation("--log", f"{tmp_path}/none/log", "--log-format", "json"))
    log.error(["broken"])
    assert capfd.readouterr().err == (
        f"stave: create web: write log {tmp_path}/none/log: No such file or directory\n"
        "stave: create web: broken\n"
    )
    Log(invocation("--log", f"{tmp_path}/none/log")).warning("old kernel")
    assert capfd.readouterr().err.endswith("\nstave: create web: warning: old kernel\n")


def test_unwritable_from_the_beginning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A log that cannot be opened is one failure, told once."""
    words = invocation("--log", f"{tmp_path}/none/log")
    with pytest.raises(KernelError, match=f"^open log {tmp_path}/none/log: No such file or directory$"):
        Log(words).check()
    Log(words).error(["open log"])
    assert capfd.readouterr().err == "stave: create web: open log\n"


def test_check_makes_the_file(tmp_path: Path) -> None:
    """The log exists after the check, as callers read it after a success as well."""
    file = tmp_path / "log"
    Log(invocation("--log", str(file))).check()
    assert file.read_text() == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é", "plain é"),
        ("a\nb\r\x1b[31m", "a\\nb\\r\\x1b[31m"),
        ("\u202e", "\\u202e"),
        ("\udcff", "\\udcff"),
    ],
)
def test_one_line(text: str, expected: str) -> None:
    """Nothing in a message can break its line or drive the terminal."""
    assert one_line(text) == expected
