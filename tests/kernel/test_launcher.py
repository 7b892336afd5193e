"""The launcher's answers and Python's are the same: every byte, every exit status, and what is left on the host."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import stave as package

from . import host
from .bundle import default_config, make_rootfs, without
from .driver import Container, Stave

START_TIME = 40  # where it stands in a record
SITE = Path(package.__file__).parent.parent
Configure = Callable[[Container], None]


@pytest.fixture
def without_python(runtime: Path, workshop: Path) -> Iterator[Path]:
    """The launcher with an interpreter that only says that it was started, by status 99."""
    prefix = workshop / "prefix"
    version = SITE.parent.name
    for directory in ("bin", f"lib/{version}/site-packages/stave/cli"):
        (prefix / directory).mkdir(parents=True)
    (prefix / f"lib/{version}/site-packages/stave/cli/main.py").touch()
    shutil.copy(runtime, prefix / "bin/stave")
    (prefix / "bin" / version).write_text("#!/bin/sh\nexit 99\n")
    (prefix / "bin" / version).chmod(0o755)
    yield prefix / "bin/stave"
    shutil.rmtree(prefix)


class Life:
    """A container's life by one program, and all that could be seen of it."""

    def __init__(self, executable: Path, creator: Path, place: Path, workshop: Path) -> None:
        self.creator = Stave(creator, place)
        self.stave = Stave(executable, place)
        make_rootfs(place / "bundle/rootfs", workshop / "busybox")
        config = default_config(f"/{host.GROUP}/same")
        self.container = Container(self.creator, "same", place / "bundle", config)
        self.seen: list[Any] = []
        self.saved = ""

    def see(self, *words: str, **how: Any) -> None:
        """The command's status and output, and what is on the host after it, are noted."""
        outcome = self.stave(*words, status=None, **how)
        directory = self.stave.root / "same"
        files = {path.name: path.stat().st_mode for path in directory.glob("*")} if directory.exists() else {}
        groups = [group for group in host.cgroups() if group.endswith("same")]
        self.seen.append((words, outcome.status, self.plain(outcome.output), self.plain(outcome.errors)))
        self.seen.append((sorted(files.items()), groups, host.mounts()))

    def plain(self, text: str) -> str:
        """The text without what differs from life to life: the pid, and the directory."""
        text = text.replace(str(self.stave.directory), "PLACE")
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]{18}Z", "TIME", text)
        return re.sub(
            r'"pid": ?[1-9]\d*|(?<=^\[)\d+|process \d+|(?<=^same {8})[1-9]\d* *', "PID", text, flags=re.M
        )


def first_ends(life: Life) -> None:
    """The first process has ended, and its parent has noticed."""
    life.container.wait()


def zombie(life: Life) -> None:
    """The first process has ended, and nobody has noticed."""
    host.eventually(lambda: not host.alive(life.container.pid), "the program ends")


def paused(life: Life) -> None:
    """The container is frozen."""
    life.creator("pause", "same")


def resumed(life: Life) -> None:
    """The container runs again."""
    life.creator("resume", "same")


def damaged(life: Life) -> None:
    """Somebody has written into state.json."""
    file = life.stave.root / "same/state.json"
    life.saved = file.read_text()
    file.write_text("{")


def repaired(life: Life) -> None:
    """It is as it was."""
    (life.stave.root / "same/state.json").write_text(life.saved)


