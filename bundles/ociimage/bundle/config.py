"""config.json of an image's configuration and the caller's options: pure, the same input gives the same output.

Spec: image-spec conversion.md; runtime-spec config.md. Defaults are docker's, which programs in images rely on.
"""

from __future__ import annotations

from ociimage.bundle.capabilities import capabilities
from ociimage.bundle.mounts import make_mounts
from ociimage.errors import InvalidOption
from ocispec import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ociimage.bundle.options import Options
    from ocispec.types import Capabilities, Config, DeviceRule, Linux, Namespace, Process

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# On a tmpfs, so that it leaves nothing in the container's files.
INIT = "/dev/init"
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount")


def make_config(image: dict[str, Any], options: Options, rootfs: str) -> Config:
    """The container's configuration.

    Args:
        image: the `config` of the image's configuration (`Image.container_config`), checked; {} for no image.
        rootfs: path of the root file system.

    Raises: InvalidOption for options that make no container, InvalidImage for an image that makes none.
    """
    config: Config = {
        "ociVersion": VERSION,
        "process": _process(image, options),
        "root": {"path": rootfs, "readonly": options.read_only},
        "mounts": make_mounts(options),
        "linux": _linux(options),
    }
    if options.hostname and _namespace(options, "uts") != "host":
        config["hostname"] = options.hostname
    if options.domainname and _namespace(options, "uts") != "host":
        config["domainname"] = options.domainname
    if options.hooks:
        config["hooks"] = options.hooks
    annotations = {**_image_annotations(image), **options.annotations}
    if annotations:
        config["annotations"] = annotations
    return config


def _image_annotations(image: dict[str, Any]) -> dict[str, str]:
    """What image-spec's conversion.md carries over. Labels are not: a runtime may obey annotations."""
    signal = image.get("StopSignal")
    return {"org.opencontainers.image.stopSignal": signal} if signal else {}


def arguments(image: dict[str, Any], options: Options) -> list[str]:
    """The command line: the entrypoint, then the command; an entrypoint of the caller's has no use for the image's.

    Raises: InvalidOption if there is nothing to run.
    """
    entrypoint = options.entrypoint
    command = options.command
    if entrypoint is None:
        entrypoint = image.get("Entrypoint") or []
        if command is None:
            command = image.get("Cmd") or []
    args = [*entrypoint, *(command or [])]
    if not args:
        raise InvalidOption("no command: the image has neither an entrypoint nor a command, so give one")
    if args[0] == "":
        raise InvalidOption("the command is an empty string")
    return args


def environment(image: dict[str, Any], options: Options) -> list[str]:
    """PATH, HOSTNAME, TERM and HOME, then the image's, then the caller's variables: never the host's.

    What an image holds that is not NAME=VALUE is no variable (CVE-2026-57231).
    """
    values = {"PATH": DEFAULT_PATH}
    if options.hostname:
        values["HOSTNAME"] = options.hostname
    if options.terminal:
        values["TERM"] = "xterm"
    values["HOME"] = options.user.home
    for entry in [*(image.get("Env") or ()), *options.env]:
        name, equals, value = entry.partition("=")
        if name and equals:
            values[name] = value
    return [f"{name}={value}" for name, value in values.items()]


def working_directory(image: dict[str, Any], options: Options) -> str:
    """Where the process starts; `ociimage.bundle.rootfs` makes it. Raises: InvalidOption"""
    path = options.workdir or image.get("WorkingDir") or "/"
    if not path.startswith("/"):
        if options.workdir:
            raise InvalidOption(f"the working directory {path!r} is not absolute")
        path = f"/{path}"
    return str(path)


