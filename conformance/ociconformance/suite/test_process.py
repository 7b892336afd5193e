"""The program: arguments, environment, directory, user, limits, terminal, descriptors, names."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ociconformance.console import Console, on_terminal
from ociconformance.container import Container, eventually
from ociconformance.plugin import NewContainer
from ociconformance.probe import mounts
from ociconformance.testing import case, covers


@covers("config/process/args")
def test_args(container: Container) -> None:
    """The program gets its arguments as they are."""
    words = ["a b", "", "ü\n", "$x", "-n", "'\""]
    container.process["args"] = ["sh", "-c", 'printf "[%s]" "$0" "$@"', "zero", *words]
    container.run()
    assert container.output == "".join(f"[{word}]" for word in ["zero", *words])


@covers("config/process/args/execvp")
def test_path_search(container: Container) -> None:
    """A name without a slash is searched along the PATH of env."""
    for name in ("one", "two"):
        (container.rootfs / name).mkdir()
        tool = container.rootfs / name / "tool"
        tool.write_text(f"#!/bin/sh\necho {name}\n")
        tool.chmod(0o755)
    container.process["env"] = ["PATH=/missing:/two:/one:/bin"]
    container.process["args"] = ["tool"]
    assert container.run() == 0
    assert container.output == "two"


@covers("config/process/args/execvp")
def test_a_path_is_not_searched(container: Container) -> None:
    """A name with a slash is a path, from the working directory on."""
    tool = container.rootfs / "tmp" / "tool"
    tool.write_text("#!/bin/sh\npwd\n")
    tool.chmod(0o755)
    container.process["cwd"] = "/tmp"
    container.process["args"] = ["./tool"]
    assert container.run() == 0
    assert container.output == "/tmp"


@pytest.mark.parametrize("kind", ["missing", "not executable", "a directory"])
@covers("runtime/create/not-applicable", "config/valid-values/error")
def test_no_program(container: Container, kind: str) -> None:
    """A program that can't be executed is an error, by `start` at the latest."""
    if kind == "not executable":
        (container.rootfs / "tmp" / "program").write_text("#!/bin/sh\n")
    elif kind == "a directory":
        (container.rootfs / "tmp" / "program").mkdir()
    container.process["args"] = ["/tmp/program"]
    if container.try_create().status == 0:
        assert container.try_start().status != 0, "create and start ended with status 0"


@covers("config/process/args/first")
@pytest.mark.parametrize("args", [[], None])
def test_no_args(container: Container, args: list[str] | None) -> None:
    """Without args there is nothing to run: an error, by `start` at the latest."""
    container.process["args"] = args
    if args is None:
        del container.process["args"]
    if container.try_create().status == 0:
        assert container.try_start().status != 0, "create and start ended with status 0"


@covers("config/process/env")
def test_env(container: Container) -> None:
    """The program's environment is what is configured, and nothing of the caller's."""
    entries = ["PATH=/bin", "KEY=a b=c", "EMPTY=", "HOME=/somewhere", "UNI=ü"]
    container.process["env"] = entries
    container.process["args"] = ["sh", "-c", "tr '\\0' '\\n' < /proc/$$/environ; :"]
    outcome = container.try_create(env={**os.environ, "OF_THE_CALLER": "1"})
    assert outcome.status == 0, str(outcome)
    container.start().wait()
    assert set(container.output.split("\n")) == set(entries)


@covers("config/process/cwd")
@pytest.mark.parametrize("cwd", ["/", "/bin", "/dev/shm"])
def test_cwd(container: Container, cwd: str) -> None:
    """The program starts in cwd."""
    container.process["cwd"] = cwd
    assert container.says("pwd") == cwd


@covers("config/process/cwd/absolute")
def test_relative_cwd(container: Container) -> None:
    """A relative cwd is refused."""
    container.process["cwd"] = "bin"
    container.refused_or_not_run()


@covers("config/process/user/uid", "config/process/user/gid", "config/process/user/additional-gids")
@pytest.mark.parametrize(
    ("user", "groups"),
    [
        ({"uid": 0, "gid": 0}, [0]),
        ({"uid": 1000, "gid": 1001}, [1001]),
        ({"uid": 1000, "gid": 1001, "additionalGids": [5, 7, 4_000_000]}, [5, 7, 1001, 4_000_000]),
        ({"uid": 0, "gid": 0, "additionalGids": [10]}, [0, 10]),
    ],
)
def test_user(container: Container, user: dict[str, Any], groups: list[int]) -> None:
    """The program has exactly the configured IDs, in all their kinds."""
    container.process["user"] = user
    container.process["args"] = ["cat", "/proc/self/status"]
    container.run()
    status = dict(line.split(":\t", 1) for line in container.output.splitlines() if ":\t" in line)
    assert status["Uid"].split() == [str(user["uid"])] * 4
    assert status["Gid"].split() == [str(user["gid"])] * 4
    # The group itself may be among the others, and need not.
    assert {*map(int, status["Groups"].split()), user["gid"]} == set(groups)


