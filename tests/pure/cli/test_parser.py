"""The command line is read as runc reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stave.cli.help import argument_parser
from stave.cli.parser import Invocation, parse
from stave.cli.table import BOOL, COMMANDS, GLOBAL, LIST, NUMBER
from stave.errors import UsageError


def options(*words: str) -> dict[str, object]:
    """The options that differ from the command's defaults."""
    invocation = parse(words)
    defaults: dict[str, object] = {
        flag[0][0]: [] if flag[1] == LIST else flag[2] for flag in COMMANDS[invocation.command][1]
    }
    assert defaults.keys() == invocation.options.keys()
    return {name: value for name, value in invocation.options.items() if value != defaults[name]}


@pytest.mark.parametrize(
    "words",
    [
        ["create", "--bundle", "/b", "web"],
        ["create", "-bundle", "/b", "web"],
        ["create", "--bundle=/b", "web"],
        ["create", "-bundle=/b", "web"],
        ["create", "-b", "/b", "web"],
        ["create", "--b", "/b", "web"],
        ["create", "-b=/b", "web"],
        ["create", "web", "-b", "/b"],
        ["create", "--bundle", "/a", "--bundle", "/b", "web"],
        ["create", "-b", "/b", "--", "web"],
    ],
)
def test_spellings(words: list[str]) -> None:
    """All of runc's spellings of a flag and its value mean the same."""
    assert options(*words) == {"bundle": "/b"}
    assert parse(words).arguments == ["web"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("--force", True), ("-f", True), ("--force=true", True), ("--force=T", True), ("--force=1", True),
     ("--force=false", False), ("--force=0", False), ("-f=F", False)],
)  # fmt: skip
def test_bool(word: str, expected: bool) -> None:
    """A bool takes a value only after "=", in Go's forms."""
    assert parse(["delete", word, "web"]).options["force"] is expected


def test_value_may_look_like_a_flag() -> None:
    """The word after a flag is its value, whatever it looks like."""
    assert options("create", "--pid-file", "--bundle", "web") == {"pid-file": "--bundle"}
    assert options("create", "--pid-file", "--", "web") == {"pid-file": "--"}
    assert options("create", "--pid-file=a=b", "web") == {"pid-file": "a=b"}


def test_global_options_stand_first() -> None:
    """Global flags are read before the command and not after it."""
    invocation = parse(
        ["--root", "/r", "-log=/l", "--log-format", "json", "--systemd-cgroup", "state", "web"]
    )
    assert invocation.command == "state"
    assert invocation.global_options["root"] == "/r"
    assert invocation.global_options["log"] == "/l"
    assert invocation.global_options["log-format"] == "json"
    assert invocation.global_options["systemd-cgroup"] is True
    with pytest.raises(UsageError, match="flag provided but not defined: -root"):
        parse(["state", "--root", "/r", "web"])


def test_exec_leaves_the_program_alone() -> None:
    """After the container, everything belongs to the program of `exec`."""
    invocation = parse(
        ["exec", "-t", "-e", "A=1", "--env", "B=2", "--", "web", "sh", "-c", "id", "-t", "--help"]
    )
    assert invocation.arguments == ["web", "sh", "-c", "id", "-t", "--help"]
    assert invocation.options["env"] == ["A=1", "B=2"]
    assert parse(["exec", "web", "--", "ls"]).arguments == ["web", "--", "ls"]


def test_ps_leaves_its_options_alone() -> None:
    """After the container, everything belongs to ps."""
    invocation = parse(["ps", "--format", "json", "web", "-f", "-o", "pid"])
    assert invocation.arguments == ["web", "-f", "-o", "pid"]
    assert invocation.options["format"] == "json"


def test_lists_are_not_shared() -> None:
    """Two parsed command lines do not share the list behind a repeated flag."""
    parse(["exec", "-e", "A=1", "web", "sh"])
    assert parse(["exec", "web", "sh"]).options["env"] == []


def test_no_new_privs_has_three_states() -> None:
    """`exec` tells --no-new-privs=false from its absence."""
    assert parse(["exec", "web", "sh"]).options["no-new-privs"] is None
    assert parse(["exec", "--no-new-privs=false", "web", "sh"]).options["no-new-privs"] is False


def test_signal_like_a_flag() -> None:
    """What is no flag of the command is an argument, once the first argument was seen."""
    assert parse(["kill", "web", "-9"]).arguments == ["web", "-9"]
    assert parse(["kill", "--all", "web", "9"]).arguments == ["web", "9"]
    assert parse(["kill", "web", "9", "-a"]).options["all"] is True


