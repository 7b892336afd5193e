"""`update`'s flags and files as changes of linux.resources."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from stave.cli.main import execute
from stave.cli.table import COMMANDS
from stave.cli.update import parse_bytes
from stave.errors import Error

from .conftest import Lifecycle


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ([], {}),
        (["--memory", "512m"], {"memory": {"limit": 512 << 20}}),
        (["--memory", "-1", "--memory-swap=-1"], {"memory": {"limit": -1, "swap": -1}}),
        (["--memory-reservation", "1k"], {"memory": {"reservation": 1024}}),
        (
            ["--cpu-share=2", "--cpu-quota=-1", "--cpu-period=1000", "--cpu-burst=0", "--cpu-idle=1"],
            {"cpu": {"shares": 2, "quota": -1, "period": 1000, "burst": 0, "idle": 1}},
        ),
        (
            ["--cpu-rt-runtime=5", "--cpu-rt-period=9", "--cpuset-cpus=0-1", "--cpuset-mems=0"],
            {"cpu": {"realtimeRuntime": 5, "realtimePeriod": 9, "cpus": "0-1", "mems": "0"}},
        ),
        (["--blkio-weight", "10"], {"blockIO": {"weight": 10}}),
        (["--pids-limit", "0"], {"pids": {"limit": 0}}),
        (["--pids-limit", "-1"], {"pids": {"limit": -1}}),
    ],
)
def test_flags(lifecycle: Lifecycle, words: list[str], changes: dict[str, Any]) -> None:
    """Each flag is its property, and those that are not given are not there."""
    calls = lifecycle("update", update=None)
    assert execute(["--root", "/r", "update", *words, "web"]) == 0
    assert calls == [(("/r", "web", changes, {}), {})]


def test_every_flag_has_a_meaning(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """No flag of the table is passed over in silence."""
    for names, *_ in COMMANDS["update"][1]:
        if names[0] in ("help", "resources"):
            continue
        calls = lifecycle("update", update=None)
        assert execute(["--root", "/r", "update", f"--{names[0]}", "0", "web"]) == 0
        said = capfd.readouterr().err
        assert calls[0][0][2:] != ({}, {}) or "has no effect" in said, names


def test_schemata(lifecycle: Lifecycle) -> None:
    """The flags of resctrl are members of intelRdt, and may go with --resources."""
    calls = lifecycle("update", update=None)
    words = ["--l3-cache-schema", "L3:0=f", "--mem-bw-schema", "MB:0=20"]
    assert execute(["--root", "/r", "update", *words, "web"]) == 0
    assert calls[0][0] == ("/r", "web", {}, {"l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20"})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--memory", "lots"], 'invalid value "lots" for --memory: write a number of bytes, as 512m, or -1'),
        (["--cpu-period", "1.5"], 'invalid value "1.5" for --cpu-period: write a whole number'),
        (["--pids-limit", "-2"], "/pids/limit: must be at least -1, is -2"),
        (["--cpu-idle", "2"], "/cpu/idle: must be at most 1, is 2"),
    ],
)
def test_wrong_values(
    lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """A flag with a value that is none of its kind changes nothing."""
    calls = lifecycle("update", update=None)
    assert execute(["update", *words, "web"]) == 1
    assert message in capfd.readouterr().err
    assert calls == []


def test_file(lifecycle: Lifecycle, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """--resources takes the changes from a file, alone, and names the file when it is wrong."""
    calls = lifecycle("update", update=None)
    file = tmp_path / "resources.json"
    file.write_text('{"memory": {"limit": 5}, "cpu": null, "devices": [{"allow": true}]}')
    assert execute(["--root", "/r", "update", "-r", str(file), "web"]) == 0
    assert calls[0][0][2] == {"memory": {"limit": 5}, "devices": [{"allow": True}]}
    assert execute(["update", "-r", str(file), "--memory", "1g", "web"]) == 1
    assert "--resources states all changes: it excludes --memory" in capfd.readouterr().err
    for content, message in (('{"memory": {"limit": -2}}', "/memory/limit: must be"), ("{", "line 1")):
        file.write_text(content)
        assert execute(["update", "-r", str(file), "web"]) == 1
        said = capfd.readouterr().err
        assert f"{file}: " in said and message in said
    assert len(calls) == 1


def test_standard_input(lifecycle: Lifecycle) -> None:
    """--resources - takes them from the standard input, as containerd gives them."""
    calls = lifecycle("update", update=None)
    reader, writer = os.pipe()
    os.write(writer, b'{"pids": {"limit": 5}}')
    os.close(writer)
    kept = os.dup(0)
    try:
        os.dup2(reader, 0)
        assert execute(["--root", "/r", "update", "--resources", "-", "web"]) == 0
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reader)
    assert calls[0][0][2] == {"pids": {"limit": 5}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("5", 5), ("5b", 5), ("1k", 1024), ("1K", 1024), ("1kb", 1024), ("2MiB", 2 << 20), ("1 g", 1 << 30),
        ("1.5g", 3 << 29), ("1t", 1 << 40), ("1P", 1 << 50), ("-1", -1),
    ],
)  # fmt: skip
def test_bytes(text: str, value: int) -> None:
    """Units are binary, with or without B."""
    assert parse_bytes("memory", text) == value


@pytest.mark.parametrize("text", ["", "-2", "1x", "k", "1.5.2m", "1e3", "٣", "0x10", "1mm"])
def test_no_bytes(text: str) -> None:
    """Anything else is refused by the flag's name."""
    with pytest.raises(Error, match="--memory"):
        parse_bytes("memory", text)
