"""The options of a container, and the host as it is now, as `ociimage.bundle` wants them: config.json is made there."""

from __future__ import annotations

import posix

from cooper.containers.limits import resources
from cooper.containers.userns import maps_of, outside
from cooper.containers.values import is_number
from cooper.errors import Error, UsageError
from ociimage.bundle.config import make_config
from ociimage.bundle.mounts import TTY_GROUP
from ociimage.bundle.options import Options
from ociimage.bundle.rootfs import Rootfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cooper.settings import Settings
    from cooper.state.database import Database
    from ociimage.bundle.users import User

# crun before 1.12 and runc before 1.2 refuse what is later, and nothing here needs it.
SPEC_VERSION = "1.0.2"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386", "ppc64le": "ppc64le"}
_INIT = "cooper-init"


def compile_config(
    settings: Settings,
    database: Database,
    options: dict[str, Any],
    *,
    root: str,
    mapped_root: str,
    hostname: str,
    cgroup: str,
    mounts: Sequence[dict[str, Any]],
    network: str,
    size: tuple[int, int],
) -> dict[str, Any]:
    """config.json of a container that is about to start.

    Args:
        root: where its root file system is mounted.
        mapped_root: the same as the container is to see it.
        mounts: entries of config.json.
        network: "private", "host" or the path of a network namespace.
        size: rows and columns of the terminal, so that the program finds it so from the beginning; (0, 0) if unknown.

    Raises: Error, UsageError, and what ociimage raises.
    """
    image = options["image_config"]
    uids, gids = maps_of(options, "uids"), maps_of(options, "gids")
    namespaces = {"network": network, **_namespaces(settings, database, options)}
    with Rootfs(root) as rootfs:
        user = rootfs.user(options["user"] or image.get("User") or "", options["groups"])
        if settings.rootless:
            _check_ids(user)
        if options["workdir"] or image.get("WorkingDir"):
            directory = options["workdir"] or image["WorkingDir"]
            rootfs.make_working_directory(directory, outside(uids, user.uid), outside(gids, user.gid))
    security = _security(options["security_opt"])
    wanted = Options(
        command=options["args"] or None,
        entrypoint=options["entrypoint"],
        env=options["env"],
        workdir=options["workdir"],
        user=user,
        terminal=options["tty"],
        console_size=size if size[0] else None,
        umask=options["umask"],
        init=_init() if options["init"] else "",
        oom_score_adj=options["oom_score_adj"] or None,
        rlimits=[{"type": name, "soft": soft, "hard": hard} for name, soft, hard in options["ulimits"]],
        hostname=hostname,
        uid_mappings=uids,
        gid_mappings=gids,
        domainname=options["domainname"],
        namespaces=namespaces,
        privileged=options["privileged"],
        cap_add=options["cap_add"],
        cap_drop=options["cap_drop"],
        available_capabilities=_available_capabilities(),
        read_only=options["read_only"],
        mounts=list(mounts),
        shm_size=options["shm_size"],
        devices=_devices(options),
        device_rules=[_device_rule(text) for text in options["device_rules"]],
        resources=resources(options["resources"]),
        cgroups_path=cgroup,
        sysctl=options["sysctls"],
        annotations=options["annotations"],
        cgroup_v2=posix.access("/sys/fs/cgroup/cgroup.controllers", posix.F_OK),
        rootless=settings.rootless,
        tty_group=not settings.rootless or _has_tty_group(),
        architecture=_ARCHITECTURES.get(posix.uname().machine, posix.uname().machine),
        **security,
    )
    if isinstance(wanted.seccomp, bytes):
        from ociimage.bundle.config import process_capabilities
        from ociimage.bundle.seccomp import load_profile

        wanted.seccomp = load_profile(wanted.seccomp, process_capabilities(wanted), wanted.architecture)
    config: dict[str, Any] = make_config(image, wanted, mapped_root)  # type: ignore[assignment]
    config["ociVersion"] = SPEC_VERSION
    return config


def _check_ids(user: User) -> None:
    """Raises: Error for a user that an ordinary user's namespace does not have."""
    from cooper.rootless.idmaps import last_id

    for kind, number in (("uid", user.uid), ("gid", user.gid), *(("gid", each) for each in user.groups)):
        last = last_id(kind)
        if number > last:
            raise Error(
                f"the {kind} {number} of the container's user is beyond {last}, the last that this user has",
                f"more of them in /etc/sub{kind}, for containers that are started when none runs",
            )


