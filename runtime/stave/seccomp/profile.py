"""linux.seccomp -> BPF program and flags for seccomp(2), by libseccomp.

Loaded for a profile that is not in the cache yet; commands call `cache.cached_filter`.
"""

from __future__ import annotations

import errno
import posix

from stave.errors import ConfigError
from stave.seccomp._libseccomp import ffi, lib
from stave.seccomp.enosys import enosys_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from stave.seccomp._libseccomp import Context

    Object = Mapping[str, Any]  # of config.json, of the shape that the schema demands
    Condition = tuple[int, int, int, int]  # argument index, operator, value, second value

POINTER = "/linux/seccomp"

# SECCOMP_RET_*, seccomp(2).
ACTIONS = {
    "SCMP_ACT_KILL": 0x0000_0000,
    "SCMP_ACT_KILL_PROCESS": 0x8000_0000,
    "SCMP_ACT_KILL_THREAD": 0x0000_0000,
    "SCMP_ACT_TRAP": 0x0003_0000,
    "SCMP_ACT_ERRNO": 0x0005_0000,
    "SCMP_ACT_TRACE": 0x7FF0_0000,
    "SCMP_ACT_ALLOW": 0x7FFF_0000,
    "SCMP_ACT_LOG": 0x7FFC_0000,
    "SCMP_ACT_NOTIFY": 0x7FC0_0000,
}
# Called by stave-init between loading the filter and handing over the descriptor to answer its questions from:
# asked about these, nobody would ever hear the question.
UNANSWERABLE = frozenset(("sendmsg",))
REFUSING = frozenset(
    ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO")
)
# Highest number that goes with an action: the kernel cuts an errno down to MAX_ERRNO, a tracer's message has 16 bits.
NUMBERED = {"SCMP_ACT_ERRNO": 4095, "SCMP_ACT_TRACE": 65535}

OPERATORS = (
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
)

FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1 << 0,
    "SECCOMP_FILTER_FLAG_LOG": 1 << 1,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 1 << 2,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 1 << 5,
}
NEW_LISTENER = 1 << 3
TSYNC_ESRCH = 1 << 4
TSYNC = FLAGS["SECCOMP_FILTER_FLAG_TSYNC"]
WAIT_KILLABLE_RECV = FLAGS["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]

BINARY_TREE = 2  # of SCMP_FLTATR_CTL_OPTIMIZE
MAX_INSTRUCTIONS = 4096  # BPF_MAXINSNS
INSTRUCTION_SIZE = 8  # struct sock_filter
LAST_ARGUMENT = 5
LAST_VALUE = (1 << 64) - 1


def compile_profile(profile: Object) -> tuple[bytes, int]:
    """The profile as an array of struct sock_filter, and the SECCOMP_FILTER_FLAG_* bits to load it with.

    System calls that libseccomp does not know are left out (`unknown_syscalls` names them). So are rules whose
    action is the default action: they change nothing.

    Args:
        profile: the object linux.seccomp, valid by the schema.

    Raises:
        ConfigError: a value is unknown, or cannot be honoured on this machine.

    Spec: config-linux.md#seccomp
    """
    flags = _flags(profile)
    default = _action(profile, POINTER, "defaultAction", "defaultErrnoRet")
    context = _new_context(default)
    architectures = _add_architectures(context, profile.get("architectures", ()))
    rules: Sequence[Object] = profile.get("syscalls", ())
    for index, rule in enumerate(rules):
        _add_rule(context, default, rule, f"{POINTER}/syscalls/{index}")
    program = _export(context)
    if profile["defaultAction"] in REFUSING:
        program = _prefix(architectures, rules) + program
    count = len(program) // INSTRUCTION_SIZE
    if count > MAX_INSTRUCTIONS:
        raise ConfigError(POINTER, f"makes {count} BPF instructions, the kernel takes {MAX_INSTRUCTIONS}")
    return program, flags


def unknown_syscalls(profile: Object) -> list[str]:
    """The system call names of the profile that libseccomp knows on no architecture, in their order."""
    names = dict.fromkeys([name for rule in profile.get("syscalls", ()) for name in rule["names"]])
    return [name for name in names if _number(name) is None]


def _flags(profile: Object) -> int:
    bits = 0
    for index, name in enumerate(profile.get("flags", ())):
        if name not in FLAGS:
            raise ConfigError(f"{POINTER}/flags/{index}", f"unknown flag {name}")
        bits |= FLAGS[name]
    if not any(rule["action"] == "SCMP_ACT_NOTIFY" for rule in profile.get("syscalls", ())):
        # It is about notifications; the kernel refuses it with a filter that sends none.
        return bits & ~WAIT_KILLABLE_RECV
    # The descriptor takes the place of the thread id that a failure of TSYNC would return (seccomp(2)).
    return bits | NEW_LISTENER | (TSYNC_ESRCH if bits & TSYNC else 0)


def _action(owner: Object, pointer: str, key: str, errno_key: str) -> int:
    name = owner[key]
    if name == "SCMP_ACT_NOTIFY" and key == "defaultAction":
        raise ConfigError(f"{pointer}/{key}", f"{name} is for single system calls")
    if name not in ACTIONS:
        raise ConfigError(f"{pointer}/{key}", f"unknown action {name}")
    if name in NUMBERED:
        number = owner.get(errno_key, errno.EPERM)
        return ACTIONS[name] | _bounded(number, NUMBERED[name], f"{pointer}/{errno_key}")
    if errno_key in owner:
        raise ConfigError(f"{pointer}/{errno_key}", f"{name} takes no errno")
    return ACTIONS[name]


def _bounded(value: int, highest: int, pointer: str) -> int:
    if not 0 <= value <= highest:
        raise ConfigError(pointer, f"{value} is not between 0 and {highest}")
    return value


def _new_context(default: int) -> Context:
    context = lib.seccomp_init(default)
    if not context:
        raise ConfigError(f"{POINTER}/defaultAction", "libseccomp or the kernel does not support this action")
    context = ffi.gc(context, lib.seccomp_release)
    _check(lib.seccomp_attr_set(context, lib.SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE), POINTER)
    return context


def _add_architectures(context: Context, names: Sequence[str]) -> list[int]:
    """libseccomp's tokens of the listed architectures and of the machine's own, which is always in."""
    tokens = [lib.seccomp_arch_native()]
    for index, name in enumerate(names):
        pointer = f"{POINTER}/architectures/{index}"
        token = architecture_token(name)
        if not token:
            raise ConfigError(pointer, f"libseccomp does not know the architecture {name}")
        if token not in tokens:
            if lib.seccomp_arch_add(context, token) == -errno.EDOM:
                raise ConfigError(pointer, f"{name} has another byte order than this machine")
            tokens.append(token)
    return tokens


def architecture_token(name: str) -> int:
    """libseccomp's token of SCMP_ARCH_*, or 0 if this libseccomp does not know it."""
    prefix, _, rest = name.partition("SCMP_ARCH_")
    return 0 if prefix else lib.seccomp_arch_resolve_name(rest.lower().encode())


def _add_rule(context: Context, default: int, rule: Object, pointer: str) -> None:
    action = _action(rule, pointer, "action", "errnoRet")
    alternatives = _alternatives(rule.get("args", ()), pointer)
    if action == default:
        return
    notifies = rule["action"] == "SCMP_ACT_NOTIFY"
    for index, name in enumerate(rule["names"]):
        if notifies and name in UNANSWERABLE:
            reason = f"SCMP_ACT_NOTIFY for {name} would stop the process before its listener can be sent"
            raise ConfigError(f"{pointer}/names/{index}", reason)
        number = _number(name)
        if number is None:
            continue
        for conditions in alternatives:
            array = ffi.new("struct scmp_arg_cmp[]", conditions) if conditions else ffi.NULL
            result = lib.seccomp_rule_add_array(context, action, number, len(conditions), array)
            if result == -errno.EEXIST:
                raise ConfigError(
                    f"{pointer}/action", f"contradicts an earlier rule for {name} with the same args"
                )
            _check(result, f"{pointer}/names/{index}")


def _alternatives(args: Sequence[Object], pointer: str) -> list[list[Condition]]:
    """The rules, each a list of conditions that all must hold, that `args` stand for.

    libseccomp takes one condition per argument in a rule. Where the configuration has several, each of its
    conditions becomes a rule of its own, so that any of them suffices: engines and profiles rely on that.
    """
    conditions = [_condition(arg, f"{pointer}/args/{index}") for index, arg in enumerate(args)]
    if len({condition[0] for condition in conditions}) < len(conditions):
        return [[condition] for condition in conditions]
    return [conditions]


def _condition(arg: Object, pointer: str) -> Condition:
    operator = arg["op"]
    if operator not in OPERATORS:
        raise ConfigError(f"{pointer}/op", f"unknown operator {operator}")
    return (
        _bounded(arg["index"], LAST_ARGUMENT, f"{pointer}/index"),
        getattr(lib, operator),
        _bounded(arg["value"], LAST_VALUE, f"{pointer}/value"),
        _bounded(arg.get("valueTwo", 0), LAST_VALUE, f"{pointer}/valueTwo"),
    )


def _number(name: str) -> int | None:
    """The system call's number here, negative if only other architectures have it, None if none has."""
    number = lib.seccomp_syscall_resolve_name(name.encode())
    return None if number == -1 else number  # __NR_SCMP_ERROR


def _prefix(architectures: Sequence[int], rules: Sequence[Object]) -> bytes:
    names = {name.encode() for rule in rules for name in rule["names"]}
    resolve = lib.seccomp_syscall_resolve_name_arch
    return enosys_prefix({token: [resolve(token, name) for name in names] for token in architectures})


def _export(context: Context) -> bytes:
    descriptor = posix.memfd_create("seccomp", posix.MFD_CLOEXEC)
    try:
        _check(lib.seccomp_export_bpf(context, descriptor), POINTER)
        return posix.pread(descriptor, posix.fstat(descriptor).st_size, 0)
    finally:
        posix.close(descriptor)


def _check(result: int, pointer: str) -> None:
    if result < 0:
        raise ConfigError(pointer, f"libseccomp refuses it: {posix.strerror(-result)}")