def _process(image: dict[str, Any], options: Options) -> Process:
    user = options.user
    args = arguments(image, options)
    process: Process = {
        "terminal": options.terminal,
        "user": {"uid": user.uid, "gid": user.gid},
        "args": [INIT, "--", *args] if options.init else args,
        "env": environment(image, options),
        "cwd": working_directory(image, options),
        "capabilities": _capabilities(options),
        "noNewPrivileges": options.no_new_privileges,
    }
    if user.groups or not options.rootless:
        # With its own group, so that a set-group-id program does not leave it, and with it files that deny the group.
        process["user"]["additionalGids"] = [user.gid, *user.groups]
    if options.umask is not None:
        process["user"]["umask"] = options.umask
    if options.console_size and options.terminal:
        process["consoleSize"] = {"height": options.console_size[0], "width": options.console_size[1]}
    if options.rlimits:
        process["rlimits"] = options.rlimits
    if options.oom_score_adj is not None:
        process["oomScoreAdj"] = options.oom_score_adj
    if options.apparmor_profile and not options.privileged:
        process["apparmorProfile"] = options.apparmor_profile
    if options.selinux_label and not options.privileged:
        process["selinuxLabel"] = options.selinux_label
    return process


def process_capabilities(options: Options) -> list[str]:
    """The names of what the container may do."""
    return capabilities(options.cap_add, options.cap_drop, options.privileged, options.available_capabilities)


def _capabilities(options: Options) -> Capabilities:
    """All sets but the inheritable and the ambient one (CVE-2022-29162)."""
    names = process_capabilities(options)
    return {"bounding": names, "effective": list(names), "permitted": list(names)}


def _namespace(options: Options, kind: str) -> str:
    return options.namespaces.get(kind, "private")


def _linux(options: Options) -> Linux:
    linux: Linux = {"namespaces": _namespaces(options), "resources": {**options.resources}}
    if (options.uid_mappings or options.gid_mappings) and "user" not in options.namespaces:
        linux["uidMappings"] = options.uid_mappings
        linux["gidMappings"] = options.gid_mappings
    if not options.rootless:
        linux["resources"]["devices"] = _device_rules(options)
    if options.devices or options.privileged:
        linux["devices"] = [node for node, _ in options.devices]
    if options.cgroups_path:
        linux["cgroupsPath"] = options.cgroups_path
    sysctl = {**_default_sysctl(options), **options.sysctl}
    if sysctl:
        linux["sysctl"] = sysctl
    masked, readonly = options.masked_paths, options.readonly_paths
    if masked is None:
        masked = [] if options.privileged else list(MASKED_PATHS)
    if readonly is None:
        readonly = [] if options.privileged else list(READONLY_PATHS)
    linux["maskedPaths"] = masked
    linux["readonlyPaths"] = readonly
    if isinstance(options.seccomp, dict):
        linux["seccomp"] = options.seccomp
    elif options.seccomp is None and not options.privileged:
        from ociimage.bundle.seccomp import default_profile

        linux["seccomp"] = default_profile(process_capabilities(options), options.architecture)
    return linux


def _namespaces(options: Options) -> list[Namespace]:
    found: list[Namespace] = []
    kinds = [*_NAMESPACES, *(["cgroup"] if options.cgroup_v2 or "cgroup" in options.namespaces else [])]
    if options.uid_mappings or options.gid_mappings or "user" in options.namespaces:
        kinds.append("user")
    if "time" in options.namespaces:
        kinds.append("time")
    for kind in kinds:
        wanted = _namespace(options, kind)
        if wanted == "host":
            continue
        item: Namespace = {"type": kind}  # type: ignore[typeddict-item]
        if wanted != "private":
            if not wanted.startswith("/"):
                raise InvalidOption(f"{kind} namespace {wanted!r}: should be private, host, or a path")
            item["path"] = wanted
        found.append(item)
    return found


def _device_rules(options: Options) -> list[DeviceRule]:
    from ociimage.bundle.devices import ALL_RULE, DEFAULT_RULES

    if options.privileged:
        return [ALL_RULE]
    return [*DEFAULT_RULES, *(rule for _, rule in options.devices), *options.device_rules]


def _default_sysctl(options: Options) -> dict[str, str]:
    """In a network of its own everybody may ping and use low ports."""
    if _namespace(options, "network") != "private" or options.privileged:
        return {}
    values = {"net.ipv4.ip_unprivileged_port_start": "0"}
    if not options.uid_mappings and not options.rootless:
        # The range has to be mapped.
        values["net.ipv4.ping_group_range"] = "0 2147483647"
    return values
