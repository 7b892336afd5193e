"""Filters loaded into the kernel: what actions, operators, architectures and flags do to real system calls."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import signal
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("stave.seccomp._libseccomp", reason="the libseccomp module is not built")

from stave.seccomp.features import supported
from stave.seccomp.profile import compile_profile

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="uses system call numbers of x86_64")

LSEEK, GETPID, PRCTL, GETCWD, SECCOMP = 8, 39, 157, 79, 317
I386_GETPID = 20
X32_BIT = 0x4000_0000
PR_SET_NO_NEW_PRIVS = 38
SET_MODE_FILTER = 1
MARK = 4000  # an errno that no kernel returns by itself
TIMEOUT = 60.0

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def call(number: int, *args: int) -> int:
    """The errno of a system call, 0 if it succeeds."""
    ctypes.set_errno(0)
    LIBC.syscall(ctypes.c_long(number), *(ctypes.c_ulong(argument) for argument in args))
    return ctypes.get_errno()


def load(profile: dict[str, Any]) -> None:
    """Puts the compiled profile in force for this process."""
    instructions, flags = compile_profile(profile)
    program = Program(len(instructions) // 8, instructions)
    assert call(PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert call(SECCOMP, SET_MODE_FILTER, flags, ctypes.addressof(program)) == 0


def in_child(body: Callable[[], int]) -> int:
    """How a forked child ends that runs `body`: its answer as exit status, or minus the signal that killed it."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(body())
        except BaseException:  # noqa: BLE001 - a child must not return into pytest
            traceback.print_exc()
        os._exit(255)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def filtered(profile: dict[str, Any], body: Callable[[], int]) -> int:
    """As `in_child`, with the profile in force."""

    def child() -> int:
        load(profile)
        return body()

    return in_child(child)


