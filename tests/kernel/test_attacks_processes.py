"""Attacks by processes: descriptors and directories of the host's, the runtime's program, users and capabilities."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .attacks import INSPECTOR, OVERWRITER, Canary, forget_programs, program
from .driver import Container
from .host import status_field
from .test_user_namespaces import with_user_namespace

ALL_SETS = ("bounding", "effective", "permitted")


@pytest.fixture(scope="module", autouse=True)
def programs() -> Iterator[None]:
    """The attackers' programs are gone in the end."""
    yield
    forget_programs()


NUMBERS = (*range(3, 12), 200)


@pytest.fixture
def leaked(directory: Path) -> Iterator[int]:
    """A descriptor of a host directory that whoever starts the runtime has forgotten to close, as number 200."""
    canary = Canary(directory / "canary")
    descriptor = os.open(canary.path, os.O_RDONLY | os.O_DIRECTORY)
    os.dup2(descriptor, 200, inheritable=True)
    os.close(descriptor)
    yield 200
    os.close(200)
    canary.assert_alive()


@pytest.mark.parametrize("through", ["", "/link"])
def test_directory_by_descriptor(container: Container, leaked: int, through: str) -> None:
    """No number of a descriptor is a way to a directory of the host, in the configuration or through a link in the
    image. (CVE-2024-21626)"""
    for number in NUMBERS:
        path = f"/proc/self/fd/{number}"
        if through:
            link = container.rootfs / "link"
            link.unlink(missing_ok=True)
            link.symlink_to(path)
        container.process["cwd"] = through or path
        container.runs("readlink", "/proc/self/cwd")
        outcome = container.run(status=None, close_fds=False)
        if outcome.status == 0:
            assert "stave-tests" not in outcome.output and "(" not in outcome.output
        container.delete("--force")


def test_exec_in_a_directory_by_descriptor(container: Container, leaked: int) -> None:
    """Nor for `exec`, whose --cwd often comes from users. (CVE-2024-21626)"""
    container.launch()
    for number in NUMBERS:
        words = [f"--cwd=/proc/self/fd/{number}", "ls", "."]
        outcome = container.exec(*words, status=None, close_fds=False)
        assert outcome.status == 255, outcome.output


def test_directory_of_a_preserved_descriptor(container: Container, leaked: int) -> None:
    """A descriptor that the caller does hand over is one thing, to begin outside of the root is another: this is
    what the tests before would see if a descriptor leaked."""
    container.process["cwd"] = "/proc/self/fd/3"
    container.write_config()

    def hand_over() -> None:
        os.dup2(leaked, 3, inheritable=True)

    words: list[str | Path] = ["create", "--bundle", container.bundle, "--preserve-fds", "1", container.id]
    line = container.stave.fails(*words, close_fds=False, preexec_fn=hand_over)
    assert "process.cwd" in line and "not inside the root file system" in line


def test_open_descriptors(container: Container, leaked: int) -> None:
    """The program has three descriptors, and no other, after create and start, run, and exec."""
    container.script("ls /proc/self/fd | tr '\\n' ' '; sleep 1000")
    container.run("--detach", close_fds=False)
    container.eventually_says("3 ")
    assert container.output == "0 1 2 3 "  # 3 is ls's own
    words = ["sh", "-c", "ls /proc/self/fd | tr '\\n' ' '"]
    assert container.exec(*words, close_fds=False).output == "0 1 2 3 "


def test_descriptors_while_created(container: Container, leaked: int) -> None:
    """A container that waits for `start` holds nothing but its streams and what it waits with."""
    container.create(close_fds=False)
    links = [
        os.readlink(f"/proc/{container.pid}/fd/{number}")
        for number in os.listdir(f"/proc/{container.pid}/fd")
    ]
    others = sorted(link.partition(":")[0] for link in links if not link.startswith("/"))
    assert others == ["anon_inode", "socket"]
    assert len([link for link in links if link.startswith("/")]) == 3
    assert os.readlink(f"/proc/{container.pid}/cwd") == "/"