# What happens: the words of commands, and functions in between. STATE stands for `state same`.
STATE = ("state", "same")
LIST = ("list",)
LIVES: dict[str, list[tuple[str, ...] | Callable[[Life], None]]] = {
    "ordinary": [
        STATE, LIST, ("start", "same"), STATE, LIST, ("kill", "same", "KILL"), first_ends, STATE, LIST,
        ("delete", "same"), STATE, LIST,
    ],
    "lists": [
        ("list", "-f", "json"), ("list", "-q"), ("start", "same"), ("list", "--format", "json"), ("list", "--quiet"),
        paused, LIST, ("list", "--format=json"), ("kill", "same", "KILL"), first_ends, ("list", "-f", "json"),
        ("delete", "same"), ("list", "-f", "json"), ("list", "-q"),
    ],
    "forced": [("delete", "--force", "same"), STATE, ("delete", "--force", "same")],
    "forced while it runs": [("start", "same"), ("delete", "-f", "same"), STATE],
    "refused": [
        ("delete", "same"), ("start", "same"), ("start", "same"), ("delete", "same"), ("kill", "same", "NOSUCH"),
        ("kill", "same", "0"), ("kill", "same", "KILL"), first_ends, ("kill", "same", "0"), ("kill", "same"),
        ("start", "same"), ("delete", "same"), ("delete", "same"), ("kill", "same"), ("start", "same"),
    ],
    "zombie": [("start", "same"), ("kill", "same", "9"), zombie, STATE, ("kill", "same", "9"), ("delete", "same")],
    "paused": [
        ("start", "same"), paused, STATE, ("kill", "same", "WINCH"), ("delete", "same"), ("kill", "same", "KILL"),
        first_ends, STATE, ("delete", "same"),
    ],
    "paused before start": [paused, STATE, ("start", "same"), resumed, STATE, ("delete", "--force", "same")],
    "forced while paused": [("start", "same"), paused, ("delete", "--force", "same")],
    "damaged": [damaged, STATE, LIST, ("list", "-q"), ("delete", "same"), ("start", "same"), ("kill", "same"), repaired, STATE],
    "all": [
        ("start", "same"), ("kill", "--all", "same", "KILL"), first_ends, ("kill", "--all", "same", "KILL"),
        ("delete", "same"),
    ],
    "frozen and thawed": [
        ("resume", "same"), ("pause", "same"), ("pause", "same"), STATE, ("ps", "--format", "json", "same"),
        ("resume", "same"), STATE, ("start", "same"), ("pause", "same"), STATE, ("resume", "same"), ("resume", "same"),
        STATE, ("ps", "-f", "json", "same"), ("kill", "same", "KILL"), first_ends, ("ps", "-f", "json", "same"),
        ("pause", "same"), ("resume", "same"), ("delete", "same"), ("pause", "same"), ("ps", "-f", "json", "same"),
    ],
    "unusual words": [
        ("state", "../same"), ("state",), ("state", "same", "same"), ("start", "--nosuch", "same"),
        ("list", "same"), ("list", "--format", "xml"), ("delete", "--force=false", "same"), ("kill", "same", "-9"), ("delete", "--force=true", "same"),
    ],
}  # fmt: skip


def annotated(container: Container) -> None:
    """Texts that a careless search in the printed state could stumble over."""
    container.runs("sleep", "1000")
    container.config["annotations"] = {"a": "é\n", "b": '"status": "created"'}


def host_pids(container: Container) -> None:
    """Without a PID namespace the first process's end is not that of the others."""
    container.runs("sleep", "1000")
    container.linux["namespaces"] = without(container.linux["namespaces"], "pid")


def hooked(container: Container) -> None:
    """With a hook, nothing is the launcher's."""
    container.runs("sleep", "1000")
    container.config["hooks"] = {"poststop": [{"path": "/bin/true"}]}


def sleeper(container: Container) -> None:
    """As simple as can be."""
    container.runs("sleep", "1000")


def short(container: Container) -> None:
    """Ends at once."""
    container.runs("true")


def cannot_be_executed(container: Container) -> None:
    """`start` fails, with a diagnosis."""
    container.runs("/bad")
    file = container.rootfs / "bad"
    file.write_text("#!/no/such/interpreter\n")
    file.chmod(0o755)


