"""The user's process: terminal, user, capabilities, working directory and program, for create and exec."""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.constants import PER_LINUX, PER_LINUX32
from stave.plan.paths import clean
from stave.plan.program import Operation
from stave.plan.rlimits import add_low_rlimits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocispec.types import Config, Linux, Process, User
    from stave.plan.capabilities import Capabilities
    from stave.plan.program import Program

DEFAULT_UMASK = 0o022
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ROOT: User = {"uid": 0, "gid": 0}
PERSONAS = {"LINUX": PER_LINUX, "LINUX32": PER_LINUX32}


def oom_score(process: Process) -> list[Operation]:
    """What gives the process its oom_score_adj; without one it keeps the runtime's."""
    if "oomScoreAdj" not in process:
        return []
    return [Operation("set_oom_score_adj", "/process/oomScoreAdj", (process["oomScoreAdj"],))]


def add_console(program: Program, process: Process, mount: bool) -> None:
    """The standard streams are a terminal, if one is asked for."""
    if process.get("terminal"):
        size = process.get("consoleSize", {"height": 0, "width": 0})
        program.add("open_console", "/process/terminal", size["height"], size["width"], int(mount))


def add_directory(program: Program, process: Process) -> None:
    """The working directory exists. To be planned before the root turns read-only."""
    directory = clean(process["cwd"])
    if directory != "/":
        program.add("make_directory", "/process/cwd", directory, 0o755)


def add_session(
    program: Program,
    linux: Linux,
    container_id: str,
    preserve_fds: int,
    no_new_keyring: bool,
) -> None:
    """The process leads a session, with the container's keyring and personality, and takes no descriptors
    along but the caller's.

    Args:
        preserve_fds: how many descriptors from 3 on stay open in the program.
    """
    program.add("new_session", "")
    if not no_new_keyring:
        program.add("join_keyring", "", f"_ses.{container_id}")
    if personality := linux.get("personality"):
        program.add("set_personality", "/linux/personality", PERSONAS[personality["domain"]])
    program.add("close_descriptors", "", preserve_fds)


def keeps_groups(config: Config) -> int:
    """1 if the process is to keep the caller's supplementary groups: podman's ``--group-add keep-groups``.

    They give access to files of groups that have no number in the container's user namespace. crun's annotation.
    """
    return int(config.get("annotations", {}).get("run.oci.keep_original_groups") == "1")


def add_user(
    program: Program,
    process: Process,
    capabilities: Capabilities,
    setgroups_denied: bool,
    keep_groups: int = 0,
) -> None:
    """The process is its user, in its working directory, and its program was found with the user's rights.

    Args:
        setgroups_denied: the user namespace has given up setgroups(2).
        keep_groups: 1 if the supplementary groups are the caller's, whatever is configured.

    Raises:
        ConfigError: groups where setgroups(2) is denied.
    """
    user = process.get("user", ROOT)
    additional = user.get("additionalGids", ())
    if setgroups_denied and additional and not keep_groups:
        raise ConfigError("/process/user/additionalGids", "a user namespace of one group can have no others")
    groups = None if setgroups_denied or keep_groups else _pack(additional)
    program.add("own_stdio", "/process/user/uid", user["uid"])
    program.add("limit_bounding", "/process/capabilities/bounding", capabilities.bounding)
    program.add(
        "set_user",
        "/process/user",
        user["uid"],
        user["gid"],
        groups,
        user.get("umask", DEFAULT_UMASK),
        capabilities.effective,
    )
    program.add("change_directory", "/process/cwd", process["cwd"], 0)
    program.add("find_executable", "/process/args/0", process["args"][0], _search_path(process))
    if not any(variable.startswith("HOME=") for variable in process.get("env", ())):
        program.add("find_home", "/process/env")


def add_execution(
    program: Program,
    process: Process,
    capabilities: Capabilities,
    seccomp: tuple[bytes, int] | None,
) -> None:
    """The process has given up what it may not keep, and is the user's program."""
    if rlimits := process.get("rlimits"):
        add_low_rlimits(program, rlimits)
    if process.get("noNewPrivileges"):
        program.add("set_no_new_privileges", "/process/noNewPrivileges")
    program.add(
        "raise_ambient",
        "/process/capabilities/ambient",
        capabilities.inheritable,
        capabilities.ambient,
    )
    # Without no_new_privs a filter takes CAP_SYS_ADMIN, which is about to go (seccomp(2)).
    if seccomp is not None:
        program.add("load_seccomp", "/linux/seccomp", *seccomp)
    program.add(
        "set_capabilities",
        "/process/capabilities",
        capabilities.effective,
        capabilities.permitted,
        capabilities.inheritable,
    )
    program.add("execute", "/process/args", list(process["args"]), list(process.get("env", ())))


def _pack(groups: Sequence[int]) -> bytes:
    return b"".join([group.to_bytes(4, "little") for group in groups])


def _search_path(process: Process) -> str:
    search = DEFAULT_PATH
    for variable in process.get("env", ()):
        if variable.startswith("PATH="):
            search = variable[len("PATH=") :]
    return search
