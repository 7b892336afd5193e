"""`events` prints a line of JSON per event."""

from __future__ import annotations

import json

import pytest

from stave.cli.events import parse_duration
from stave.cli.main import execute
from stave.errors import Error

from .conftest import Lifecycle

STATS = {"type": "stats", "id": "web", "data": {}}
OOM = {"type": "oom", "id": "web"}


def test_events(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """One line per event, at the interval that was asked for."""
    calls = lifecycle("events", events=[STATS, OOM], stats=STATS)
    assert execute(["--root", "/r", "events", "--interval=1m30s", "web"]) == 0
    assert [json.loads(line) for line in capfd.readouterr().out.splitlines()] == [STATS, OOM]
    assert execute(["--root", "/r", "events", "web"]) == 0
    assert [arguments for arguments, _ in calls] == [("/r", "web", 90.0), ("/r", "web", 5.0)]


def test_statistics(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """With --stats there is one line."""
    calls = lifecycle("events", events=[], stats=STATS)
    assert execute(["--root", "/r", "events", "--stats", "web"]) == 0
    assert json.loads(capfd.readouterr().out) == STATS
    assert calls == [(("/r", "web"), {})]


@pytest.mark.parametrize("text", ["0", "0s", "-1s"])
def test_interval_without_length(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str], text: str) -> None:
    """An interval has a length."""
    lifecycle("events", events=[], stats=STATS)
    assert execute(["events", f"--interval={text}", "web"]) == 1
    assert "duration interval must be greater than 0" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5), ("1m30s", 90), ("1.5h", 5400), ("100ms", 0.1), ("2us", 2e-6), ("2µs", 2e-6), ("2μs", 2e-6),
        ("3ns", 3e-9), ("+5s", 5), ("-5s", -5), ("0", 0), ("1h1m1s1ms", 3661.001), (".5s", 0.5), ("5.s", 5),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    """Durations are read as Go reads them."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5x", "5s ", " 5s", "1e3s", "--5s", "+", ".s", "٣s", "5 s"])
def test_no_durations(text: str) -> None:
    """What Go would not read is refused."""
    with pytest.raises(Error, match="invalid duration"):
        parse_duration(text)
