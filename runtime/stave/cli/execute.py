"""stave exec."""

from __future__ import annotations

from stave.cli.log import Log
from stave.cli.root import state_root
from stave.cli.user import parse_id, parse_user
from stave.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ocispec.types import Process
    from stave.cli.parser import Invocation

_TIOCGWINSZ = 0x5413
# What a process file states by itself.
_PROCESS_FLAGS = ("cwd", "env", "user", "additional-gids", "process-label", "apparmor", "no-new-privs", "cap")


def run(invocation: Invocation) -> int:
    """The process has run in the container (its exit status is returned), or with --detach is running."""
    from stave.container.caller import ExecOptions
    from stave.container.execute import execute

    root, container_id = state_root(invocation), invocation.container_id
    options = invocation.options
    if options["process"]:
        process = _process_from_file(options, invocation.arguments[1:])
    else:
        process = _process_from_flags(root, container_id, options, invocation.arguments[1:])
    how = ExecOptions(
        Log(invocation).warning,
        detach=options["detach"],
        pid_file=options["pid-file"] or None,
        console_socket=options["console-socket"] or None,
        pidfd_socket=options["pidfd-socket"] or None,
        preserve_fds=options["preserve-fds"],
        cgroups=options["cgroup"],
        ignore_paused=options["ignore-paused"],
        trace=invocation.global_options["trace"] or None,
    )
    return execute(root, container_id, process, how)


def _process_from_file(options: Mapping[str, Any], arguments: Sequence[str]) -> Process:
    from ocispec.config import parse_process, read_file
    from ocispec.errors import InvalidConfig, InvalidJSON

    ignored = [name for name in _PROCESS_FLAGS if options[name] not in ("", [], None)]
    if ignored or arguments:
        # To leave out, say, --user without a word would run the program with other rights than asked for.
        what = f"--{ignored[0]}" if ignored else "a program on the command line"
        raise Error(f"--process states the whole process: it excludes {what}")
    path = options["process"]
    try:
        process = parse_process(read_file(path))
    except InvalidConfig as error:
        error.path = path
        raise
    except InvalidJSON as error:
        raise InvalidJSON(f"{path}: {error}") from error
    if options["tty"]:
        _give_terminal(process)
    return process


def _process_from_flags(
    root: str, container_id: str, options: Mapping[str, Any], arguments: Sequence[str]
) -> Process:
    """The container's own process, changed by the flags."""
    from stave.container.execute import default_process

    if not arguments:
        raise Error("process args cannot be empty: name a program, or give --process")
    process = default_process(root, container_id)
    return merge(process, options, arguments)


def merge(process: Process, options: Mapping[str, Any], arguments: Sequence[str]) -> Process:
    """The same process object, now with these arguments and what the flags of `exec` say.

    Raises:
        Error: a flag's value is not of its form.
    """
    process["args"] = list(arguments)
    if cwd := options["cwd"]:
        if cwd[0] != "/":
            raise Error(f'--cwd "{cwd}" is not an absolute path')
        process["cwd"] = cwd
    if options["env"]:
        process["env"] = merge_environment(process.get("env", []), options["env"])
    _merge_user(process, options)
    if options["cap"]:
        _add_capabilities(process, options["cap"])
    if options["no-new-privs"] is not None:
        process["noNewPrivileges"] = options["no-new-privs"]
    if options["process-label"]:
        process["selinuxLabel"] = options["process-label"]
    if options["apparmor"]:
        process["apparmorProfile"] = options["apparmor"]
    # The container's own process may have one, this one has it only when asked for.
    process["terminal"] = False
    process.pop("consoleSize", None)
    if options["tty"]:
        _give_terminal(process)
    return process


def merge_environment(environment: Sequence[str], more: Sequence[str]) -> list[str]:
    """The variables of both; where a name is in both, the last value stands in the first one's place.

    Raises:
        Error: a variable without name or value.
    """
    merged: dict[str, str] = {variable.partition("=")[0]: variable for variable in environment}
    for variable in more:
        name, equals, _ = variable.partition("=")
        if not name or not equals:
            raise Error(f'invalid environment variable "{variable}": write NAME=VALUE')
        merged[name] = variable
    return list(merged.values())


def _merge_user(process: Process, options: Mapping[str, Any]) -> None:
    user = process.setdefault("user", {"uid": 0, "gid": 0})
    if options["user"]:
        uid, gid = parse_user(options["user"])
        user["uid"] = uid
        if gid is not None:
            user["gid"] = gid
    if options["additional-gids"]:
        added = [parse_id("group", text) for text in options["additional-gids"]]
        user["additionalGids"] = [*user.get("additionalGids", []), *added]


def _add_capabilities(process: Process, names: Sequence[str]) -> None:
    """The names are in the bounding, effective and permitted sets; of one that nobody knows the plan warns.

    Not in the inheritable one: a program file with inheritable capabilities would gain them (CVE-2022-29162).
    """
    sets = process.setdefault("capabilities", {})
    for text in names:
        name = text.upper()
        name = name if name.startswith("CAP_") else f"CAP_{name}"
        sets["bounding"] = [*sets.get("bounding", []), name]
        sets["effective"] = [*sets.get("effective", []), name]
        sets["permitted"] = [*sets.get("permitted", []), name]


def _give_terminal(process: Process) -> None:
    """The process gets a terminal, as large as the caller's if that has one."""
    from fcntl import ioctl

    process["terminal"] = True
    try:
        size = ioctl(0, _TIOCGWINSZ, bytes(8))
    except OSError:
        return
    height, width = int.from_bytes(size[0:2], "little"), int.from_bytes(size[2:4], "little")
    if height and width:
        process["consoleSize"] = {"height": height, "width": width}