def test_executed_from_a_sealed_copy(container: Container) -> None:
    """The process that waits is no file of the host's, and its copy can be written by nobody. (CVE-2019-5736)"""
    container.create()
    path = f"/proc/{container.pid}/exe"
    assert os.readlink(path).startswith("/memfd:stave-init")
    with pytest.raises(OSError):
        os.close(os.open(path, os.O_WRONLY))


def host_files() -> dict[str, str]:
    """Checksums of the runtime, its libraries and its interpreter."""
    import stave

    package = Path(stave.__file__).parent
    files = [Path(sys.executable).with_name("stave"), Path(sys.executable).resolve(), *package.rglob("*.so")]
    files += [*package.glob("*.bundle"), Path("/usr/bin/env")]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("variant", ["shebang", "link", "program"])
def test_own_program_is_overwritten(container: Container, variant: str) -> None:
    """An entry point that becomes the runtime's program, or looks for it, overwrites nothing on the host.
    (CVE-2019-5736)"""
    before = host_files()
    attacker = program(OVERWRITER, container.rootfs / "attacker")
    container.process["capabilities"] = dict.fromkeys(ALL_SETS, ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"])
    entry = container.rootfs / "entry"
    if variant == "shebang":
        entry.write_text("#!/proc/self/exe\n")
        entry.chmod(0o755)
    elif variant == "link":
        entry.symlink_to("/proc/self/exe")
    else:
        entry.symlink_to("/attacker")
    container.runs("/entry")
    container.run(status=None)
    container.delete("--force")
    container.launch()
    for _ in range(5):
        container.exec("/entry", status=None)
    assert attacker.exists()
    assert host_files() == before


@pytest.mark.parametrize("capable", ["", "capable", "capable in a user namespace"])
def test_joining_process_is_inspected(container: Container, capable: str) -> None:
    """A container's root that watches every process appear finds none that holds a directory or a file of the host's,
    even with CAP_SYS_PTRACE; without it for the host's own ids, it does not see the process at all. (CVE-2016-9962)"""
    program(INSPECTOR, container.rootfs / "inspector")
    if "user" in capable:
        with_user_namespace(container, 0)
    if capable:
        container.process["capabilities"] = dict.fromkeys(ALL_SETS, ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"])
    container.runs("/inspector")
    container.run("--detach")
    container.eventually_says("ready")
    for count in range(400):
        # As often as it takes the inspector to catch one, which without the capability it never does.
        if count >= 40 and (capable != "capable" or len(container.output.splitlines()) > 1):
            break
        container.exec("true", stdin=subprocess.DEVNULL)
    (container.rootfs / "tmp/stop").touch()
    assert container.wait() == 0
    found = container.output.splitlines()[1:]
    # What they are executing by then is the container's own; streams are the test's files, given on purpose.
    harmless = ("/bin/busybox", "/", "/dev/null", "/memfd:stave-init (deleted)")
    kinds = {
        line
        for line in found
        if line not in harmless and not line.startswith(("socket:", "anon_inode:", "pipe:"))
    }
    streams = {line for line in kinds if "/stdout-" in line or "/stderr-" in line}
    assert kinds - streams == set()
    if capable != "capable":
        assert not [line for line in found if "stave-init" in line]
    else:
        assert found, "the inspector sees nothing: the test would prove nothing"


def test_number_as_a_name(container: Container) -> None:
    """A user given as a number is that number, whatever names the image's passwd has. (CVE-2016-3697)"""
    (container.rootfs / "etc/passwd").write_text("1000:x:0:0::/root:/bin/sh\nroot:x:0:0::/root:/bin/sh\n")
    (container.rootfs / "etc/group").write_text("1000:x:0:\n")
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.launch()
    for flags in ([], ["--user=1000"], ["--user=1000:1000"]):
        assert container.exec_says(*flags, "sh", "-c", "id -u; id -g").split() == ["1000", "1000"]


@pytest.mark.parametrize(
    "user", ["1:", ":1", "+1", "-1", " 1", "1 ", "0x1", "root", "1:root", "4294967295", "4294967296", "1:4294967295",
             "18446744073709551616", "1:2:3", "١", "1e3"],
)  # fmt: skip
def test_no_user(container: Container, user: str) -> None:
    """What is no number of a user is refused, and never taken for root. (CVE-2026-30892, CVE-2024-40635)"""
    container.launch()
    outcome = container.exec(f"--user={user}", "id", "-u", status=None)
    assert (outcome.status, outcome.output) == (255, "")


@pytest.mark.parametrize(("user", "ids"), [("1", "1 0"), ("1:2", "1 2"), ("4294967294", "4294967294 0")])
def test_user(container: Container, user: str, ids: str) -> None:
    """What is one is that one."""
    container.launch()
    assert container.exec_says(f"--user={user}", "sh", "-c", "echo $(id -u) $(id -g)") == ids


def test_nothing_inheritable(container: Container) -> None:
    """No process has inheritable capabilities that the configuration does not list. (CVE-2022-29162, CVE-2022-24769)"""
    container.launch()
    assert status_field(container.pid, "CapInh") == "0" * 16
    for flags in ([], ["--cap=CAP_NET_RAW"], ["--cap=CAP_SYS_ADMIN", "--user=1000"], ["--user=1000"]):
        said = container.exec_says(*flags, "grep", "-E", "CapInh|CapAmb", "/proc/self/status")
        assert said.split()[1::2] == ["0" * 16] * 2


def test_denied_by_a_group(container: Container) -> None:
    """A group that is given counts against its members too: nobody slips out of it."""
    file = container.rootfs / "tmp/file"
    file.write_text("secret")
    os.chown(file, 0, 5)
    file.chmod(0o705)
    container.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5]}
    container.launch()
    container.exec("cat", "/tmp/file", status=1)
    container.exec("--user=1001", "cat", "/tmp/file", status=1)
    container.exec("--user=1001", "--additional-gids=7", "cat", "/tmp/file", status=1)
    file.chmod(0o745)
    container.exec("cat", "/tmp/file")


