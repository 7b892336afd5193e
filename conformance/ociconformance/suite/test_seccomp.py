"""Seccomp: actions, errors, operators, and the socket on which others are asked."""

from __future__ import annotations

import array
import fcntl
import json
import os
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from ociconformance.container import Container
from ociconformance.probe import fields
from ociconformance.testing import UNCLAIMED, case, covers

MKDIR = ["mkdir", "mkdirat"]
TRY = "status=0; mkdir /tmp/new 2>&1 || status=$?; echo $status"
"""Makes a directory, and says how that went."""

SYSTEM_CALLS = (
    "accept accept4 access alarm arch_prctl bind brk capget capset chdir chmod chown chroot clock_getres clock_gettime "
    "clock_nanosleep clone clone3 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create "
    "epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit "
    "exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchown fchownat fcntl fdatasync "
    "fgetxattr flock fork fstat fstatfs fsync ftruncate futex futex_waitv getcpu getcwd getdents getdents64 getegid "
    "geteuid getgid getgroups getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid "
    "getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid ioctl keyctl kill lchown link linkat "
    "listen lseek lstat madvise membarrier memfd_create mincore mlock mmap mount mount_setattr mprotect mremap munmap "
    "nanosleep newfstatat open openat openat2 pause pidfd_open pipe pipe2 pivot_root poll ppoll prctl pread64 preadv "
    "prlimit64 pselect6 pwrite64 read readlink readlinkat readv recvfrom recvmsg rename renameat renameat2 "
    "restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "sched_getaffinity sched_setaffinity sched_yield seccomp select sendfile sendmsg sendto set_robust_list "
    "set_tid_address setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit "
    "setsid setsockopt setuid shutdown sigaltstack signalfd signalfd4 socket socketpair splice stat statfs statx "
    "symlink symlinkat sync sysinfo tee tgkill time timerfd_create timerfd_settime times tkill truncate umask umount2 "
    "uname unlink unlinkat unshare utimensat vfork wait4 waitid write writev"
).split()
"""What a shell and a runtime need, without mkdir."""


def rule(names: list[str], action: str, **more: Any) -> dict[str, Any]:
    """An entry of syscalls."""
    return {"names": names, "action": f"SCMP_ACT_{action}", **more}


def seccomp(container: Container, *rules: dict[str, Any], default: str = "ALLOW", **more: Any) -> None:
    """The container has a filter of these rules."""
    container.linux["seccomp"] = {"defaultAction": f"SCMP_ACT_{default}", "syscalls": list(rules), **more}


@covers("linux/seccomp/action/errno", "linux/seccomp/syscalls/errno-default", "linux/seccomp/default-action")
def test_errno(container: Container) -> None:
    """A call that a rule matches fails with EPERM, and others are made."""
    seccomp(container, rule(MKDIR, "ERRNO"))
    said = container.says(TRY)
    assert "Operation not permitted" in said and said.endswith("1")


@covers("linux/seccomp/syscalls/errno-ret")
@pytest.mark.parametrize(
    ("number", "text"), [(28, "No space left on device"), (38, "Function not implemented")]
)
def test_errno_ret(container: Container, number: int, text: str) -> None:
    """A call fails with the configured error."""
    seccomp(container, rule(MKDIR, "ERRNO", errnoRet=number))
    assert text in container.says(TRY)


@covers("linux/seccomp/default-errno-ret", "linux/seccomp/action/allow", "linux/seccomp/default-action")
def test_default_errno_ret(container: Container) -> None:
    """A call that no rule matches fails with the default error."""
    seccomp(container, rule(SYSTEM_CALLS, "ALLOW"), default="ERRNO", defaultErrnoRet=28)
    assert "No space left on device" in container.says(TRY)


@covers("linux/seccomp/action/allow", "linux/seccomp/default-action")
def test_default_errno(container: Container) -> None:
    """Calls that a rule allows are made, and others fail by default."""
    seccomp(container, rule(SYSTEM_CALLS, "ALLOW"), default="ERRNO")
    said = container.says(f"{TRY}; touch /tmp/file && echo made")
    assert "Operation not permitted" in said and said.endswith("made")


@pytest.mark.parametrize(
    "action",
    [
        case("KILL", covers="linux/seccomp/action/kill"),
        case("KILL_PROCESS", covers="linux/seccomp/action/kill-process"),
        case("KILL_THREAD", covers="linux/seccomp/action/kill-thread"),
        case("TRAP", covers="linux/seccomp/action/trap"),
    ],
)
def test_kill(container: Container, action: str) -> None:
    """Who makes the call ends by SIGSYS."""
    seccomp(container, rule(MKDIR, action))
    assert container.says(f"{TRY}").endswith(str(128 + 31))
    assert not (container.rootfs / "tmp" / "new").exists()


@covers("linux/seccomp/action/trace")
def test_trace(container: Container) -> None:
    """Without a tracer the call fails with ENOSYS."""
    seccomp(container, rule(MKDIR, "TRACE"))
    assert "Function not implemented" in container.says(TRY)


