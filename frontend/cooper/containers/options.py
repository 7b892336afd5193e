"""The flags of run and create, read into one dict of JSON values that is kept with the container.

Nothing is looked up but what must be as it is now: variables of cooper's own environment, files of variables and labels,
relative sources of mounts. What the image says is joined with it when the container is made.

    image rootfs args entrypoint            entrypoint: list, or None for the image's
    tty interactive env workdir user groups umask init stop_signal stop_timeout
    labels annotations hostname domainname restart {name maximum} remove log {driver size files tag}
    mounts [{type source target options}]   volumes_from read_only shm_size
    resources {memory ...}  ulimits [[name soft hard]]  sysctls  oom_score_adj  cgroup_parent
    cap_add cap_drop privileged security_opt devices device_rules userns pid ipc uts cgroupns
    network {networks ip ... }              as the flags gave it: cooper.networks reads it
    health {command interval timeout retries start start_interval action} or None, or {} for no check
"""

from __future__ import annotations

from cooper.containers.record import read_file
from cooper.containers.values import (
    check_name,
    is_number,
    parse_cpus,
    parse_duration,
    parse_fields,
    parse_pairs,
    parse_size,
)
from cooper.errors import Error, UsageError
from cooper.settings import absolute, environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.cli.command import Invocation

RESTART_POLICIES = ("no", "on-failure", "always", "unless-stopped")
LOG_DRIVERS = {
    "": "k8s-file",
    "k8s-file": "k8s-file",
    "json-file": "k8s-file",
    "local": "k8s-file",
    "none": "none",
    "journald": "journald",
}
LOG_SIZE, LOG_FILES = 10_000_000, 3
_UNHEALTHY = ("none", "kill", "restart", "stop")
_MOUNT_TYPES = ("bind", "volume", "tmpfs")
_NETWORK = {
    "networks": "network", "publish": "publish", "publish_all": "publish-all", "expose": "expose", "ip": "ip",
    "ip6": "ip6", "mac": "mac-address", "aliases": "network-alias", "dns": "dns", "dns_search": "dns-search",
    "dns_option": "dns-option", "add_host": "add-host",
}  # fmt: skip


def read_options(invocation: Invocation) -> dict[str, Any]:
    """The options of `cooper run` or `cooper create`. Raises: UsageError, Error."""
    given = invocation.options
    arguments = list(invocation.arguments)
    image = ""
    if given["rootfs"]:
        if absolute(given["rootfs"]) == "/":
            raise UsageError("--rootfs: the host's own root cannot be a container's")
    elif arguments:
        image = arguments.pop(0)
    else:
        raise UsageError(
            f"cooper {invocation.command} takes an image", f"see cooper {invocation.command} --help"
        )
    if given["name"]:
        check_name(given["name"], "container")
    restart = parse_restart(given["restart"])
    if given["rm"] and restart["name"] != "no":
        raise UsageError("--rm and --restart exclude each other")
    for flag in ("interactive", "tty"):
        if not isinstance(given[flag], bool):
            raise UsageError(f"--{flag} takes no value")
    return {
        "image": image,
        "image_id": "",
        "image_config": {},
        "runtime": given["runtime"] or invocation.settings.runtime,
        "detached": bool(given.get("detach")),
        "rootfs": absolute(given["rootfs"]) if given["rootfs"] else "",
        "args": arguments,
        "entrypoint": _entrypoint(invocation),
        "tty": given["tty"],
        "interactive": given["interactive"],
        "env": read_environment(given["env"], given["env-file"]),
        "workdir": given["workdir"],
        "user": given["user"],
        "groups": given["group-add"],
        "umask": _umask(given["umask"]),
        "init": given["init"],
        "stop_signal": given["stop-signal"],
        "stop_timeout": given["stop-timeout"],
        "labels": {**_pairs_from(given["label-file"]), **parse_pairs(given["label"], "--label")},
        "annotations": parse_pairs(given["annotation"], "--annotation"),
        "hostname": given["hostname"],
        "domainname": given["domainname"],
        "restart": restart,
        "remove": given["rm"],
        "log": _log(given["log-driver"], given["log-opt"]),
        "mounts": _mounts(given),
        "volumes_from": given["volumes-from"],
        "read_only": given["read-only"],
        "shm_size": parse_size(given["shm-size"] or "64m", "--shm-size"),
        "resources": read_resources(given, invocation.given),
        "oom_score_adj": given["oom-score-adj"],
        "ulimits": [_ulimit(text) for text in given["ulimit"]],
        "sysctls": parse_pairs(given["sysctl"], "--sysctl"),
        "cgroup_parent": given["cgroup-parent"],
        "cap_add": _capabilities(given["cap-add"], "--cap-add"),
        "cap_drop": _capabilities(given["cap-drop"], "--cap-drop"),
        "privileged": given["privileged"],
        "security_opt": given["security-opt"],
        "devices": given["device"],
        "device_rules": given["device-cgroup-rule"],
        "userns": given["userns"],
        "id_maps": {},
        "pid": given["pid"],
        "ipc": given["ipc"],
        "uts": given["uts"],
        "cgroupns": given["cgroupns"],
        "network": {key: given[flag] for key, flag in _NETWORK.items() if given[flag]},
        "health": _health(given, invocation.given),
    }


