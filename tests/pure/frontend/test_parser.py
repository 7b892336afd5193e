"""The command line is read as docker reads it."""

from __future__ import annotations

import pytest

from cooper.cli.command import BOOL, LIST, NUMBER, TEXT, Command, Flag, Invocation
from cooper.cli.parser import parse_command, parse_flags
from cooper.errors import UsageError
from cooper.settings import Settings

FLAGS = (
    Flag("interactive", "i", BOOL),
    Flag("tty", "t", BOOL),
    Flag("env", "e", LIST, "NAME=VALUE"),
    Flag("workdir", "w", TEXT, "DIR"),
    Flag("cpu-shares", "c", NUMBER, "N", aliases=("cpushare",)),
)


def read(*words: str, in_order: bool = True, minimum: int = 0, maximum: int = -1) -> Invocation:
    """The words, read by a command of the flags above."""
    invocation = Invocation("test", Settings("/nowhere"))
    invocation.arguments = list(words)
    parse_flags(invocation, Command("WORDS", minimum, maximum, FLAGS, in_order))
    return invocation


def test_letters_may_be_joined() -> None:
    """-it is -i -t, and the last letter may take a value."""
    options = read("-itw", "/srv", "busybox").options
    assert (options["interactive"], options["tty"], options["workdir"]) == (True, True, "/srv")


@pytest.mark.parametrize(
    "words", [("-w", "/a"), ("-w/a",), ("-w=/a",), ("--workdir", "/a"), ("--workdir=/a",)]
)
def test_a_value_in_every_form(words: tuple[str, ...]) -> None:
    """A value is the next word, or joined with or without an equals sign."""
    assert read(*words).options["workdir"] == "/a"


def test_other_spellings_of_a_flag() -> None:
    """An alias fills the option of the flag's own name, and is noted as given."""
    invocation = read("--cpushare", "512")
    assert (invocation.options["cpu-shares"], invocation.given) == (512, {"cpu-shares"})


def test_flags_after_the_first_argument_belong_to_the_program() -> None:
    """Of `run -i busybox ls -l --all` only -i is cooper's."""
    invocation = read("-i", "busybox", "ls", "-l", "--all")
    assert invocation.arguments == ["busybox", "ls", "-l", "--all"]
    assert not invocation.options["tty"]


def test_flags_among_the_arguments() -> None:
    """A command whose arguments are its own takes flags anywhere before `--`."""
    invocation = read("one", "-t", "two", "--", "-i", in_order=False)
    assert invocation.arguments == ["one", "two", "-i"]
    assert (invocation.options["tty"], invocation.options["interactive"]) == (True, False)


def test_a_list_keeps_its_order() -> None:
    """Every value of a repeated flag is kept, values that look like flags too."""
    assert read("-e", "A=b", "--env=C", "-e", "-x").options["env"] == ["A=b", "C", "-x"]


def test_a_flag_may_be_switched_off() -> None:
    """--tty=false is false, whatever stood before."""
    assert read("-t", "--tty=false").options["tty"] is False


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--nonsense",), "unknown flag: --nonsense"),
        (("-tz",), "unknown flag: -z in -tz"),
        (("--cpu-shares", "many"), "'many' is not a whole number"),
        (("--tty=perhaps",), "neither true nor false"),
        (("-w",), "-w needs a value"),
    ],
)
def test_a_wrong_flag_is_named(words: tuple[str, ...], text: str) -> None:
    """The error says which flag is wrong and how."""
    with pytest.raises(UsageError, match=text):
        read(*words)


def test_the_number_of_arguments() -> None:
    """Too few and too many arguments are refused with the form that is wanted."""
    for words in ((), ("a", "b")):
        with pytest.raises(UsageError, match="takes WORDS"):
            read(*words, minimum=1, maximum=1)


def test_global_flags_and_an_unknown_command() -> None:
    """Global flags stand before the command; a mistyped command is answered with the nearest."""
    invocation = parse_command(["--root", "/srv/x/", "--runtime=crun", "version"])
    assert (invocation.settings.root, invocation.settings.run) == ("/srv/x", "/srv/x/run")
    assert (invocation.command, invocation.settings.runtime) == ("version", "crun")
    with pytest.raises(UsageError, match="did you mean version"):
        parse_command(["versoin"])