def _has_tty_group() -> bool:
    from cooper.rootless.idmaps import last_id

    return last_id("gid") >= TTY_GROUP


def _init() -> str:
    from cooper.containers.runtime import own_program

    return own_program(_INIT)


def _available_capabilities() -> int:
    """The bits that this process could give, as proc(5) shows them."""
    from cooper.containers.record import read_file

    for line in read_file("/proc/self/status").splitlines():
        if line.startswith(b"CapBnd:"):
            return int(line.split()[1], 16)
    return (1 << 41) - 1


def _namespaces(settings: Settings, database: Database, options: dict[str, Any]) -> dict[str, str]:
    """What --pid, --ipc, --uts and --cgroupns ask for."""
    found = {}
    for flag, kind in (("pid", "pid"), ("ipc", "ipc"), ("uts", "uts"), ("cgroupns", "cgroup")):
        mode = options[flag]
        if mode in ("", "private", "shareable", "none"):
            continue
        name, colon, rest = mode.partition(":")
        if mode == "host":
            found[kind] = "host"
        elif name == "container" and rest:
            found[kind] = f"/proc/{container_pid(settings, database, rest)}/ns/{kind}"
        elif name == "ns" and rest.startswith("/"):
            found[kind] = rest
        else:
            raise UsageError(f"--{flag}: {mode!r} is none of private, host, container:NAME")
    return found


def container_pid(settings: Settings, database: Database, name: str) -> int:
    """The first process of another container. Raises: NotFound; Conflict if it does not run."""
    from cooper.containers.lookup import running

    return running(settings, database, name).pid


def _devices(options: dict[str, Any]) -> list[Any]:
    from ociimage.bundle import devices

    found: list[Any] = []
    if options["privileged"]:
        found += [(node, devices.ALL_RULE) for node in devices.host_devices()]
    for text in options["devices"]:
        source, _, rest = text.partition(":")
        target, _, access = rest.partition(":")
        if target and not target.startswith("/") and not access:
            target, access = "", target
        found += devices.device(source, target, access or "rwm")
    return found


def _device_rule(text: str) -> dict[str, Any]:
    """``c 1:3 rwm``; a * is any number."""
    words = text.split()
    numbers = words[1].split(":") if len(words) == 3 else []
    if len(numbers) != 2 or words[0] not in ("a", "b", "c") or words[2].strip("rwm"):
        raise UsageError(f"--device-cgroup-rule: {text!r} is not like 'c 1:3 rwm'")
    rule: dict[str, Any] = {"allow": True, "type": words[0], "access": words[2]}
    for key, number in zip(("major", "minor"), numbers, strict=True):
        if number != "*":
            if not is_number(number):
                raise UsageError(f"--device-cgroup-rule: {number!r} is neither a number nor *")
            rule[key] = int(number)
    return rule


def _security(values: list[str]) -> dict[str, Any]:
    """--security-opt."""
    found: dict[str, Any] = {}
    for text in values:
        name, separator, value = text.partition("=" if "=" in text else ":")
        if name == "seccomp":
            found["seccomp"] = "unconfined" if value == "unconfined" else _profile(value)
        elif name == "apparmor":
            found["apparmor_profile"] = "" if value == "unconfined" else value
        elif name == "no-new-privileges":
            found["no_new_privileges"] = value != "false"
        elif name in ("systempaths", "unmask"):
            if value not in ("unconfined", "ALL", "all"):
                raise UsageError(f"--security-opt {name}: {value!r} is not unconfined")
            found["masked_paths"], found["readonly_paths"] = [], []
        elif name == "label":
            if value != "disable":
                found["selinux_label"] = value
        elif name == "writable-cgroups":
            found["writable_cgroups"] = value != "false"
        else:
            raise UsageError(
                f"--security-opt: {text!r} is unknown",
                "seccomp=, apparmor=, no-new-privileges, label=, systempaths=",
            )
    return found


def _profile(path: str) -> bytes:
    from cooper.containers.record import read_file

    try:
        return read_file(path)
    except OSError as error:
        raise Error(f"--security-opt seccomp={path}: {error.strerror}") from error


def user_of(root: str, text: str) -> User:
    """USER[:GROUP] looked up below the root. Raises: InvalidOption."""
    with Rootfs(root) as rootfs:
        return rootfs.user(text)


def all_capabilities() -> list[str]:
    """The names of all that cooper can give."""
    from ociimage.bundle.capabilities import capabilities

    return capabilities([], [], True, _available_capabilities())