@covers("linux/seccomp/action/log")
def test_log(container: Container) -> None:
    """The call is made."""
    seccomp(container, rule(MKDIR, "LOG"))
    assert container.says(TRY) == "0"
    assert (container.rootfs / "tmp" / "new").is_dir()


CONT, URG, WINCH = 18, 23, 28
"""Signals that do nothing to a process which does not ask for them."""


@pytest.mark.parametrize(
    ("op", "value", "two", "stopped"),
    [
        case("EQ", URG, 0, {URG}, covers="linux/seccomp/op/eq"),
        case("NE", URG, 0, {CONT, WINCH}, covers="linux/seccomp/op/ne"),
        case("LT", URG, 0, {CONT}, covers="linux/seccomp/op/lt"),
        case("LE", URG, 0, {CONT, URG}, covers="linux/seccomp/op/le"),
        case("GE", URG, 0, {URG, WINCH}, covers="linux/seccomp/op/ge"),
        case("GT", URG, 0, {WINCH}, covers="linux/seccomp/op/gt"),
        case("MASKED_EQ", 8, 8, {WINCH}, covers="linux/seccomp/op/masked_eq"),
        case("MASKED_EQ", 8, 0, {CONT, URG}, covers="linux/seccomp/op/masked_eq"),
    ],
)
def test_operators(container: Container, op: str, value: int, two: int, stopped: set[int]) -> None:
    """A rule is for calls whose argument compares so with the value."""
    argument = {"index": 1, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": two}
    seccomp(container, rule(["kill"], "ERRNO", args=[argument]))
    said = container.says(
        f"for each in {CONT} {URG} {WINCH}; do kill -$each $$ 2>/dev/null || echo $each; done"
    )
    assert set(map(int, said.split())) == stopped


@covers("linux/seccomp/op/eq")
def test_all_arguments_have_to_match(container: Container) -> None:
    """A rule with two arguments is for calls that both match."""
    arguments = [
        {"index": 0, "op": "SCMP_CMP_EQ", "value": 1},
        {"index": 1, "op": "SCMP_CMP_EQ", "value": URG},
    ]
    seccomp(container, rule(["kill"], "ERRNO", args=arguments))
    said = container.says(f"for each in {CONT} {URG}; do kill -$each 1 2>/dev/null || echo $each; done")
    assert said == str(URG)


@pytest.mark.parametrize(
    "names", [["SCMP_ARCH_X86_64"], ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]]
)
@covers("linux/seccomp/architectures")
def test_architectures(container: Container, names: list[str]) -> None:
    """The rules are for the machine's own architecture if it is listed."""
    if os.uname().machine != "x86_64":
        pytest.skip("the architectures are those of x86-64")
    seccomp(container, rule(MKDIR, "ERRNO"), architectures=names)
    assert "Operation not permitted" in container.says(TRY)


@pytest.mark.parametrize("name", ["LOG", "SPEC_ALLOW", "TSYNC"])
@covers("linux/seccomp/flags")
def test_flags(container: Container, name: str, request: pytest.FixtureRequest) -> None:
    """The filter is loaded with the flag."""
    flag = f"SECCOMP_FILTER_FLAG_{name}"
    seccomp(container, rule(MKDIR, "ERRNO"), flags=[flag])
    said = container.says(f"{TRY}; cat /proc/self/status")
    assert "Operation not permitted" in said
    if name == "SPEC_ALLOW" and "x86" in os.uname().machine:
        assert "force mitigated" not in fields(said)["Speculation_Store_Bypass"]


@pytest.mark.parametrize(
    "change",
    [
        case({"defaultAction": "SCMP_ACT_WEATHER"}, covers="config/valid-values/error", id="default action"),
        case({"syscalls": [rule(MKDIR, "WEATHER")]}, covers="config/valid-values/error", id="action"),
        case(
            {"architectures": ["SCMP_ARCH_ABACUS"]}, covers="linux/seccomp/architectures", id="architecture"
        ),
        case({"flags": ["SECCOMP_FILTER_FLAG_WEATHER"]}, covers="linux/seccomp/flags", id="flag"),
        case({"syscalls": [rule([], "ERRNO")]}, covers="linux/seccomp/syscalls/names/one", id="no names"),
        case(
            {"syscalls": [rule(["kill"], "ERRNO", args=[{"index": 1, "value": 1, "op": "SCMP_CMP_ABOUT"}])]},
            covers="config/valid-values/error",
            id="operator",
        ),
        case(
            {"syscalls": [rule(MKDIR, "KILL", errnoRet=5)]},
            covers="linux/seccomp/syscalls/errno-ret/unusable",
            id="errnoRet",
        ),
        case(
            {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 5},
            covers="linux/seccomp/default-errno-ret/unusable",
            id="defaultErrnoRet",
        ),
        case(
            {"listenerMetadata": "alone", "syscalls": [rule(MKDIR, "ERRNO")]},
            covers="linux/seccomp/listener/metadata-alone",
            id="listenerMetadata",
        ),
    ],
)
def test_invalid(container: Container, change: dict[str, Any]) -> None:
    """A filter that makes no sense is an error."""
    seccomp(container, rule(MKDIR, "ERRNO"))
    container.linux["seccomp"].update(change)
    container.refused_or_not_run()


