"""The process: arguments, environment, directory, user, groups, capabilities, limits. Spec: config.md#process"""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path

import pytest

from .driver import Container
from .host import status_field

CAPABILITIES = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_KILL": 5,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_SYS_ADMIN": 21,
}


CAP_SYS_RESOURCE = 24
needs_sys_resource = pytest.mark.skipif(
    not int(status_field(os.getpid(), "CapEff"), 16) >> CAP_SYS_RESOURCE & 1,
    reason="this machine's root has no CAP_SYS_RESOURCE",
)


def mask(*names: str) -> int:
    """The bits of capabilities."""
    return sum(1 << CAPABILITIES[name] for name in names)


def sets(container: Container) -> dict[str, int]:
    """The five capability sets of the program, as it reads them itself."""
    text = container.says("grep Cap /proc/self/status")
    return {line.split()[0].rstrip(":"): int(line.split()[1], 16) for line in text.splitlines()}


def test_arguments(container: Container) -> None:
    """Every argument arrives as it is written."""
    arguments = ["", " ", "a b", '"', "\\", "$HOME", "ä", "\n", "*"]
    container.runs("sh", "-c", "for at; do printf '<%s>' \"$at\"; done", "sh", *arguments)
    assert container.run().output == "".join(f"<{argument}>" for argument in arguments)


def test_many_arguments(container: Container) -> None:
    """Long lists are no matter."""
    container.runs("sh", "-c", "echo $#", "sh", *["x" * 50] * 5000)
    assert container.run().output == "5000"


def test_environment(container: Container) -> None:
    """The program has exactly the listed environment; HOME is added from /etc/passwd where it is missing."""
    (container.rootfs / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    container.process["env"] = ["PATH=/bin", "A=1", "EMPTY=", "B=x=y z", "A=2"]
    container.runs("cp", "/proc/self/environ", "/proc/self/fd/1")
    said = container.run().output
    assert said.split("\0") == ["PATH=/bin", "A=1", "EMPTY=", "B=x=y z", "A=2", "HOME=/root", ""]


@pytest.mark.parametrize(("uid", "home"), [(0, "/root"), (1000, "/home/app"), (1001, "/"), (7, "/")], ids=str)
def test_home(container: Container, uid: int, home: str) -> None:
    """HOME is that of the user's line, "/" without a line or without a directory in it."""
    (container.rootfs / "etc/passwd").write_text(
        "root:x:0:0::/root:/bin/sh\nbroken\n:::\n1000:x:5:5::/wrong:\napp:x:1000:1000::/home/app:\nno:x:1001:1:::\n"
    )
    container.process["user"] = {"uid": uid, "gid": 0}
    assert container.says("echo $HOME") == home


def test_home_given(container: Container) -> None:
    """A HOME that is listed stays."""
    container.process["env"] = ["PATH=/bin", "HOME=/elsewhere"]
    assert container.says("echo $HOME") == "/elsewhere"


def test_search_path(container: Container) -> None:
    """The program is looked for in the PATH of its own environment; the first that may be executed wins."""
    for name, mode in (("one", 0o644), ("two", 0o755), ("three", 0o755)):
        (container.rootfs / name).mkdir()
        (container.rootfs / name / "tool").write_text(f"#!/bin/sh\necho {name}\n")
        (container.rootfs / name / "tool").chmod(mode)
    container.process["env"] = ["PATH=/nosuch:/one:/two:/three"]
    container.runs("tool")
    assert container.run().output == "two"


def test_relative_program(container: Container) -> None:
    """A path with a slash counts from the working directory."""
    (container.rootfs / "work").mkdir()
    (container.rootfs / "work/tool").write_text("#!/bin/sh\necho found\n")
    (container.rootfs / "work/tool").chmod(0o755)
    container.process["cwd"] = "/work"
    container.runs("./tool")
    assert container.run().output == "found"


@pytest.mark.parametrize("cwd", ["/", "/tmp", "/new/deep", "/link"])
def test_directory(container: Container, cwd: str) -> None:
    """The program stands in its directory, which is made where it is missing."""
    (container.rootfs / "link").symlink_to("/tmp")
    container.process["cwd"] = cwd
    assert container.says("pwd -P") == ("/tmp" if cwd == "/link" else cwd)


def test_directory_closed_to_the_user(container: Container) -> None:
    """As with runc the program may stand where its user could not go."""
    (container.rootfs / "private").mkdir(mode=0o700)
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.process["cwd"] = "/private"
    container.runs("readlink", "/proc/self/cwd")
    assert container.run().output == "/private"


def test_directory_that_is_a_file(container: Container) -> None:
    """A working directory that is none is named."""
    (container.rootfs / "file").touch()
    container.process["cwd"] = "/file"
    line = container.fails()
    assert line.startswith("process.cwd") and line.endswith("Not a directory")


def test_user_and_groups(container: Container) -> None:
    """Ids are as configured, in all four kinds; the supplementary groups are those that are listed."""
    container.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 1001, 77]}
    text = container.says("grep -E 'Uid|Gid|Groups' /proc/self/status")
    assert [line.split()[1:] for line in text.splitlines()] == [
        ["1000"] * 4,
        ["1001"] * 4,
        ["5", "77", "1001"],
    ]