def denying(name: str, action: str, *args: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A profile that allows everything but one system call."""
    rule = {"names": [name], "action": action} | ({"args": list(args)} if args else {}) | more
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}


def getcwd() -> int:
    buffer = ctypes.create_string_buffer(4096)
    return call(GETCWD, ctypes.addressof(buffer), 4096)


@pytest.mark.parametrize(
    ("action", "more", "expected"),
    [
        ("SCMP_ACT_ALLOW", {}, 0),
        ("SCMP_ACT_LOG", {}, 0),
        ("SCMP_ACT_ERRNO", {}, errno.EPERM),
        ("SCMP_ACT_ERRNO", {"errnoRet": errno.EXDEV}, errno.EXDEV),
        ("SCMP_ACT_TRACE", {}, errno.ENOSYS),
        ("SCMP_ACT_TRACE", {"errnoRet": 77}, errno.ENOSYS),
        ("SCMP_ACT_TRAP", {}, -signal.SIGSYS),
        ("SCMP_ACT_KILL", {}, -signal.SIGSYS),
        ("SCMP_ACT_KILL_THREAD", {}, -signal.SIGSYS),
        ("SCMP_ACT_KILL_PROCESS", {}, -signal.SIGSYS),
    ],
)
def test_action(action: str, more: dict[str, int], expected: int) -> None:
    """Each action has its effect on a real getcwd; without a tracer, a traced call answers ENOSYS."""
    assert filtered(denying("getcwd", action, **more), getcwd) == expected


def test_trap_can_be_handled() -> None:
    """SCMP_ACT_TRAP sends a SIGSYS that a handler can catch, unlike the killing actions."""

    def body() -> int:
        caught: list[int] = []
        signal.signal(signal.SIGSYS, lambda number, _: caught.append(number))
        getcwd()
        return len(caught)

    assert filtered(denying("getcwd", "SCMP_ACT_TRAP"), body) == 1
    assert filtered(denying("getcwd", "SCMP_ACT_KILL_PROCESS"), body) == -signal.SIGSYS


@pytest.mark.parametrize(
    ("action", "expected"),
    [("SCMP_ACT_KILL", 7), ("SCMP_ACT_KILL_THREAD", 7), ("SCMP_ACT_KILL_PROCESS", -signal.SIGSYS)],
)
def test_kill_ends_a_thread_or_the_process(action: str, expected: int) -> None:
    """SCMP_ACT_KILL and KILL_THREAD end the calling thread alone, KILL_PROCESS all of them."""

    def body() -> int:
        thread = threading.Thread(target=getcwd, daemon=True)
        thread.start()
        deadline = time.monotonic() + TIMEOUT
        while os.path.exists(f"/proc/self/task/{thread.native_id}"):
            assert time.monotonic() < deadline
            os.sched_yield()
        return 7

    assert filtered(denying("getcwd", action), body) == expected


BIG = (1 << 40) + 5


@pytest.mark.parametrize(
    ("op", "more", "matching", "others"),
    [
        ("NE", {}, [5, BIG + 1], [BIG]),
        ("LT", {}, [6, BIG - 1], [BIG, BIG + 1]),
        ("LE", {}, [6, BIG], [BIG + 1, 2 * BIG]),
        ("EQ", {}, [BIG], [5, BIG + 1]),
        ("GE", {}, [BIG, 2 * BIG], [6, BIG - 1]),
        ("GT", {}, [BIG + 1, 2 * BIG], [6, BIG]),
        ("MASKED_EQ", {"valueTwo": 1 << 40}, [1 << 40, BIG + 2 - 5], [BIG, 5, 1 << 41]),
    ],
)
def test_operator(op: str, more: dict[str, int], matching: list[int], others: list[int]) -> None:
    """A condition holds for exactly those offsets of a real lseek that its operator says."""
    condition = {"index": 1, "op": f"SCMP_CMP_{op}", "value": BIG, **more}

    def body() -> int:
        assert [call(LSEEK, 2**64 - 1, offset, 0) for offset in matching] == [MARK] * len(matching)
        assert [call(LSEEK, 2**64 - 1, offset, 0) for offset in others] == [errno.EBADF] * len(others)
        return 0

    assert filtered(denying("lseek", "SCMP_ACT_ERRNO", condition, errnoRet=MARK), body) == 0


def i386_getpid() -> int:
    """The result of getpid asked for through the 32-bit entry, as the child's exit status: 0 or an errno."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8" + I386_GETPID.to_bytes(4, "little") + b"\xcd\x80\xc3")  # mov eax, 20; int 0x80; ret
    result = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    return -result if result < 0 else int(result != os.getpid())


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [(["SCMP_ARCH_X86"], errno.EXDEV), ([], -signal.SIGSYS)],
)
def test_32_bit_system_calls(architectures: list[str], expected: int) -> None:
    """A 32-bit system call is filtered if its architecture is listed, else it kills."""
    if in_child(i386_getpid) != 0:
        pytest.skip("the kernel has no 32-bit system calls")
    profile = denying("getpid", "SCMP_ACT_ERRNO", errnoRet=errno.EXDEV) | {"architectures": architectures}
    assert filtered(profile, i386_getpid) == expected


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [(["SCMP_ARCH_X32"], errno.EXDEV), (["SCMP_ARCH_X86"], -signal.SIGSYS)],
)
def test_x32_system_calls(architectures: list[str], expected: int) -> None:
    """An x32 system call is filtered if x32 is listed, else it kills, even if the kernel has no x32."""
    profile = denying("getpid", "SCMP_ACT_ERRNO", errnoRet=errno.EXDEV) | {"architectures": architectures}
    assert filtered(profile, lambda: call(X32_BIT + GETPID)) == expected


@pytest.mark.parametrize("flag", supported()["supportedFlags"])  # type: ignore[arg-type]
def test_supported_flags_are_taken(flag: str) -> None:
    """The kernel loads a filter with each flag that the features list as supported."""
    assert filtered(denying("getcwd", "SCMP_ACT_ERRNO") | {"flags": [flag]}, getcwd) == errno.EPERM


def test_tsync_reaches_the_other_threads() -> None:
    """With SECCOMP_FILTER_FLAG_TSYNC the filter also binds threads that were there before."""

    def body(flags: list[str]) -> int:
        loaded = threading.Event()
        answers: list[int] = []

        def other() -> None:
            loaded.wait(TIMEOUT)
            answers.append(getcwd())

        thread = threading.Thread(target=other)
        thread.start()
        load(denying("getcwd", "SCMP_ACT_ERRNO") | {"flags": flags})
        loaded.set()
        thread.join(TIMEOUT)
        return answers[0]

    assert in_child(lambda: body(["SECCOMP_FILTER_FLAG_TSYNC"])) == errno.EPERM
    assert in_child(lambda: body([])) == 0
