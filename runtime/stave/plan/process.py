"""The user's process: terminal, user, capabilities, working directory and program, for create and exec."""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.constants import PER_LINUX, PER_LINUX32
from stave.plan.program import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from stave.plan.capabilities import Capabilities
    from stave.plan.program import Program

DEFAULT_UMASK = 0o022
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PERSONAS = {"LINUX": PER_LINUX, "LINUX32": PER_LINUX32}


def oom_score(process: Mapping[str, Any]) -> list[Operation]:
    """What gives the process its oom_score_adj; without one it keeps the runtime's."""
    if "oomScoreAdj" not in process:
        return []
    return [Operation("set_oom_score_adj", "/process/oomScoreAdj", (process["oomScoreAdj"],))]


def add_console(program: Program, process: Mapping[str, Any], mount: bool) -> None:
    """The standard streams are a terminal, if one is asked for."""
    if process.get("terminal"):
        size = process.get("consoleSize", {})
        rows, columns = size.get("height", 0), size.get("width", 0)
        program.add("open_console", "/process/terminal", rows, columns, int(mount))


def add_session(
    program: Program,
    linux: Mapping[str, Any],
    container_id: str,
    preserve_fds: int,
    no_new_keyring: bool,
) -> None:
    """The process leads a session, with the container's keyring and personality, and takes no descriptors
    along but the caller's.

    Args:
        preserve_fds: how many descriptors from 3 on stay open in the program.

    Raises:
        ConfigError: a personality that there is not.
    """
    program.add("new_session", "")
    if not no_new_keyring:
        program.add("join_keyring", "", f"_ses.{container_id}")
    if personality := linux.get("personality"):
        domain = personality["domain"]
        if domain not in PERSONAS:
            raise ConfigError("/linux/personality/domain", f"unknown domain {domain!r}")
        if personality.get("flags"):
            raise ConfigError("/linux/personality/flags", "no flags are supported")
        program.add("set_personality", "/linux/personality", PERSONAS[domain])
    program.add("close_descriptors", "", preserve_fds)


def add_user(
    program: Program,
    process: Mapping[str, Any],
    capabilities: Capabilities,
    setgroups_denied: bool,
    create_directory: bool,
) -> None:
    """The process is its user, in its working directory, and its program was found with the user's rights.

    Args:
        setgroups_denied: the user namespace has given up setgroups(2).
        create_directory: make the working directory if there is none.

    Raises:
        ConfigError: no program to run, or groups where setgroups(2) is denied.
    """
    user = process.get("user", {})
    uid, gid = user.get("uid", 0), user.get("gid", 0)
    additional = user.get("additionalGids", ())
    if setgroups_denied and additional:
        raise ConfigError("/process/user/additionalGids", "a user namespace of one group can have no others")
    groups = None if setgroups_denied else _pack(additional)
    umask = user.get("umask", DEFAULT_UMASK)
    if not process.get("args"):
        raise ConfigError("/process/args", "needs at least the program")
    program.add("own_stdio", "/process/user/uid", uid)
    program.add("limit_bounding", "/process/capabilities/bounding", capabilities.bounding)
    program.add("set_user", "/process/user", uid, gid, groups, umask, capabilities.effective)
    program.add("change_directory", "/process/cwd", process["cwd"], int(create_directory))
    program.add("find_executable", "/process/args/0", process["args"][0], _search_path(process))


def add_execution(
    program: Program,
    process: Mapping[str, Any],
    capabilities: Capabilities,
    seccomp: tuple[bytes, int] | None,
) -> None:
    """The process has given up what it may not keep, and is the user's program."""
    no_new_privileges = process.get("noNewPrivileges", False)
    if no_new_privileges:
        program.add("set_no_new_privileges", "/process/noNewPrivileges")
    program.add(
        "raise_ambient",
        "/process/capabilities/ambient",
        capabilities.inheritable,
        capabilities.ambient,
    )
    # Without no_new_privs a filter takes CAP_SYS_ADMIN, which is about to go. With it the filter comes last,
    # so that it need not allow what the runtime does here (seccomp(2)).
    if seccomp is not None and not no_new_privileges:
        program.add("load_seccomp", "/linux/seccomp", *seccomp)
    program.add(
        "set_capabilities",
        "/process/capabilities",
        capabilities.effective,
        capabilities.permitted,
        capabilities.inheritable,
    )
    if seccomp is not None and no_new_privileges:
        program.add("load_seccomp", "/linux/seccomp", *seccomp)
    program.add("execute", "/process/args", list(process["args"]), list(process.get("env", ())))


def _pack(groups: Sequence[int]) -> bytes:
    return b"".join([group.to_bytes(4, "little") for group in groups])


def _search_path(process: Mapping[str, Any]) -> str:
    search = DEFAULT_PATH
    for variable in process.get("env", ()):
        if variable.startswith("PATH="):
            search = variable[len("PATH=") :]
    return search
