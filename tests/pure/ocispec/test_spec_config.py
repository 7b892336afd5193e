"""Loading config.json: files, nulls, strings, unknown members, and the text of errors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ocispec import config, reference
from ocispec.errors import InvalidConfig, InvalidJSON, Problem, SpecError, UnreadableConfig, pointer

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: str(path.stem))
def test_corpus_is_valid(path: Path, tmp_path: Path) -> None:
    """Configurations like those that engines write load, and the reference agrees."""
    (tmp_path / "config.json").write_bytes(path.read_bytes())
    loaded = config.load_config(str(tmp_path))
    assert reference.problems(loaded) == []
    config.check("config", loaded)


def test_unknown_members_stay(full: Any) -> None:
    """What the specification does not know passes through untouched, wherever it is."""
    full["linux"]["seccomp"]["com.example"] = full["process"]["com.example"] = {"deep": [1.5, "x"]}
    assert config.parse_config(json.dumps(full).encode()) == full


def test_null_counts_as_absent(full: Any) -> None:
    """A null member is gone after loading, at any depth but within maps and lists."""
    full["hooks"] = full["annotations"] = full["process"]["capabilities"] = full["linux"]["resources"] = None
    full["linux"]["devices"] = full["mounts"][0]["options"] = full["com.example.unknown"] = None
    full["linux"]["timeOffsets"]["monotonic"]["secs"] = full["linux"]["netDevices"]["eth1"]["name"] = None
    loaded: Any = config.parse_config(json.dumps(full).encode())
    assert not {"hooks", "annotations", "com.example.unknown"} & loaded.keys()
    assert not {"resources", "devices"} & loaded["linux"].keys()
    assert "capabilities" not in loaded["process"] and "options" not in loaded["mounts"][0]
    assert loaded["linux"]["timeOffsets"]["monotonic"] == {"nanosecs": 0}
    assert loaded["linux"]["netDevices"]["eth1"] == {}


@pytest.mark.parametrize(
    ("member", "where"),
    [
        (("ociVersion",), "/ociVersion"),
        (("root", "path"), "/root/path"),
        (("process", "args"), "/process/args"),
        (("process", "user", "uid"), "/process/user/uid"),
        (("linux", "namespaces", 0, "type"), "/linux/namespaces/0/type"),
    ],
)
def test_null_for_what_is_required(full: Any, member: tuple[Any, ...], where: str) -> None:
    """Null in place of a required member is that member missing."""
    parent = full
    for key in member[:-1]:
        parent = parent[key]
    parent[member[-1]] = None
    assert _problems(full) == [(where, "is required")]


@pytest.mark.parametrize("name", ["sysctl", "netDevices", "timeOffsets"])
def test_null_in_a_map_is_refused(full: Any, name: str) -> None:
    """A null entry of a map is not dropped: what it would mean cannot be told."""
    full["linux"][name]["key"] = None
    [(where, message)] = _problems(full)
    assert where == f"/linux/{name}/key"
    assert message.endswith(", is null")


def test_null_in_a_list_is_refused(full: Any) -> None:
    """A null item of a list stays, and is wrong."""
    full["process"]["args"].append(None)
    assert _problems(full) == [("/process/args/2", "must be a string, is null")]


def test_null_document() -> None:
    """A document that is null, or no object at all, is refused in words."""
    for text, kind in ((b"null", "null"), (b"[]", "an array"), (b'"x"', "a string")):
        with pytest.raises(InvalidConfig) as caught:
            config.parse_config(text)
        assert str(caught.value) == f"must be an object, is {kind} (config.md#configuration)"


def test_empty_process() -> None:
    """An empty process lacks what `start` needs; no process at all is fine."""
    config.parse_config(b'{"ociVersion": "1.0.0", "root": {"path": "r"}, "process": null}')
    with pytest.raises(InvalidConfig) as caught:
        config.parse_config(b'{"ociVersion": "1.0.0", "root": {"path": "r"}, "process": {}}')
    assert [problem.pointer for problem in caught.value.problems] == ["/process/cwd", "/process/args"]


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (b'{"process": {"args": ["a\\u0000b"]}}', "/process/args/0", "must not contain a NUL character"),
        (
            b'{"annotations": {"a\\u0000/b": ""}}',
            "/annotations/a\0~1b",
            "the name must not contain a NUL character",
        ),
        (b'{"x": {"y": "\\ud800"}}', "/x/y", "must be Unicode text, has half of a surrogate pair"),
        (b'{"x": "\\uDFFF"}', "/x", "must be Unicode text, has half of a surrogate pair"),
    ],
)
def test_strings_the_kernel_cannot_take(text: bytes, where: str, message: str) -> None:
    """NUL and half a surrogate pair are refused wherever they stand, before anything else is."""
    with pytest.raises(InvalidConfig) as caught:
        config.parse_config(text)
    assert [(problem.pointer, problem.message) for problem in caught.value.problems] == [(where, message)]


def test_escapes_that_are_text(basic: Any) -> None:
    """A backslash before u0000, and a whole surrogate pair, are ordinary text."""
    basic["process"]["args"] = ["\\u0000", "\\ud800", "\U0001f600"]
    text = json.dumps(basic).encode()
    assert b"\\ud83d" in text and b"\\u0000" in text
    assert config.parse_config(text)["process"]["args"] == basic["process"]["args"]


def test_deep_nesting_is_an_error_or_loads() -> None:
    """However deep an unknown member nests, the outcome is a configuration or one of our errors."""
    outcomes = set()
    for depth in (10, 300, *range(800, 1010), 200_000):
        text = b'{"ociVersion": "1.0.0", "root": {"path": "r"}, "x": %s%s}' % (
            b"[" * depth,
            b"null]" + b"]" * (depth - 1),
        )
        try:
            config.parse_config(text)
            outcomes.add("loaded")
        except (InvalidJSON, InvalidConfig) as error:
            outcomes.add(str(error))
    assert outcomes == {"loaded", "nested too deeply"}


def test_all_problems_at_once(basic: Any) -> None:
    """An invalid configuration lists every problem, one line each, with pointer and section."""
    basic["process"]["user"]["uid"] = 4294967296
    basic["linux"]["namespaces"][0] = {"type": "pod"}
    del basic["process"]["cwd"]
    with pytest.raises(InvalidConfig) as caught:
        config.parse_config(json.dumps(basic).encode())
    types = "pid, network, mount, ipc, uts, user, cgroup, time"
    assert sorted(str(caught.value).splitlines()) == [
        f'/linux/namespaces/0/type: must be one of {types}, is "pod" (config-linux.md#namespaces)',
        "/process/cwd: is required (config.md#process)",
        "/process/user/uid: must be at most 4294967294, is 4294967296 (config.md#posix-platform-user)",
    ]


def test_long_values_are_cut(basic: Any) -> None:
    """A problem stays one short line whatever the value."""
    basic["ociVersion"] = "x\n" * 5000
    basic["process"]["oomScoreAdj"] = 10**4000
    basic["process"]["user"]["uid"] = -(10**4000)
    messages = dict(_problems(basic))
    assert len(messages["/ociVersion"]) < 200 and "\n" not in messages["/ociVersion"]
    assert messages["/process/oomScoreAdj"] == "must be at most 1000, is a far larger number"
    assert messages["/process/user/uid"] == "must be at least 0, is a far smaller number"


def test_process_alone(full: Any) -> None:
    """The process of `exec` is checked by the same schema and rules, its pointers start at it."""
    text = json.dumps({**full["process"], "selinuxLabel": None}).encode()
    assert "selinuxLabel" not in config.parse_process(text)
    with pytest.raises(InvalidConfig) as caught:
        config.parse_process(b'{"cwd": "x", "args": ["sh"]}')
    assert [problem.pointer for problem in caught.value.problems] == ["/cwd"]
    with pytest.raises(InvalidConfig) as caught:
        config.parse_process(b'{"cwd":"/","args":["sh"],"rlimits":[{"type":"RLIMIT_AS","soft":2,"hard":1}]}')
    assert [problem.pointer for problem in caught.value.problems] == ["/rlimits/0/soft"]


def test_resources_alone(full: Any) -> None:
    """The resources of `update` are checked by the same schema and rules, their pointers start at them."""
    assert (
        config.parse_resources(json.dumps(full["linux"]["resources"]).encode()) == full["linux"]["resources"]
    )
    with pytest.raises(InvalidConfig) as caught:
        config.parse_resources(b'{"pids": {"limit": -2}}')
    assert str(caught.value) == "/pids/limit: must be at least -1, is -2 (config-linux.md#pids)"
    with pytest.raises(InvalidConfig) as caught:
        config.parse_resources(b'{"cpu": {"quota": 1, "burst": 2}}')
    assert [problem.pointer for problem in caught.value.problems] == ["/cpu/burst"]


def test_no_file(tmp_path: Path) -> None:
    """A bundle without config.json: the error names the path and ends with the cause."""
    with pytest.raises(UnreadableConfig) as caught:
        config.load_config(str(tmp_path))
    assert str(caught.value) == f"open {tmp_path}/config.json: No such file or directory"
    with pytest.raises(UnreadableConfig, match="embedded null byte"):
        config.load_config("a\0b")


def test_no_regular_file(tmp_path: Path) -> None:
    """A directory or a FIFO in place of config.json is refused at once, and no descriptor stays open."""
    before = os.listdir("/proc/self/fd")
    (tmp_path / "config.json").mkdir()
    with pytest.raises(UnreadableConfig, match=r"config\.json: is a directory"):
        config.load_config(str(tmp_path))
    (tmp_path / "config.json").rmdir()
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(UnreadableConfig, match=r"config\.json: is not a regular file"):
        config.load_config(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_file_too_long(tmp_path: Path) -> None:
    """A file beyond the limit is refused by its size, without reading it."""
    with open(tmp_path / "config.json", "wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(UnreadableConfig, match="17825792 bytes are more than 16777216"):
        config.load_config(str(tmp_path))


def test_errors_name_the_file(tmp_path: Path) -> None:
    """Whatever is wrong with the content, every line starts with the path of the file."""
    path = tmp_path / "config.json"
    path.write_text("{")
    with pytest.raises(InvalidJSON, match=f"^{path}: expecting property name"):
        config.load_config(str(tmp_path))
    path.write_text("{}")
    with pytest.raises(InvalidConfig) as caught:
        config.load_config(str(tmp_path))
    assert [line.startswith(f"{path}: /") for line in str(caught.value).splitlines()] == [True, True]
    assert isinstance(caught.value, SpecError)


def test_pointer_escapes() -> None:
    """Pointers follow RFC 6901."""
    assert pointer("a/b", 0, "m~n", "") == "/a~1b/0/m~0n/"
    assert Problem("/a", "b") == Problem("/a", "b") != Problem("/a", "c")
    assert len({Problem("/a", "b"), Problem("/a", "b")}) == 1


def _problems(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidConfig) as caught:
        config.parse_config(json.dumps(document).encode())
    return [(problem.pointer, problem.message) for problem in caught.value.problems]