@pytest.fixture
def live(runtime: Path, in_python: Path, workshop: Path, host_unchanged: object, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Takes two containers through the same, one by the launcher and one by Python; returns what was seen of both."""

    def both(
        configure: Configure, steps: list[tuple[str, ...] | Callable[[Life], None]]
    ) -> list[list[object]]:
        seen = []
        for number, executable in enumerate((runtime, in_python)):
            place = workshop / f"life-{number}"  # of one length: columns are as wide as paths are long
            place.mkdir()
            life = Life(executable, runtime, place, workshop)
            configure(life.container)
            try:
                life.container.create()
                for step in steps:
                    if callable(step):
                        step(life)
                    else:
                        life.see(*step)
            finally:
                life.creator("delete", "--force", "same")
                shutil.rmtree(place)
            seen.append(life.seen)
        return seen

    return both


@pytest.mark.parametrize("name", LIVES)
def test_lives(live: Any, name: str) -> None:
    """Whatever happens to a container, both say and do the same."""
    by_launcher, by_python = live(sleeper, LIVES[name])
    assert by_launcher == by_python


@pytest.mark.parametrize("name", ["ordinary", "forced", "forced while it runs"])
@pytest.mark.parametrize("configure", [annotated, host_pids, hooked])
def test_configurations(live: Any, configure: Configure, name: str) -> None:
    """Whatever is configured, too."""
    by_launcher, by_python = live(configure, LIVES[name])
    assert by_launcher == by_python


@pytest.mark.parametrize("configure", [short, cannot_be_executed])
def test_soon_over(live: Any, configure: Configure) -> None:
    """Also of a program that does not run for long, or cannot run at all."""
    by_launcher, by_python = live(
        configure, [("start", "same"), first_ends, STATE, ("delete", "same"), STATE]
    )
    assert by_launcher == by_python


@pytest.mark.parametrize("output", ["/dev/full", "closed pipe"])
def test_state_cannot_be_printed(live: Any, output: str) -> None:
    """An output that takes nothing is the same failure, and no death by a signal."""

    def state(life: Life) -> None:
        if output == "/dev/full":
            with open(output, "w") as full:
                life.see(*STATE, stdout=full)
        else:
            process = subprocess.Popen(["true"], stdin=subprocess.PIPE)
            process.wait()
            life.see(*STATE, stdout=process.stdin)
            assert process.stdin is not None
            process.stdin.close()

    by_launcher, by_python = live(sleeper, [state])
    assert by_launcher == by_python
    assert by_launcher[0][1] == 1


@pytest.mark.parametrize(
    "words", [["--log", "LOG"], ["--log", "LOG", "--log-format", "json"], ["--log", "/"]]
)
def test_logs(live: Any, workshop: Path, words: list[str]) -> None:
    """The log exists after a command that had nothing to say, and one that cannot be opened is a failure."""
    log = workshop / "launcher.log"
    words = [word.replace("LOG", str(log)) for word in words]

    def state(life: Life) -> None:
        life.see(*words, *STATE)
        life.seen.append(log.exists() and re.sub(r"\d", "0", log.read_text()))
        log.unlink(missing_ok=True)

    by_launcher, by_python = live(sleeper, [state])
    assert by_launcher == by_python


def test_no_python_is_needed(container: Container, without_python: Path) -> None:
    """An ordinary container's `start`, `state`, `ps`, `pause`, `resume`, `kill`, `delete` and `list` start no
    interpreter, forced or not."""
    launcher = Stave(without_python, container.stave.directory)
    container.runs("sleep", "1000")
    container.config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}],
    }
    for force in (False, True):
        container.create()
        assert (container.stave.root / ".seccomp").is_dir()  # the filters that are kept are no container
        for words in (
            ["state"],
            ["start"],
            ["state"],
            ["ps", "--format=json"],
            ["pause"],
            ["state"],
            ["resume"],
        ):
            launcher(*words, container.id)
        assert launcher("list", "--quiet").output == container.id
        if not force:
            launcher("kill", container.id, "KILL")
            container.wait()
            launcher("state", container.id)
        launcher("delete", *["--force"] * force, container.id)
    launcher("state", container.id, status=99)


def test_a_saved_state_makes_the_record_worthless(container: Container, without_python: Path) -> None:
    """Whoever saves state.json again need not know of the record: it counts no longer."""
    from stave.container import state

    container.runs("sleep", "1000")
    container.create()
    launcher = Stave(without_python, container.stave.directory)
    launcher("state", container.id)
    state.Container.load(str(container.stave.root), container.id).save()
    launcher("state", container.id, status=99)
    assert container.status == "created"


def test_a_recycled_pid(container: Container, without_python: Path) -> None:
    """A process with the pid but another start time is not the container's: nothing is sent to it."""
    container.runs("sleep", "1000")
    container.create()
    record = container.stave.root / container.id / "record"
    data = bytearray(record.read_bytes())
    data[START_TIME] ^= 1
    record.write_bytes(data)
    launcher = Stave(without_python, container.stave.directory)
    assert '"status": "stopped"' in launcher("state", container.id).output
    launcher("kill", container.id, "KILL", status=99)
    launcher("start", container.id, status=99)
    assert container.stave("kill", container.id, "KILL").errors == ""
    container.wait()


def test_locked(container: Container, without_python: Path) -> None:
    """A container that another command is at work on is left to Python, which waits."""
    container.runs("sleep", "1000")
    container.create()
    launcher = Stave(without_python, container.stave.directory)
    descriptor = os.open(container.stave.root / container.id, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        launcher("start", container.id, status=99)
        launcher("delete", "--force", container.id, status=99)
        launcher("state", container.id)
    finally:
        os.close(descriptor)
    launcher("delete", "--force", container.id)