_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_EXDEV = 18


class Agent:
    """Listens on the socket of a filter, and answers every call with the error EXDEV."""

    def __init__(self, container: Container, request: pytest.FixtureRequest) -> None:
        features: dict[str, Any] | None = request.getfixturevalue("identity").features
        actions = ((features or {}).get("linux") or {}).get("seccomp", {}).get("actions") or ()
        if features is not None and "SCMP_ACT_NOTIFY" not in actions:
            pytest.skip(f"{UNCLAIMED}: SCMP_ACT_NOTIFY")
        self.path = container.bundle / "agent"
        self._server = container.listen("agent")
        self._server.settimeout(60)
        self.first = b""
        self.data = b""
        self.descriptors: list[int] = []
        self.closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connection, _ = self._server.accept()
        except TimeoutError:
            self._server.close()
            return
        with connection, self._server:
            connection.settimeout(60)
            descriptors = array.array("i")
            self.first, control, _, _ = connection.recvmsg(
                1 << 16, socket.CMSG_SPACE(8 * descriptors.itemsize)
            )
            for _, _, content in control:
                descriptors.frombytes(content[: len(content) // descriptors.itemsize * descriptors.itemsize])
            self.descriptors = list(descriptors)
            self.data = self.first
            while chunk := connection.recv(1 << 16):
                self.data += chunk
            self.closed = True
        for descriptor in self.descriptors:
            self._answer(descriptor)

    def _answer(self, descriptor: int) -> None:
        """One call after the other gets its error: seccomp_unotify(2)."""
        while True:
            request = bytearray(80)
            try:
                fcntl.ioctl(descriptor, _RECEIVE, request)
                number = struct.unpack_from("=Q", request)[0]
                fcntl.ioctl(descriptor, _SEND, bytearray(struct.pack("=QqiI", number, 0, -_EXDEV, 0)))
            except OSError:
                return

    def state(self) -> dict[str, Any]:
        """The process state that was sent."""
        found = json.loads(self.data)
        assert isinstance(found, dict)
        return found


def notified(container: Container, request: pytest.FixtureRequest, **more: Any) -> Agent:
    """The container has made a directory, and an agent was asked."""
    agent = Agent(container, request)
    seccomp(container, rule(["mkdir", "mkdirat"], "NOTIFY"), listenerPath=str(agent.path), **more)
    said = container.says(f"{TRY}")
    assert "Invalid cross-device link" in said, said
    return agent


@covers(
    "linux/seccomp/action/notify",
    "linux/seccomp/listener/type",
    "linux/seccomp/listener/seccomp-fd",
    "linux/process-state/json",
    "linux/process-state/fds",
)
def test_notify(container: Container, request: pytest.FixtureRequest) -> None:
    """Whoever holds the descriptor that was sent decides what becomes of the call."""
    agent = notified(container, request)
    assert agent.state()["fds"] == ["seccompFd"]
    assert len(agent.descriptors) == 1


@covers(
    "linux/process-state/oci-version",
    "linux/process-state/pid",
    "linux/process-state/state",
    "linux/process-state/first",
)
def test_process_state(container: Container, request: pytest.FixtureRequest) -> None:
    """The process state names the version, the process, and the container's state."""
    container.config["annotations"] = {"com.example.key": "value"}
    agent = notified(container, request)
    sent = agent.state()
    assert sent["ociVersion"].startswith("1.")
    assert sent["pid"] == sent["state"]["pid"] == container.pid
    assert sent["state"]["id"] == container.id and sent["state"]["bundle"] == str(container.bundle)
    assert sent["state"]["annotations"]["com.example.key"] == "value"
    assert agent.first


@covers("linux/seccomp/listener/metadata")
def test_metadata(container: Container, request: pytest.FixtureRequest) -> None:
    """The metadata is passed on as it is."""
    agent = notified(container, request, listenerMetadata='some "opaque" text')
    assert agent.state()["metadata"] == 'some "opaque" text'


@covers(
    "linux/seccomp/listener/one-state", "linux/seccomp/listener/no-reuse", "linux/seccomp/listener/closed"
)
def test_connection(container: Container, request: pytest.FixtureRequest) -> None:
    """One state is sent over the connection, which is closed then."""
    agent = notified(container, request)
    agent.state()
    assert agent.closed


@covers("linux/seccomp/listener/error")
def test_nobody_listens(container: Container, request: pytest.FixtureRequest) -> None:
    """A listener that is not there is an error."""
    agent = Agent(container, request)
    seccomp(container, rule(MKDIR, "NOTIFY"), listenerPath=str(Path(agent.path).with_name("nobody")))
    container.refused_or_not_run()


@covers("linux/seccomp/listener/ignored")
def test_listener_without_notify(container: Container) -> None:
    """Without the action a listener is ignored."""
    seccomp(container, rule(MKDIR, "ERRNO"), listenerPath="/no/such/socket")
    assert "Operation not permitted" in container.says(TRY)