def test_no_groups(container: Container) -> None:
    """Groups of the caller are not passed on."""
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.runs("grep", "Groups", "/proc/self/status")
    assert container.run(extra_groups=[4, 27]).output.split() == ["Groups:"]


@pytest.mark.parametrize("uid", [0, 1, 65534, 4294967294])
def test_ids(container: Container, uid: int) -> None:
    """Every id but the last is one."""
    container.process["user"] = {"uid": uid, "gid": uid}
    assert container.says("id -u; id -g").split() == [str(uid)] * 2


@pytest.mark.parametrize(
    ("umask", "expected"), [(None, "0022"), (0, "0000"), (0o27, "0027"), (0o777, "0777")]
)
def test_umask(container: Container, umask: int | None, expected: str) -> None:
    """The umask is as configured, 022 otherwise, whatever the caller's is."""
    if umask is not None:
        container.process["user"]["umask"] = umask
    os.umask(0o077)
    try:
        assert container.says("umask") == expected
    finally:
        os.umask(0o022)


def test_capability_sets(container: Container) -> None:
    """Each of the five sets is what is listed for it."""
    container.process["capabilities"] = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_DAC_OVERRIDE", "CAP_NET_BIND_SERVICE"],
        "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "effective": ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "inheritable": ["CAP_NET_BIND_SERVICE", "CAP_CHOWN"],
        "ambient": ["CAP_NET_BIND_SERVICE"],
    }
    # noNewPrivileges keeps execve from giving root its capabilities back; a user who is not root has none to get.
    container.process["user"] = {"uid": 1000, "gid": 1000}
    found = sets(container)
    assert found["CapBnd"] == mask("CAP_CHOWN", "CAP_KILL", "CAP_DAC_OVERRIDE", "CAP_NET_BIND_SERVICE")
    assert found["CapInh"] == mask("CAP_NET_BIND_SERVICE", "CAP_CHOWN")
    assert found["CapAmb"] == mask("CAP_NET_BIND_SERVICE")
    # execve leaves a user the ambient ones.
    assert found["CapPrm"] == found["CapEff"] == mask("CAP_NET_BIND_SERVICE")


def test_capabilities_of_root(container: Container) -> None:
    """Root has what is in its bounding and inheritable sets: capabilities(7)."""
    container.process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), ["CAP_CHOWN"])
    found = sets(container)
    assert (found["CapBnd"], found["CapPrm"], found["CapEff"]) == (mask("CAP_CHOWN"),) * 3
    assert found["CapInh"] == found["CapAmb"] == 0


def test_no_capabilities(container: Container) -> None:
    """Without `capabilities` the program has none, root or not."""
    del container.process["capabilities"]
    assert set(sets(container).values()) == {0}


