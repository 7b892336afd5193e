"""Our filters against runc's: the same profile must give the same answers to the same system calls."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("stave.seccomp._libseccomp", reason="the libseccomp module is not built")

from stave.seccomp.profile import compile_profile

RUNC = shutil.which("runc")

pytestmark = [
    pytest.mark.skipif(RUNC is None, reason="runc is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="runc needs root here"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="uses system call numbers of x86_64"),
]

PYTHON = os.path.realpath(sys.executable)
LSEEK, GETCWD, KCMP = 8, 79, 312
TIMEOUT = 60

# Loads the filter named by its first argument, if any; prints the errno of each system call of its second.
PROBE = """
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(number), *map(ctypes.c_ulong, args))
    return ctypes.get_errno()
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))
text, calls = json.loads(sys.argv[1]), json.loads(sys.argv[2])
if text:
    instructions = bytes.fromhex(text)
    program = Program(len(instructions) // 8, instructions)
    assert call(157, 38, 1, 0, 0, 0) == 0
    assert call(317, 1, 0, ctypes.addressof(program)) == 0
print(json.dumps([call(*each) for each in calls]))
"""


def names_up_to(highest: int) -> list[str]:
    """The names of this machine's system calls, up to a number."""
    resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_num_arch
    resolve.restype = ctypes.c_char_p
    found = [resolve(0, number) for number in range(highest + 1)]
    return [name.decode() for name in found if name]


def condition(index: int, value: int) -> dict[str, Any]:
    return {"index": index, "op": "SCMP_CMP_EQ", "value": value}


def refusing(default: str, **more: Any) -> dict[str, Any]:
    """A profile of a certain age: it allows what it knows but for kcmp, and does not know the rest.

    runc looks at the listed architectures alone for the newest system call, hence the explicit one.
    """
    names = [name for name in names_up_to(350) if name != "kcmp"]
    rules = [{"names": names, "action": "SCMP_ACT_ALLOW"}]
    return {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules, **more}


def denying(*rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"action": "SCMP_ACT_ERRNO", **rule} for rule in rules],
    }


OFFSETS = [[LSEEK, 2**64 - 1, offset, whence] for offset in (0, 1, 2) for whence in (0, 1)]
NEWER = [[5000], [500], [GETCWD, 0, 0]]

CASES = {
    "an argument twice": (denying({"names": ["lseek"], "args": [condition(1, 1), condition(1, 2)]}), OFFSETS),
    "an argument twice and another": (
        denying({"names": ["lseek"], "args": [condition(1, 1), condition(1, 2), condition(2, 1)]}),
        OFFSETS,
    ),
    "different arguments": (
        denying({"names": ["lseek"], "args": [condition(1, 1), condition(2, 1)]}),
        OFFSETS,
    ),
    "two errnos for a call": (
        denying({"names": ["lseek"], "errnoRet": 70}, {"names": ["lseek"], "errnoRet": 71}),
        OFFSETS,
    ),
    "a narrow and a broad rule": (
        denying(
            {"names": ["lseek"], "errnoRet": 70, "args": [condition(1, 1)]},
            {"names": ["lseek"], "errnoRet": 71},
        ),
        OFFSETS,
    ),
    "unknown names": (denying({"names": ["no_such_call", "lseek"]}), OFFSETS),
    "trace": (denying({"names": ["lseek"], "action": "SCMP_ACT_TRACE", "errnoRet": 70}), OFFSETS),
    "default errno": (refusing("SCMP_ACT_ERRNO"), [*NEWER, [KCMP, 1, 1]]),
    "default errno given": (refusing("SCMP_ACT_ERRNO", defaultErrnoRet=70), [*NEWER, [KCMP, 1, 1]]),
    "default errno ENOSYS": (refusing("SCMP_ACT_ERRNO", defaultErrnoRet=38), [*NEWER, [KCMP, 1, 1]]),
    "default kill": (refusing("SCMP_ACT_KILL_PROCESS"), NEWER),
    "default trap": (refusing("SCMP_ACT_TRAP"), NEWER),
    "default trace": (refusing("SCMP_ACT_TRACE"), [*NEWER, [KCMP, 1, 1]]),
    "default log": (refusing("SCMP_ACT_LOG"), NEWER),
}


@pytest.mark.parametrize("case", CASES)
def test_same_answers_as_runc(case: str, tmp_path: Path) -> None:
    """Every probed system call returns the same errno under runc's filter and under ours."""
    profile, calls = CASES[case]
    assert ours(profile, calls) == runcs(profile, calls, tmp_path)


def ours(profile: dict[str, Any], calls: list[list[int]]) -> list[int]:
    instructions, _ = compile_profile(profile)
    return output(probe(instructions.hex(), calls))


def runcs(profile: dict[str, Any], calls: list[list[int]], bundle: Path) -> list[int]:
    (bundle / "rootfs").mkdir()
    (bundle / "config.json").write_text(json.dumps(config(profile, probe("", calls))))
    name = f"seccomp-{os.getpid()}"
    command = [RUNC or "", "--root", str(bundle / "state")]
    try:
        return output([*command, "run", "--bundle", str(bundle), name])
    finally:
        subprocess.run(
            [*command, "delete", "--force", name], check=True, capture_output=True, timeout=TIMEOUT
        )


def probe(instructions: str, calls: list[list[int]]) -> list[str]:
    return [PYTHON, "-I", "-S", "-c", PROBE, json.dumps(instructions), json.dumps(calls)]


def output(command: list[str]) -> list[int]:
    done = subprocess.run(
        command, capture_output=True, check=False, text=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stderr
    answers: list[int] = json.loads(done.stdout)
    return answers


def config(profile: dict[str, Any], args: list[str]) -> dict[str, Any]:
    """A bundle that shows the host's programs, read-only, and runs one with the profile."""
    shown = {path for path in ("/usr", "/bin", "/lib", "/lib64", sys.base_prefix) if os.path.isdir(path)}
    binds = [
        {"destination": path, "type": "bind", "source": os.path.realpath(path), "options": ["rbind", "ro"]}
        for path in sorted(shown)
    ]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {"cwd": "/", "args": args, "env": ["PATH=/usr/bin"], "user": {"uid": 0, "gid": 0}},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, *binds],
        "linux": {
            "namespaces": [{"type": name} for name in ("pid", "mount", "ipc", "uts", "network")],
            "seccomp": profile,
        },
    }