@covers("config/process/user/umask")
@pytest.mark.parametrize("umask", [0, 0o77, 0o27])
def test_umask(container: Container, umask: int) -> None:
    """The program has the configured umask."""
    container.process["user"]["umask"] = umask
    assert int(container.says("umask"), 8) == umask


@covers("config/process/user/umask-unset")
def test_umask_of_the_caller(container: Container) -> None:
    """Without one it has that of the runtime's caller."""
    container.script("umask")
    outcome = container.try_create(umask=0o13)
    assert outcome.status == 0, str(outcome)
    container.start().wait()
    assert int(container.output, 8) == 0o13


LIMITS = {
    "RLIMIT_AS": "Max address space",
    "RLIMIT_CORE": "Max core file size",
    "RLIMIT_CPU": "Max cpu time",
    "RLIMIT_DATA": "Max data size",
    "RLIMIT_FSIZE": "Max file size",
    "RLIMIT_LOCKS": "Max file locks",
    "RLIMIT_MEMLOCK": "Max locked memory",
    "RLIMIT_MSGQUEUE": "Max msgqueue size",
    "RLIMIT_NICE": "Max nice priority",
    "RLIMIT_NOFILE": "Max open files",
    "RLIMIT_NPROC": "Max processes",
    "RLIMIT_RSS": "Max resident set",
    "RLIMIT_RTPRIO": "Max realtime priority",
    "RLIMIT_RTTIME": "Max realtime timeout",
    "RLIMIT_SIGPENDING": "Max pending signals",
    "RLIMIT_STACK": "Max stack size",
}
"""The kinds of limits, and how /proc/PID/limits calls them."""


def limit(text: str, name: str) -> list[str]:
    """The soft and the hard limit in the text of a limits file."""
    line = next(line for line in text.splitlines() if line.startswith(LIMITS[name]))
    return line.removeprefix(LIMITS[name]).split()[:2]


