"""What the launcher reads: records of containers, and command lines that it may answer without Python."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stave.cli.parser import parse
from stave.cli.signals import parse_signal
from stave.container.record import RECORD, write_record
from stave.container.state import Container
from stave.errors import Error

HERE = Path(__file__).parent
NATIVE = HERE.parent.parent / "runtime" / "stave" / "native"
SANITIZE = "-fsanitize=address,undefined"
FLAGS = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs are built."""
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed")
    return tmp_path_factory.mktemp("launcher")


def build(directory: Path, name: str, source: str, sanitizers: str = SANITIZE) -> Path:
    """A driver, linked with one of the launcher's sources."""
    program = directory / name
    sources = [HERE / f"{name}.c", NATIVE / "launcher" / source]
    includes = [f"-I{NATIVE}", f"-I{HERE}"]
    subprocess.run(["clang", *FLAGS, sanitizers, *includes, "-o", program, *sources], check=True)
    return program


def run(*command: str | Path, text: str | None = None) -> str:
    """What a driver prints; a report of the sanitizers fails it."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record as `create` writes it."""
    container = Container(str(tmp_path_factory.mktemp("root")), "web", {})
    container.state = {
        "id": "web",
        "bundle": "/bundles/web",
        "rootfs": "/bundles/web/rootfs",
        "created": "2024-01-01T00:00:00.000000000Z",
        "owner": 7,
        "annotations": {"a": "b"},
        "pid": 4711,
        "startTime": 99,
        "ready": True,
        "startable": True,
        "hooks": {},
        "cgroups": {
            "memory": "/g/memory/a/web",
            "cpu": "/g/cpu/web",
            "pids": "/g/pids/web",
            "x": "/g/cpu/web",
        },
        "cgroupsMade": ["/g/memory/a", "/g/memory/a/web", "/g/pids/web"],
        "namespaces": 0x20000000,
    }
    Path(container.directory).mkdir()
    container.save()
    write_record(container, {})
    return Path(container.directory, RECORD)


def test_record(directory: Path, record: Path) -> None:
    """The launcher reads what Python wrote: the state around status and pid, also in one line; the owner, bundle and
    time; no freezer; then the groups, the one that
    lists the processes first and those made last, each before those above it."""
    said = run(build(directory, "record", "record.c"), "print", record)
    assert said.splitlines() == [
        "{",
        '  "ociVersion": "1.3.0",',
        '  "id": "web",',
        '  "status": "|",',
        '  "pid": |,',
        '  "bundle": "/bundles/web",',
        '  "annotations": {',
        '    "a": "b"',
        "  },",
        '  "rootfs": "/bundles/web/rootfs",',
        '  "created": "2024-01-01T00:00:00.000000000Z"',
        "}",
        '{"ociVersion":"1.3.0","id":"web","status":"|","pid":|,"bundle":"/bundles/web","annotations":{"a":"b"},'
        '"rootfs":"/bundles/web/rootfs","created":"2024-01-01T00:00:00.000000000Z"',
        "7 /bundles/web 2024-01-01T00:00:00.000000000Z",
        "",
        "3 groups",
        "/g/pids/web",
        "/g/memory/a/web",
        "/g/cpu/web",
        "/g/memory/a",
    ]


def test_damaged_records(directory: Path, record: Path) -> None:
    """No shorter length is a record, and no changed byte leads out of one."""
    assert int(run(build(directory, "record", "record.c"), "damage", record)) > 0


def test_fuzzed_records(directory: Path, record: Path) -> None:
    """libFuzzer finds no way out either."""
    fuzzer = build(directory, "fuzz_record", "record.c", f"{SANITIZE},fuzzer")
    corpus = directory / "corpus"
    corpus.mkdir()
    shutil.copy(record, corpus)
    limits = ["-runs=200000", "-max_total_time=10", "-seed=1", "-max_len=2048"]
    run(fuzzer, *limits, f"-artifact_prefix={directory}/", corpus)


@pytest.fixture(scope="module")
def parser(directory: Path) -> Path:
    """The driver that reads command lines."""
    return build(directory, "command", "command.c")


def as_launcher(parser: Path, lines: list[list[str]]) -> list[str]:
    """What the launcher understands of each command line."""
    text = "".join("".join(f"{word}\0" for word in [*words, "\n"]) for words in lines)
    return run(parser, text=text).splitlines()


