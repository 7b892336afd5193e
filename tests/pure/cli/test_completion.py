"""The completion scripts, in the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from stave.cli.completion import SHELLS
from stave.cli.completion.candidates import arguments_of, value_of
from stave.cli.main import execute
from stave.cli.table import COMMANDS, GLOBAL

PROGRAM = """\
#!/bin/sh
test "$*" = "list --quiet" && echo web1 web2 | tr ' ' '\\n'
test "$*" = "--root /other list --quiet" && echo other
"""


@pytest.fixture
def place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A directory with the scripts, a `stave` that lists containers, and a directory and a file to complete."""
    for shell in SHELLS:
        assert execute(["completion", shell]) == 0
        (tmp_path / f"script.{shell}").write_text(capfd.readouterr().out)
    program = tmp_path / "bin/stave"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (tmp_path / "here/bundle one").mkdir(parents=True)
    (tmp_path / "here/basic.json").touch()
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    """In which only this stave is found."""
    return {"PATH": f"{place}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(place), "TERM": "dumb"}


def run(place: Path, *command: str) -> str:
    """What the shell prints, which must have nothing to complain of."""
    done = subprocess.run(
        command, cwd=place / "here", env=environment(place), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def in_bash(place: Path, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    return all_in_bash(place, [words])[0]


def all_in_bash(place: Path, calls: Sequence[Sequence[str]]) -> list[set[str]]:
    """The same for several lines, in one shell: to start it takes longer than all the rest."""
    script = f". {place}/script.bash; "
    for words in calls:
        line = " ".join(f"'{word}'" for word in words)
        script += f"COMP_WORDS=(stave {line}); COMP_CWORD={len(words)}; _stave; "
        script += "printf '%s|' \"${COMPREPLY[@]}\"; echo; "
    lines = run(place, "bash", "-uc", script).splitlines()
    return [set(line.split("|")) - {""} for line in lines]


def in_fish(place: Path, *words: str) -> set[str]:
    """What fish offers for the last of the words."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    line = " ".join(("stave", *words)).replace(" = ", "=")
    output = run(place, "fish", "-c", f"source {place}/script.fish; complete --do-complete '{line}'")
    found = {item.split("\t")[0].rstrip("/") for item in output.splitlines()}
    return {item.rpartition("=")[2] for item in found}


def expected(kind: str) -> set[str]:
    """What stands for a kind of candidates here."""
    kinds = {
        ":container": {"web1", "web2"},
        ":directory": {"bundle one"},
        ":file": {"bundle one", "basic.json"},
    }
    return kinds.get(kind, set(kind.split()))


@pytest.mark.parametrize("words", [[""], ["--root", "/x", ""], ["--debug", "e"]])
def test_commands(place: Path, words: list[str]) -> None:
    """Where a command can stand, all are offered that begin so."""
    wanted = {name for name in COMMANDS if name.startswith(words[-1])}
    assert in_bash(place, *words) == wanted
    assert wanted <= in_fish(place, *words)


def test_flags_in_bash(place: Path) -> None:
    """Every flag is offered, with its values, before and after other words."""
    assert in_bash(place, "-") == {f"--{flag[0][0]}" for flag in GLOBAL}
    calls: list[tuple[str, ...]] = []
    wanted: list[set[str]] = []
    for command, (_, flags, *_) in COMMANDS.items():
        calls.append((command, "-"))
        wanted.append({f"--{flag[0][0]}" for flag in flags})
        for flag in flags:
            if (value := value_of(flag)) is not None:
                calls += [(command, f"--{flag[0][0]}", ""), (command, f"--{flag[0][0]}", "=", "")]
                wanted += [expected(value)] * 2
    assert all_in_bash(place, calls) == wanted


def test_flags_in_fish(place: Path) -> None:
    """Flags and their values are offered."""
    assert {f"--{flag[0][0]}" for flag in COMMANDS["create"][1]} <= in_fish(place, "create", "-")
    assert {"table", "json"} <= in_fish(place, "list", "--format", "")
    assert {"bundle one"} <= in_fish(place, "create", "--bundle", "")
    assert "basic.json" in in_fish(place, "exec", "--process", "")


def test_arguments_in_bash(place: Path) -> None:
    """Each argument is offered in its place, and nothing behind the last."""
    calls: list[tuple[str, ...]] = []
    wanted: list[set[str]] = []
    for command in COMMANDS:
        for number, (_, kind) in enumerate([*arguments_of(command), ("", "")]):
            calls.append((command, *["x"] * number, ""))
            wanted.append(expected(kind))
    assert all_in_bash(place, calls) == wanted


def test_containers(place: Path) -> None:
    """Containers are looked for in the state directory that the line names."""
    assert in_bash(place, "kill", "") == {"web1", "web2"}
    assert in_bash(place, "--root", "/other", "kill", "") == {"other"}
    assert "USR1" in in_bash(place, "kill", "web1", "U")
    assert in_bash(place, "kill", "--all", "web1", "US") == {"USR1", "USR2"}
    assert in_bash(place, "exec", "web1", "-") == set()  # the program's own
    assert {"web1", "web2"} <= in_fish(place, "kill", "")
    assert "other" in in_fish(place, "--root", "/other", "kill", "")


def test_zsh(place: Path, in_zsh: Callable[..., None]) -> None:
    """zsh completes commands, flags, values, directories and containers."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    assert run(place, "zsh", "-n", f"{place}/script.zsh") == ""
    lines = {
        "stave chec": "checkpoint",
        "stave create --cons": "console-socket",
        "stave list --format js": "json",
        "stave create --bundle bun": "bundle\\ one",
        "stave kill web": "web1",
        "stave --root /other kill o": "other",
    }
    in_zsh(place, environment(place), lines)


def test_unknown_shell(capfd: pytest.CaptureFixture[str]) -> None:
    """For another shell there is no script."""
    assert execute(["completion", "tcsh"]) == 1
    assert 'no completion for the shell "tcsh": there is one for bash, zsh, fish' in capfd.readouterr().err