@pytest.mark.parametrize(
    ("words", "command", "arguments"),
    [
        ([], "help", []),
        (["--help"], "help", []),
        (["-h"], "help", []),
        (["create", "--help"], "help", ["create"]),
        (["create", "a", "b", "-h"], "help", ["create"]),
        (["exec", "-h"], "help", ["exec"]),
        (["help", "kill"], "help", ["kill"]),
        (["--version"], "version", []),
        (["-v"], "version", []),
        (["--version", "state"], "version", []),
        (["version"], "version", []),
    ],
)
def test_help_and_version(words: list[str], command: str, arguments: list[str]) -> None:
    """Help and version are asked for in any of runc's ways."""
    invocation = parse(words)
    assert (invocation.command, invocation.arguments) == (command, arguments)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["foo"], 'unknown command "foo"'),
        (["-"], 'unknown command "-"'),
        (["-x", "state", "web"], "flag provided but not defined: -x"),
        (["create", "-x", "web"], "flag provided but not defined: -x"),
        (["create", "--x=1", "web"], "flag provided but not defined: -x"),
        (["create", "---bundle", "web"], "flag provided but not defined: --bundle"),
        (["create", "--=b", "web"], "flag provided but not defined: -"),
        (["delete", "-fa", "web"], "flag provided but not defined: -fa"),
        (["create", "--bund", "/b", "web"], "flag provided but not defined: -bund"),
        (["create", "--bundle"], "flag needs an argument: -bundle"),
        (["exec", "-p"], "flag needs an argument: -p"),
        (["create", "--bundle", "a", "-b", "a", "x"], "cannot use two forms of the same flag: b bundle"),
        (["create", "--preserve-fds", "x", "web"], 'invalid value "x" for flag -preserve-fds: parse error'),
        (["create", "--preserve-fds=", "web"], 'invalid value "" for flag -preserve-fds: parse error'),
        (["create", "--preserve-fds=-1", "web"], 'invalid value "-1" for flag -preserve-fds: parse error'),
        (["create", "--preserve-fds=١", "web"], 'invalid value "١" for flag -preserve-fds: parse error'),
        (["create", "--preserve-fds=2147483648", "web"],
         'invalid value "2147483648" for flag -preserve-fds: parse error'),
        (["create", "--no-pivot=maybe", "web"], 'invalid boolean value "maybe" for -no-pivot: parse error'),
        (["delete", "--force=", "web"], 'invalid boolean value "" for -force: parse error'),
        (["--log-format", "xml", "list"], 'invalid value "xml" for flag -log-format: not one of text, json'),
        (["list", "-f", "yaml"], 'invalid value "yaml" for flag -f: not one of table, json'),
        (["create"], '"create" requires exactly 1 argument(s)'),
        (["create", "a", "b"], '"create" requires exactly 1 argument(s)'),
        (["state", "web", "--foo"], '"state" requires exactly 1 argument(s)'),
        (["delete", "--force", "false", "web"], '"delete" requires exactly 1 argument(s)'),
        (["kill"], '"kill" requires a minimum of 1 argument(s)'),
        (["kill", "a", "9", "9"], '"kill" requires a maximum of 2 argument(s)'),
        (["exec"], '"exec" requires a minimum of 1 argument(s)'),
        (["list", "a"], '"list" requires exactly 0 argument(s)'),
    ],
)  # fmt: skip
def test_refusals(words: list[str], message: str) -> None:
    """What runc refuses is refused, in its words where it has one line for it."""
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert str(caught.value) == message


def test_refusal_keeps_what_was_understood() -> None:
    """A wrong command line still tells where its error is to be logged, and in what form."""
    invocation = Invocation()
    with pytest.raises(UsageError):
        parse(["--log", "/l", "--log-format", "json", "create", "-x"], invocation)
    assert invocation.global_options["log"] == "/l"
    assert invocation.global_options["log-format"] == "json"
    assert invocation.command == "create"


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[str, list[str], list[str]]:
    """A command ("" for the global flags), words of its flags in the forms argparse knows, and arguments."""
    command = draw(st.sampled_from(["", *COMMANDS]))
    flags = COMMANDS[command][1] if command else GLOBAL
    words: list[str] = []
    for names, kind, _, choices, _, _ in draw(st.lists(st.sampled_from(flags), max_size=5)):
        if names[0] in ("help", "version"):
            continue
        if kind == BOOL:
            words.append(f"--{names[0]}")
            continue
        text = st.text("abc/.:=1", min_size=1, max_size=5)
        value = draw(
            st.sampled_from(choices) if choices else st.integers(0, 99).map(str) if kind == NUMBER else text
        )
        words += draw(st.sampled_from([[f"--{names[0]}", value], [f"--{names[0]}={value}"]]))
    minimum, maximum = COMMANDS[command][2:4] if command else (0, 0)
    count = draw(st.integers(minimum, maximum if maximum >= 0 else minimum + 2))
    return command, words, [f"argument{number}" for number in range(count)]


@given(command_lines())
def test_agrees_with_argparse(line: tuple[str, list[str], list[str]]) -> None:
    """The parser and an argparse parser of the same table read the same from a line that both can read."""
    command, words, arguments = line
    flags = COMMANDS[command][1] if command else GLOBAL
    invocation = parse([command, *words, *arguments] if command else [*words, "list"])
    read = invocation.options if command else invocation.global_options
    reference, rest = argument_parser(command).parse_known_args([*words, *arguments])
    assert rest == arguments
    assert rest == invocation.arguments
    for names, kind, _, _, _, _ in flags:
        expected = getattr(reference, names[0].replace("-", "_"))
        if kind == LIST:
            expected = expected or []
        elif kind == NUMBER:
            expected = int(expected)
        assert expected == read[names[0]]


@given(st.lists(st.text("-=abhfe1 ", max_size=6) | st.sampled_from([*COMMANDS, "--", "--help"]), max_size=6))
def test_every_line_is_read_or_refused(words: list[str]) -> None:
    """No command line ends in anything but an invocation of a known command, or a usage error."""
    try:
        invocation = parse(words)
    except UsageError:
        return
    assert invocation.command in COMMANDS
    _, _, minimum, maximum, _, _, _ = COMMANDS[invocation.command]
    assert minimum <= len(invocation.arguments)
    assert maximum < 0 or len(invocation.arguments) <= maximum
