"""Sizes, durations, templates, options, limits, id maps: what is decided without a container."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cooper.cli.command import Command, Invocation
from cooper.cli.container_flags import ATTACH_FLAGS, CREATE_FLAGS
from cooper.cli.parser import parse_flags
from cooper.cli.template import Template
from cooper.containers.limits import resources
from cooper.containers.options import read_options
from cooper.containers.runtime import last_error, start_error
from cooper.containers.userns import inside, keep_id, outside
from cooper.containers.values import (
    accepting,
    human_duration,
    human_size,
    parse_duration,
    parse_fields,
    parse_size,
)
from cooper.errors import UsageError
from cooper.settings import Settings


@pytest.mark.parametrize(
    ("text", "size"),
    [("100m", 100 << 20), ("1.5g", 3 << 29), ("1GiB", 1 << 30), ("4096", 4096), ("7b", 7), ("2KB", 2048)],
)
def test_sizes(text: str, size: int) -> None:
    """Units are powers of 1024, in any spelling."""
    assert parse_size(text, "-m") == size


@pytest.mark.parametrize("text", ["", "m", "1x", "-1", "1 m", "1e3", "0x10"])
def test_what_is_no_size(text: str) -> None:
    """Is refused with the flag's name."""
    with pytest.raises(UsageError, match="-m:"):
        parse_size(text, "-m")


@pytest.mark.parametrize(
    ("text", "seconds"), [("10", 10), ("500ms", 0.5), ("1m30s", 90), ("1h", 3600), ("1.5s", 1.5)]
)
def test_durations(text: str, seconds: float) -> None:
    """As Go writes them; a number alone is seconds."""
    assert parse_duration(text, "-t") == seconds


def test_durations_for_people() -> None:
    """As docker words them."""
    texts = [human_duration(seconds) for seconds in (0.5, 1, 45, 61, 300, 3600, 86400 * 3)]
    assert texts == [
        "Less than a second",
        "1 second",
        "45 seconds",
        "About a minute",
        "5 minutes",
        "About an hour",
        "3 days",
    ]


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (999, "999B"), (1234, "1.23kB"), (999_700, "1MB"), (4_260_000, "4.26MB")]
)
def test_sizes_for_people(size: int, text: str) -> None:
    """Three digits, never a power of ten."""
    assert human_size(size) == text


def test_one_filter_of_each_key_is_enough() -> None:
    """As in docker: filters of one key are alternatives, labels and other keys are not."""

    def test(text: str) -> Callable[[set[str]], bool]:
        return lambda has: text in has

    accept = accepting(["status=a", "status=b", "name=x", "label=l", "label=m"], test)
    assert accept({"status=b", "name=x", "label=l", "label=m"})
    assert not accept({"status=b", "name=x", "label=l"})
    assert not accept({"status=c", "name=x", "label=l", "label=m"})
    assert accepting([], test)(set())


def test_fields_may_be_quoted() -> None:
    """A comma in quotes belongs to the value."""
    assert parse_fields('type=bind,"src=/a,b",ro', "--mount") == {"type": "bind", "src": "/a,b", "ro": ""}


VALUE = {
    "Name": "web",
    "State": {"Running": True, "Pid": 7},
    "List": ["a", "b"],
    "Labels": {"x": "y"},
    "None": None,
    "Label": {"x": "y"}.get,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Name}} {{.State.Pid}}", "web 7"),
        ("{{json .State}}", '{"Running":true,"Pid":7}'),
        ('{{index .Labels "x"}}{{index .Labels "absent"}}', "y"),
        ("{{range .List}}<{{.}}>{{end}}", "<a><b>"),
        ("{{range $i, $e := .List}}{{$i}}={{$e}} {{end}}", "0=a 1=b "),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        ('{{if eq .Name "db"}}1{{else if eq .Name "web"}}2{{end}}', "2"),
        ("{{with .None}}x{{else}}nothing{{end}}", "nothing"),
        ('{{.Name | upper | printf "%s!"}}', "WEB!"),
        ("{{len .List}} {{.State}} {{.List}}", "2 map[Pid:7 Running:true] [a b]"),
        ("a {{- .Name -}} b", "awebb"),
        ("{{(index .List 1)}}\\t{{$.Name}}", "b\tweb"),
        ('{{join .List ","}}{{/* no */}}', "a,b"),
        ('{{printf "%-5s|%q {%3d} 100%%" .Name .Name .State.Pid}}', 'web  |"web" {  7} 100%'),
        (
            "{{json .}}",
            '{"Name":"web","State":{"Running":true,"Pid":7},"List":["a","b"],"Labels":{"x":"y"},"None":null}',
        ),
        ('{{.Label "x"}}', "y"),
    ],
)
def test_templates(template: str, text: str) -> None:
    """The part of Go's templates that people use."""
    assert Template(template).render(VALUE) == text