@pytest.mark.parametrize("what", ["path", "mappings", "id", "hostname", "destination"])
def test_oversize(container: Container, what: str) -> None:
    """Lengths that no kernel takes end in one line that says so. (CVE-2021-43784)"""
    name = container.id
    if what == "path":
        container.linux["namespaces"].append({"type": "user", "path": "/" + "x" * 70_000})
    elif what == "mappings":
        container.linux["namespaces"].append({"type": "user"})
        lines = [{"containerID": number, "hostID": 100_000 + number, "size": 1} for number in range(10_000)]
        container.linux["uidMappings"] = container.linux["gidMappings"] = lines
    elif what == "hostname":
        container.config["hostname"] = "x" * 70_000
    elif what == "destination":
        container.mount("/" + "x" * 70_000, type="tmpfs")
    else:
        name = "x" * 70_000
    container.write_config()
    outcome = container.stave("create", "--bundle", container.bundle, name, status=1)
    line = outcome.errors
    assert "\n" not in line and "Traceback" not in line
    cause = ("at most 64 bytes", "too long", "Invalid argument", "invalid container ID", "File name")
    assert any(text in line for text in cause), line[-200:]


def test_the_null_device_keeps_its_owner(container: Container) -> None:
    """A stream that is the null device is not given to the container's user. (CVE-2026-88265)"""
    before = os.stat(os.devnull)
    container.process["user"] = {"uid": 1234, "gid": 1234}
    container.launch()
    container.exec("true", stdin=subprocess.DEVNULL)
    after = os.stat(os.devnull)
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)
    assert before.st_uid != 1234