def as_python(words: list[str]) -> str:
    """What Python understands of a command line, in the same words; the error if it is wrong."""
    try:
        invocation = parse(words)
        signal_number = 0 if invocation.command == "list" else 15
        if invocation.command == "kill":
            signal_number = parse_signal((*invocation.arguments, "")[1])
    except Error as error:
        return str(error)
    options, common = invocation.options, invocation.global_options
    if (
        any(options[name] for name in options if name not in ("force", "format", "quiet"))
        or common["debug"]
        or common["trace"]
        or common["criu"]
    ):
        return "has flags that the launcher leaves alone"
    form = 2 if options.get("quiet") else ("table", "json").index(options.get("format", "table"))
    return (
        f"{invocation.command} root={common['root'] or '/run/stave'} log={common['log']}"
        f" id={invocation.container_id} signal={signal_number} force={int(options.get('force', False))}"
        f" form={form}"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["state", "web"],
        ["--root", "/r", "start", "web"],
        ["-root=/r", "--log", "/l", "--log-format", "json", "--systemd-cgroup", "kill", "web", "KILL"],
        ["--root=/r", "-log=/l", "-log-format=text", "kill", "web", "9"],
        ["--root", "--log", "kill", "web"],
        ["--root", "/a", "--root", "/b", "delete", "--force", "web"],
        ["--root", "/r", "delete", "web", "-f"],
        ["--root", "/r", "list"],
        ["--root", "/r", "list", "--quiet", "-f", "json"],
        ["--root", "/r", "list", "--format=json", "-q"],
        ["--root", "/r", "list", "-format", "json"],
        ["--root", "/r", "ps", "--format", "json", "web"],
        ["--root", "/r", "ps", "-f=json", "web"],
        ["--root", "/r", "pause", "web"],
        ["--root", "/r", "resume", "web"],
        *[
            ["--root", "/r", "kill", "web", name]
            for name in ("TERM", "sigterm", "SigUsr1", "015", "0", "64", "")
        ],
    ],
)
def test_common_commands(parser: Path, words: list[str]) -> None:
    """What engines send is read as Python reads it, and needs no Python."""
    words = words if words[0] != "state" else ["--root", "/r", *words]
    assert as_launcher(parser, [words]) == [as_python(words)]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["state"],
        ["create", "web"],
        ["state", "web", "more"],
        ["state", "../web"],
        ["state", ".."],
        ["state", ""],
        ["kill", "web", "65"],
        ["kill", "web", "SIGSIGTERM"],
        ["kill", "--all", "web"],
        ["kill", "web", "-9"],
        ["delete", "--force", "-f", "web"],
        ["delete", "--force=false", "web"],
        ["list", "web"],
        ["ps", "web"],
        ["ps", "--format", "table", "web"],
        ["ps", "--format", "json"],
        ["ps", "--format", "json", "web", "-ef"],
        ["pause", "web", "more"],
        ["resume", "--all", "web"],
        ["list", "--format", "xml"],
        ["list", "--format"],
        ["list", "-q", "--quiet"],
        ["list", "-f", "json", "--format", "json"],
        ["--debug", "state", "web"],
        ["--log-format", "xml", "state", "web"],
        ["--trace", "/t", "start", "web"],
        ["--root"],
        ["--", "state", "web"],
        ["state", "--", "web"],
        ["state", "--help", "web"],
    ],
)
def test_everything_else(parser: Path, words: list[str]) -> None:
    """What is wrong or seldom is Python's."""
    assert as_launcher(parser, [["--root", "/r", *words]]) == ["python"]


WORDS = """
    state start kill delete create list ps pause resume --root -root --root=/r -root=r --log --log=/l --log-format json xml
    --log-format=json --log-format=text --systemd-cgroup --systemd-cgroup=true --debug --rootless --rootless=true -
    -- -q --quiet --format --format=json -f=table table --force -f --f -force --force=false --force=1 --all -a --help -h web a.b ../x . .. /r TERM sigkill 9 65 -9
    SIG SIGSIG RTMIN RTMIN+1 KILL IO POLL IOT CLD 0064 064 ³ été
""".split()


@settings(
    max_examples=300, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.lists(st.lists(st.sampled_from([*WORDS, ""]), max_size=7), min_size=20, max_size=60))
def test_both_parsers_agree(parser: Path, lines: list[list[str]]) -> None:
    """Whatever the launcher takes for itself means the same to Python."""
    lines = [["--root=/r", *words] for words in lines]
    for words, understood in zip(lines, as_launcher(parser, lines), strict=True):
        if understood != "python":
            assert understood == as_python(words), words