def parse_restart(text: str) -> dict[str, Any]:
    """``on-failure:5`` and the like."""
    name, colon, maximum = text.partition(":")
    if name not in RESTART_POLICIES or (colon and name != "on-failure"):
        raise UsageError(f"--restart: {text!r} is none of {', '.join(RESTART_POLICIES)}")
    if colon and not is_number(maximum):
        raise UsageError(f"--restart: {maximum!r} is not how often to try")
    return {"name": name, "maximum": int(maximum or 0)}


def read_resources(given: dict[str, Any], named: set[str]) -> dict[str, Any]:
    """The limits among the flags of run, create and update; only those that were given."""
    limits: dict[str, Any] = {}
    for flag in ("memory", "memory-reservation", "memory-swap"):
        text = given[flag] or "0"
        unlimited = flag == "memory-swap" and text == "-1"
        size = -1 if unlimited else parse_size(text, f"--{flag}")
        if size:  # 0 is no limit, as docker has it
            limits[flag.replace("-", "_")] = size
    if given["cpus"]:
        if "cpu-quota" in named or "cpu-period" in named:
            raise UsageError("--cpus and --cpu-quota with --cpu-period exclude each other")
        limits["cpus"] = parse_cpus(given["cpus"], "--cpus")
    for flag in ("cpu-shares", "cpu-period", "cpu-quota", "pids-limit", "blkio-weight"):
        if flag in named:
            limits[flag.replace("-", "_")] = given[flag]
    for flag in ("cpuset-cpus", "cpuset-mems"):
        if given[flag]:
            limits[flag.replace("-", "_")] = given[flag]
    if given.get("memory-swappiness", -1) != -1:
        limits["memory_swappiness"] = given["memory-swappiness"]
    if given.get("oom-kill-disable"):
        limits["oom_kill_disable"] = True
    for flag in ("device-read-bps", "device-write-bps", "device-read-iops", "device-write-iops"):
        for text in given.get(flag) or ():
            device, colon, rate = text.rpartition(":")
            if not colon:
                raise UsageError(f"--{flag}: {text!r} is not DEVICE:RATE")
            limits.setdefault(flag.replace("-", "_"), []).append([device, parse_size(rate, f"--{flag}")])
    if given.get("cgroup-conf"):
        limits["unified"] = parse_pairs(given["cgroup-conf"], "--cgroup-conf")
    swap, memory = limits.get("memory_swap"), limits.get("memory")
    if swap is not None and swap != -1 and (memory is None or swap < memory):
        raise UsageError("--memory-swap is memory and swap together", "it must be at least --memory, or -1")
    return limits