def lower(name: str) -> tuple[int, int]:
    """A soft and a hard limit that nobody needs privileges for, different ones if the host's leave room."""
    _, hard = limit(Path("/proc/self/limits").read_text(), name)
    wanted = {"RLIMIT_AS": 1 << 34, "RLIMIT_DATA": 1 << 34, "RLIMIT_CPU": 1000}.get(name, 8 << 20)
    highest = wanted if hard == "unlimited" else min(wanted, int(hard))
    return max(highest - highest // 4, 0), highest


@covers(
    "config/process/rlimits",
    "config/process/rlimits/getrlimit",
    "config/process/rlimits/soft",
    "config/process/rlimits/hard",
)
@pytest.mark.parametrize("name", LIMITS)
def test_limits(container: Container, name: str) -> None:
    """The program has the configured soft and hard limit."""
    soft, hard = lower(name)
    container.process["rlimits"] = [{"type": name, "soft": soft, "hard": hard}]
    container.process["args"] = ["cat", "/proc/self/limits"]
    assert container.run() == 0
    assert limit(container.output, name) == [str(soft), str(hard)]


@pytest.mark.parametrize(
    "entries",
    [
        case(
            [{"type": "RLIMIT_WEATHER", "soft": 1, "hard": 1}], covers="config/process/rlimits/type/unknown"
        ),
        case([{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}] * 2, covers="config/process/rlimits/duplicate"),
    ],
    ids=["unknown", "duplicate"],
)
def test_invalid_limits(container: Container, entries: list[dict[str, Any]]) -> None:
    """A limit that there is not, or that is named twice, is an error."""
    container.process["rlimits"] = entries
    container.refused_or_not_run()


@covers("config/process/terminal")
def test_terminal(container: Container) -> None:
    """With `terminal` the three streams are one pseudoterminal, which controls the session."""
    console = on_terminal(
        container, "tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && read x < /dev/tty; echo got $x"
    )
    assert "/dev/pts/0" in console.read_until("\n")
    console.write("hello\n")
    console.read_until("got hello")
    assert container.wait() == 0


@covers("config/process/console-size")
def test_console_size(container: Container) -> None:
    """The terminal has the configured size."""
    container.process["consoleSize"] = {"height": 33, "width": 99}
    console = on_terminal(container, "stty size; read x")
    console.read_until("33 99")


@pytest.mark.parametrize(
    "missing",
    [
        case("height", covers="config/process/console-size/height"),
        case("width", covers="config/process/console-size/width"),
    ],
)
def test_half_a_console_size(container: Container, missing: str) -> None:
    """Without one of its two properties the size is refused."""
    container.process["consoleSize"] = {"height": 25, "width": 80}
    del container.process["consoleSize"][missing]
    with Console(container) as console:
        container.refused_or_not_run(*console.flag)


@covers("linux/default-devices/console")
def test_console_device(container: Container) -> None:
    """/dev/console is the program's terminal."""
    console = on_terminal(container, "stat -c %t:%T -L /dev/console /proc/self/fd/0; echo end; read x")
    first, second = [line for line in console.read_until("end").split("\n") if ":" in line]
    assert first == second


@covers("config/process/no-terminal")
def test_streams(container: Container) -> None:
    """Without a terminal the program's streams are those of `create`."""
    source = container.bundle / "input"
    source.write_text("from the caller\n")
    container.script("cat; echo to stderr >&2; [ -t 0 ] || echo no terminal")
    with source.open() as stdin:
        outcome = container.try_create(stdin=stdin)
    assert outcome.status == 0, str(outcome)
    container.start().wait()
    assert container.output == "from the caller\nno terminal"
    assert container.errors.endswith("to stderr\n")


@covers("config/process/console-size-ignored")
@pytest.mark.parametrize("terminal", [False, None])
def test_console_size_without_a_terminal(container: Container, terminal: bool | None) -> None:
    """Without a terminal its size is ignored."""
    container.process["consoleSize"] = {"height": 33, "width": 99}
    if terminal is not None:
        container.process["terminal"] = terminal
    assert container.says("echo hello") == "hello"


@covers("runtime-linux/descriptors")
def test_descriptors(container: Container) -> None:
    """The program has the three streams open, and nothing else of the runtime's or its caller's."""
    extra = os.open("/", os.O_RDONLY)
    os.set_inheritable(extra, True)
    container.script("ls /proc/$$/fd; :")
    try:
        outcome = container.try_create(close_fds=False)
    finally:
        os.close(extra)
    assert outcome.status == 0, str(outcome)
    container.start().wait()
    assert container.output.split() == ["0", "1", "2"]


@covers("config/hostname")
def test_hostname(container: Container) -> None:
    """The container has the configured host name, and the host keeps its own."""
    before = os.uname().nodename
    container.config["hostname"] = "some-name.example"
    assert container.says("hostname; uname -n") == "some-name.example\nsome-name.example"
    assert os.uname().nodename == before


@covers("config/domainname")
def test_domainname(container: Container) -> None:
    """The container has the configured domain name."""
    before = Path("/proc/sys/kernel/domainname").read_text()
    container.config["domainname"] = "some.example"
    assert container.says("cat /proc/sys/kernel/domainname") == "some.example"
    assert Path("/proc/sys/kernel/domainname").read_text() == before


@covers("config/hostname", "runtime/create/not-applicable")
def test_hostname_without_a_namespace(container: Container) -> None:
    """A host name without a UTS namespace is an error, or changes nothing; never the host's name."""
    before = os.uname().nodename
    container.no_namespace("uts")
    container.config["hostname"] = "some-name"
    if container.try_create().status == 0:
        container.start().wait()
    assert os.uname().nodename == before


@pytest.mark.parametrize(
    ("name", "target"),
    [
        case("fd", "/proc/self/fd", covers="runtime-linux/dev-links/fd"),
        case("stdin", "/proc/self/fd/0", covers="runtime-linux/dev-links/stdin"),
        case("stdout", "/proc/self/fd/1", covers="runtime-linux/dev-links/stdout"),
        case("stderr", "/proc/self/fd/2", covers="runtime-linux/dev-links/stderr"),
    ],
)
def test_links(container: Container, name: str, target: str) -> None:
    """The customary links are in /dev."""
    assert container.says(f"readlink /dev/{name}") == target


@covers("runtime/scope/creator", "runtime/state/id-unique")
def test_two_at_a_time(new_container: NewContainer) -> None:
    """Two containers of one bundle's kind don't see each other's files, processes or names."""
    first, second = new_container(), new_container()
    for number, container in enumerate((first, second)):
        container.config["hostname"] = f"host-{number}"
        container.script("echo $(hostname) > /tmp/name; ls /proc | grep -c '^[0-9]'; exec sleep 1000")
        container.create().start()
    for number, container in enumerate((first, second)):
        file = container.rootfs / "tmp" / "name"
        eventually(lambda file=file: file.exists() and file.read_text(), "the name is written")  # type: ignore[misc]
        assert file.read_text() == f"host-{number}\n"


@covers("linux/default-devices/ptmx")
def test_ptmx(container: Container) -> None:
    """/dev/ptmx is that of the container's own devpts."""
    said = container.says(
        "stat -L -c '%t:%T %d %i' /dev/ptmx /dev/pts/ptmx; cat /proc/self/mountinfo"
    ).splitlines()
    assert said[0] == said[1] and said[0].startswith("5:2 ")
    assert any(mount.point == "/dev/pts" and mount.type == "devpts" for mount in mounts("\n".join(said[2:])))


@covers("config/process/env", "config/process/cwd")
def test_bundle_is_not_changed(container: Container) -> None:
    """Running a container leaves config.json and the modes of the root file system alone."""
    container.says("true")
    mode = stat.S_IMODE((container.rootfs / "bin").stat().st_mode)
    assert mode == 0o755
    assert '"ociVersion"' in (container.bundle / "config.json").read_text()