def test_unknown_capability(container: Container) -> None:
    """What is no capability is a warning, and left out. Spec: config.md#linux-process"""
    container.process["capabilities"] = {"bounding": ["CAP_CHOWN", "CAP_NOSUCH"]}
    container.runs("grep", "CapBnd", "/proc/self/status")
    outcome = container.run()
    assert outcome.output.split()[1] == "0000000000000001"
    assert "warning" in outcome.errors and "CAP_NOSUCH" in outcome.errors


@pytest.mark.parametrize("forbidden", [True, False])
def test_no_new_privileges(container: Container, forbidden: bool) -> None:
    """With noNewPrivileges a set-user-id program gives nothing."""
    place = container.rootfs / "suid"
    place.mkdir()
    program = place / "busybox"
    program.write_bytes((container.rootfs / "bin/busybox").read_bytes())
    program.chmod(0o4755)
    container.process["noNewPrivileges"] = forbidden
    container.process["user"] = {"uid": 1000, "gid": 1000}
    # busybox gives up a set-user-id bit that it does not want; /proc shows what it had at first.
    container.runs("/suid/busybox", "grep", "-E", "NoNewPrivs|Uid|Cap(Prm|Bnd)", "/proc/self/status")
    fields = dict(line.split(":", 1) for line in container.run().output.splitlines())
    assert fields["NoNewPrivs"].strip() == str(int(forbidden))
    assert (fields["CapPrm"] == fields["CapBnd"]) != forbidden


@pytest.mark.parametrize("name", ["AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "NOFILE", "NPROC", "STACK",
                                  "SIGPENDING", "MSGQUEUE", "RSS", "LOCKS", "NICE", "RTPRIO", "RTTIME"])  # fmt: skip
def test_rlimits(container: Container, name: str) -> None:
    """Each limit of the kernel can be lowered, soft and hard."""
    number = getattr(resource, f"RLIMIT_{name}", {"LOCKS": 10}.get(name))
    assert number is not None
    hard = resource.getrlimit(number)[1] if name != "LOCKS" else -1
    wanted = min(hard, 1 << 30) if hard != -1 else 1 << 30
    soft = wanted // 2 if wanted > 1 else wanted
    container.process["rlimits"] = [{"type": f"RLIMIT_{name}", "soft": soft, "hard": wanted}]
    container.runs("cat", "/proc/self/limits")
    rows = container.run().output.splitlines()
    assert any(row[26:].split()[:2] == [str(soft), str(wanted)] for row in rows), rows


@pytest.mark.parametrize("soft", [0, 3, 5])
def test_few_descriptors(container: Container, soft: int) -> None:
    """A limit of very few descriptors is the program's, not the runtime's on the way to it."""
    container.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": soft, "hard": soft}]
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.script("ulimit -n")
    assert container.run().output == str(soft)


def test_few_descriptors_in_exec(container: Container) -> None:
    """The same for `exec`, which takes the container's limits."""
    container.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 4, "hard": 4}]
    container.launch()
    assert container.exec_says("sh", "-c", "ulimit -n") == "4"


@needs_sys_resource
def test_raised_rlimit(container: Container) -> None:
    """A hard limit above the runtime's own, where the runtime may raise it, for exec as well."""
    low = 500
    container.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": low, "hard": 2 * low}]
    container.runs("sleep", "1000")

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, low))

    container.run("--detach", preexec_fn=lower)
    assert resource.prlimit(container.pid, resource.RLIMIT_NOFILE) == (low, 2 * low)
    assert container.exec("sh", "-c", "ulimit -Hn", preexec_fn=lower).output == str(2 * low)


@needs_sys_resource
def test_lowered_oom_score(container: Container) -> None:
    """A score below the caller's, where the runtime may lower it."""
    container.process["oomScoreAdj"] = -777
    assert container.says("cat /proc/self/oom_score_adj") == "-777"