@pytest.mark.parametrize(
    "template", ["{{.Nonsense}}", "{{.Name.x}}", "{{nonsense .}}", "{{range .List}}", "{{end}}", "{{}}"]
)
def test_wrong_templates(template: str) -> None:
    """Are told, not printed."""
    with pytest.raises(UsageError, match="--format"):
        Template(template).render(VALUE)


def options(*words: str) -> dict[str, Any]:
    """What `cooper run WORDS` asks for."""
    invocation = Invocation("run", Settings("/nowhere"))
    invocation.arguments = list(words)
    parse_flags(invocation, Command("IMAGE", 0, -1, (*CREATE_FLAGS, *ATTACH_FLAGS), True))
    return read_options(invocation)


def test_the_older_spellings() -> None:
    """--cpuset, --cpushare and --environment are the flags that docker has under other names."""
    found = options("--cpuset", "0", "--cpushare", "512", "--environment", "A=b", "-m", "100m", "busybox")
    assert found["resources"] == {"memory": 100 << 20, "cpu_shares": 512, "cpuset_cpus": "0"}
    assert found["env"] == ["A=b"]
    assert resources(found["resources"]) == {
        "memory": {"limit": 100 << 20, "swap": 200 << 20},
        "cpu": {"shares": 512, "cpus": "0"},
    }


def test_no_limit_is_set_that_nobody_asked_for() -> None:
    """A container without flags has no processors, memory or weight of cooper's choice; 0 is no limit either."""
    assert resources(options("busybox")["resources"]) == {}
    assert resources(options("-m", "0", "--memory-swap", "0", "busybox")["resources"]) == {}


def test_files_of_a_control_group() -> None:
    """--cgroup-conf goes to the runtime as it is: linux.resources.unified."""
    found = options(
        "--cgroup-conf", "memory.high=50000000", "--cgroup-conf", "io.weight=default 50", "busybox"
    )
    assert resources(found["resources"]) == {
        "unified": {"memory.high": "50000000", "io.weight": "default 50"}
    }


@pytest.mark.parametrize(
    ("words", "mount"),
    [
        (("-v", "/a:/b:ro"), {"type": "bind", "source": "/a", "target": "/b", "options": ["ro"]}),
        (("-v", "name:/b"), {"type": "volume", "source": "name", "target": "/b", "options": []}),
        (("-v", "/b"), {"type": "volume", "source": "", "target": "/b", "options": []}),
        (("--tmpfs", "/t:size=1m"), {"type": "tmpfs", "source": "", "target": "/t", "options": ["size=1m"]}),
    ],
)
def test_mounts(words: tuple[str, ...], mount: dict[str, Any]) -> None:
    """A source with a slash is a path, one without a volume."""
    assert options(*words, "busybox")["mounts"] == [mount]


@pytest.mark.parametrize(
    "words",
    [
        ("-v", "/a:b"), ("-v", "/a:/"), ("-v", "a b:/x"), ("-v", "/a:/x", "--tmpfs", "/x"), ("--mount", "type=bind,dst=/x"),
        ("--restart", "sometimes"), ("--restart", "always", "--rm"), ("--memory-swap", "1m", "-m", "2m"),
        ("--cpus", "1", "--cpu-quota", "1"), ("--ulimit", "nofile=9:1"), ("--name", "-x"), ("--umask", "9"),
        ("--cap-add", "not-one!"), ("--health-cmd", "x", "--no-healthcheck"), ("-e", "=x"), ("--rootfs", "/tmp/.."),
        ("--restart", "on-failure:²"), ("--log-opt", "max-file=²"), ("--mount", "type=image,src=a,dst=/a"),
    ],
)  # fmt: skip
def test_what_makes_no_container(words: tuple[str, ...]) -> None:
    """Is refused before anything is made."""
    with pytest.raises(UsageError):
        options(*words, "busybox")


def test_errors_of_runtimes() -> None:
    """The last error of a log in JSON is found, and has docker's exit status."""
    log = '{"level":"warning","msg":"w"}\n{"level":"error","msg":"exec: \\"x\\": executable file not found in $PATH"}\n'
    assert last_error(log).startswith("exec:")
    assert start_error("start", last_error(log)).status == 127
    assert start_error("start", 'exec: "/etc": permission denied').status == 126
    assert start_error("start", 'mounts[3] "/data": bind /srv: No such file or directory').status == 125


def test_maps_that_keep_an_id() -> None:
    """Every id inside is one outside, and the one is the same."""
    maps = keep_id(1000, 1000, 1 << 20, 65536)
    assert [outside(maps, each) for each in (0, 999, 1000, 1001, 65535)] == [
        1 << 20, (1 << 20) + 999, 1000, (1 << 20) + 1001, (1 << 20) + 65535,
    ]  # fmt: skip
    assert all(inside(maps, outside(maps, each)) == each for each in (0, 999, 1000, 1001, 65535))
    assert sum(each["size"] for each in maps) == 65536
    assert (outside(maps, 70000), outside([], 5)) == (65534, 5)