def _entrypoint(invocation: Invocation) -> list[str] | None:
    if "entrypoint" not in invocation.given:
        return None
    text = invocation.options["entrypoint"]
    if text[:1] == "[":
        from ocispec import jsontext

        value = jsontext.loads(text.encode())
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise UsageError("--entrypoint: not a list of words")
        return value
    return [text] if text else []


def read_environment(values: list[str], files: list[str]) -> list[str]:
    """``NAME=VALUE`` each. A NAME alone is taken from cooper's own environment, and left out if it is not there."""
    import posix

    found: dict[str, str] = {}
    for value in (*_lines(files), *values):
        name, equals, rest = value.partition("=")
        if not name or "\0" in value:
            raise UsageError(f"--env: {value!r} has no name before the =")
        if not equals:
            if name.encode() not in posix.environ:
                continue
            rest = environment(name)
        found[name] = rest
    return [f"{name}={value}" for name, value in found.items()]


def _lines(files: list[str]) -> list[str]:
    """The lines of files of variables, without comments and empty ones."""
    lines = []
    for file in files:
        try:
            text = read_file(file, 1 << 20).decode()
        except OSError as error:
            raise Error(f"read {file}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise Error(f"read {file}: it is not UTF-8") from error
        lines += [
            line.lstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
        ]
    return lines


def _pairs_from(files: list[str]) -> dict[str, str]:
    return parse_pairs(_lines(files), "--label-file")


def _umask(text: str) -> int | None:
    if not text:
        return None
    if text.strip("01234567") or len(text) > 4:
        raise UsageError(f"--umask: {text!r} is not an octal mask such as 0022")
    return int(text, 8)


def _log(driver: str, options: list[str]) -> dict[str, Any]:
    if driver not in LOG_DRIVERS:
        raise UsageError(
            f"--log-driver: {driver!r} is none of k8s-file (also json-file, local), journald, none"
        )
    pairs = parse_pairs(options, "--log-opt")
    log: dict[str, Any] = {"driver": LOG_DRIVERS[driver], "size": LOG_SIZE, "files": LOG_FILES}
    journal = log["driver"] == "journald"
    for name, value in pairs.items():
        if journal and name == "tag":
            log["tag"] = value
        elif journal:
            raise UsageError(
                f"--log-opt: journald has no {name}", "journald.conf(5) says how much is kept; tag is known"
            )
        elif name == "max-size":
            log["size"] = 0 if value == "-1" else parse_size(value, "--log-opt max-size")
        elif name == "max-file":
            if not is_number(value) or int(value) < 1:
                raise UsageError(f"--log-opt max-file: {value!r} is not a number of files")
            log["files"] = int(value)
        else:
            raise UsageError(f"--log-opt: unknown option {name}", "max-size and max-file are known")
    return log


def _mounts(given: dict[str, Any]) -> list[dict[str, Any]]:
    mounts = [_volume(text) for text in given["volume"]]
    mounts += [_mount(text) for text in given["mount"]]
    for text in given["tmpfs"]:
        target, _, options = text.partition(":")
        mounts.append(_entry("tmpfs", "", target, [each for each in options.split(",") if each], "--tmpfs"))
    targets = [mount["target"] for mount in mounts]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(f"two mounts on {target}")
    return mounts


def _volume(text: str) -> dict[str, Any]:
    """``[SOURCE:]TARGET[:OPTIONS]``: a path with a slash or a dot first is bound, a name is a volume's."""
    parts = text.split(":")
    if len(parts) > 3 or not parts[0]:
        raise UsageError(f"--volume: {text!r} is not SOURCE:TARGET[:OPTIONS]")
    if len(parts) == 1:
        return _entry("volume", "", parts[0], [], "--volume")
    source, target = parts[:2]
    options = [option for option in (parts[2] if len(parts) > 2 else "").split(",") if option]
    if source.startswith(("/", ".", "~")):
        if source.startswith("~"):
            source = (environment("HOME") or "/root") + source[1:]
        return _entry("bind", absolute(source), target, options, "--volume")
    check_name(source, "volume")
    return _entry("volume", source, target, options, "--volume")


def _mount(text: str) -> dict[str, Any]:
    fields = parse_fields(text, "--mount")
    kind = fields.pop("type", "volume")
    if kind not in _MOUNT_TYPES:
        raise UsageError(f"--mount: type={kind} is none of {', '.join(_MOUNT_TYPES)}")
    source = fields.pop("source", fields.pop("src", ""))
    target = fields.pop("target", fields.pop("destination", fields.pop("dst", "")))
    options: list[str] = []
    for key, value in fields.items():
        if key in ("readonly", "ro") and value in ("", "true", "1"):
            options.append("ro")
        elif key in ("readonly", "ro") and value in ("false", "0"):
            continue
        elif key == "bind-propagation":
            options.append(value)
        elif key == "tmpfs-size":
            options.append(f"size={parse_size(value, '--mount tmpfs-size')}")
        elif key == "tmpfs-mode":
            options.append(f"mode={value}")
        elif key == "volume-nocopy":
            options.append("nocopy")
        elif key in ("idmap", "u", "chown", "rro", "nocopy", "nosuid", "noexec", "nodev"):
            options.append(f"{key}={value}" if value else key)
        else:
            raise UsageError(f"--mount: unknown option {key}")
    if kind == "bind":
        if not source:
            raise UsageError("--mount type=bind needs a source")
        source = absolute(source)
    elif kind == "volume" and source:
        check_name(source, "volume")
    return {**_entry(kind, source, target, options, "--mount"), "strict": True}


def _entry(kind: str, source: str, target: str, options: list[str], flag: str) -> dict[str, Any]:
    if not target.startswith("/"):
        raise UsageError(f"{flag}: the target {target!r} is not an absolute path in the container")
    target = absolute(target)
    if target == "/":
        raise UsageError(f"{flag}: a mount cannot replace the container's root")
    return {"type": kind, "source": source, "target": target, "options": options}


def _ulimit(text: str) -> list[Any]:
    name, _, values = text.partition("=")
    soft, colon, hard = values.partition(":")
    numbers = []
    for value in (soft, hard if colon else soft):
        if value in ("-1", "unlimited"):
            numbers.append(2**64 - 1)
        elif is_number(value):
            numbers.append(int(value))
        else:
            raise UsageError(f"--ulimit: {text!r} is not NAME=SOFT[:HARD]")
    if numbers[0] > numbers[1]:
        raise UsageError(f"--ulimit {name}: the soft limit is above the hard one")
    return [f"RLIMIT_{name.upper().removeprefix('RLIMIT_')}", *numbers]


def _capabilities(values: list[str], flag: str) -> list[str]:
    names = []
    for value in ",".join(values).split(",") if values else ():
        name = value.strip().upper()
        if not name.replace("_", "").isalnum():
            raise UsageError(f"{flag}: {value!r} is not a capability")
        names.append(name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}")
    return names


def _health(given: dict[str, Any], named: set[str]) -> dict[str, Any] | None:
    flags = [flag for flag in named if flag.startswith("health-")]
    if given["no-healthcheck"]:
        if flags:
            raise UsageError("--no-healthcheck excludes the other --health flags")
        return {}
    if not flags:
        return None
    health: dict[str, Any] = {}
    if given["health-cmd"]:
        health["command"] = ["CMD-SHELL", given["health-cmd"]]
    for flag, key in (
        ("health-interval", "interval"),
        ("health-timeout", "timeout"),
        ("health-start-period", "start"),
        ("health-start-interval", "start_interval"),
    ):
        if given[flag]:
            health[key] = parse_duration(given[flag], f"--{flag}")
    if "health-retries" in named:
        health["retries"] = given["health-retries"]
    if given["health-on-failure"]:
        if given["health-on-failure"] not in _UNHEALTHY:
            raise UsageError(f"--health-on-failure: none of {', '.join(_UNHEALTHY)}")
        health["action"] = given["health-on-failure"]
    return health