def test_oom_score(container: Container) -> None:
    """The score is raised; without one it is the caller's."""
    before = Path("/proc/self/oom_score_adj").read_text().strip()
    assert container.says("cat /proc/self/oom_score_adj") == before
    container.process["oomScoreAdj"] = 777
    assert container.says("cat /proc/self/oom_score_adj") == "777"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the other personality is that of x86")
@pytest.mark.parametrize(("domain", "machine"), [("LINUX", "x86_64"), ("LINUX32", "i686")])
def test_personality(container: Container, domain: str, machine: str) -> None:
    """The personality decides what machine the program believes to be on."""
    container.linux["personality"] = {"domain": domain}
    assert container.says("uname -m") == machine


def test_session(container: Container) -> None:
    """The program leads a session and a process group of its own."""
    container.linux["namespaces"] = [each for each in container.linux["namespaces"] if each["type"] != "pid"]
    container.launch()
    assert os.getsid(container.pid) == os.getpgid(container.pid) == container.pid


@pytest.mark.parametrize("flags", [[], ["--no-new-keyring"]])
def test_keyring(container: Container, flags: list[str]) -> None:
    """The container has a session keyring of its own, unless that is declined."""
    keys = Path("/proc/keys")
    if not keys.exists():
        pytest.skip("this kernel has no keyrings")
    # Keyrings of the same user are shown as well, also those that are about to go.
    container.id += f"-{os.getpid()}-{len(flags)}"
    said = container.says("cat /proc/keys", *flags)
    assert (f"_ses.{container.id}" in said) != bool(flags)


def test_preserved_descriptors(container: Container) -> None:
    """Descriptors from 3 on are kept as many as asked for, and no more."""
    pipes = [os.pipe() for _ in range(3)]
    with open(os.devnull) as spare:
        reads = [read for read, _ in pipes]

        def place() -> None:
            for number, read in enumerate(reads, 100):
                os.dup2(read, number)
            for number in range(3):
                os.dup2(100 + number, 3 + number, inheritable=True)
            os.set_inheritable(spare.fileno(), True)

        for _, write in pipes:
            os.write(write, b"hello\n")
        container.script("read a <&3; read b <&4; echo $a $b; ls /proc/self/fd | tr '\\n' ' '")
        outcome = container.run("--preserve-fds", "2", close_fds=False, preexec_fn=place)
    for ends in pipes:
        for end in ends:
            os.close(end)
    # The last one is ls's own.
    assert outcome.output.split() == ["hello", "hello", "0", "1", "2", "3", "4", "5"]


def test_preserved_descriptor_that_is_not_open(container: Container) -> None:
    """A promised descriptor has to be there."""
    assert "descriptor 3 is not open" in container.fails("--preserve-fds", "1")


def test_exec_has_what_the_container_has(container: Container) -> None:
    """`exec` takes user, groups, umask, capabilities and limits from the container's process unless told otherwise."""
    container.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5], "umask": 0o27}
    container.process["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    container.launch()
    said = container.exec_says(
        "sh", "-c", "id -u; id -g; umask; ulimit -c; grep -E 'Groups|CapBnd' /proc/self/status"
    )
    bounding = status_field(container.pid, "CapBnd")
    assert said.split() == ["1000", "1001", "0027", "0", "Groups:", "5", "CapBnd:", bounding]


def test_annotations(container: Container) -> None:
    """Annotations are in the state, whatever their text."""
    container.config["annotations"] = {"a": "", "org.example/x": 'q"\n\\ä'}
    container.create()
    assert container.state()["annotations"] == container.config["annotations"]


def test_new_user_namespace_has_all_capabilities_to_give(container: Container) -> None:
    """In a user namespace even a capability that the caller lacks on the host can be had."""
    from .test_user_namespaces import with_user_namespace

    with_user_namespace(container)
    container.process["capabilities"] = {
        kind: ["CAP_SYS_ADMIN"] for kind in ("bounding", "effective", "permitted")
    }
    assert sets(container)["CapEff"] == mask("CAP_SYS_ADMIN")
