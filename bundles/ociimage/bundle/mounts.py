"""What is mounted in every container, unless the caller mounts something else there."""

from __future__ import annotations

from ociimage.errors import InvalidOption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ociimage.bundle.options import Options
    from ocispec.types import Mount

# The group tty, nearly everywhere.
TTY_GROUP = 5
_BASIC = ("nosuid", "noexec", "nodev")


def make_mounts(options: Options) -> list[Mount]:
    """The usual mounts, then the caller's, each after those that it lies in."""
    own = {_normal(each["destination"]) for each in options.mounts}
    usual = [each for each in _usual(options) if each["destination"] not in own]
    if options.init:
        usual.append(_mount("/dev/init", "bind", options.init, "bind", "ro", "nosuid", "nodev"))
    # A stable sort by depth: /data before /data/inner, whatever order they were asked for.
    rest = sorted(options.mounts, key=lambda each: _normal(each["destination"]).count("/"))
    return [*usual, *rest]


def _usual(options: Options) -> list[Mount]:
    own_user = bool(options.uid_mappings or options.gid_mappings or "user" in options.namespaces)
    user_namespace = own_user or options.rootless
    host = {kind for kind, value in options.namespaces.items() if value == "host"}
    sys_options = () if options.privileged else ("ro",)
    cgroup_options = () if options.privileged or options.writable_cgroups else ("ro",)
    mounts = [
        # In a user namespace proc and sysfs can be mounted only for namespaces that belong to it.
        _bound("/proc", "rbind", *_BASIC)
        if user_namespace and "pid" in host
        else _mount("/proc", "proc", "proc", *_BASIC),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount(
            "/dev/pts",
            "devpts",
            "devpts",
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            *_pts_group(options),
        ),
        _bound("/sys", "rbind", *_BASIC, "ro")
        if "network" in host
        and user_namespace
        or own_user
        and options.namespaces.get("network", "private") != "private"
        else _mount("/sys", "sysfs", "sysfs", *_BASIC, *sys_options),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", *_BASIC, "relatime", *cgroup_options),
        _bound("/dev/mqueue", "bind", *_BASIC)
        if user_namespace and "ipc" in host
        else _mount("/dev/mqueue", "mqueue", "mqueue", *_BASIC),
    ]
    if "ipc" in host:
        mounts.append(_bound("/dev/shm", "bind", *_BASIC))
    else:
        size = f"size={options.shm_size}"
        mounts.append(_mount("/dev/shm", "tmpfs", "shm", *_BASIC, "mode=1777", size))
    return mounts


def _pts_group(options: Options) -> tuple[str, ...]:
    """Terminals belong to the group tty, if that can be said here."""
    mapped = not options.gid_mappings or any(
        each["containerID"] <= TTY_GROUP < each["containerID"] + each["size"] for each in options.gid_mappings
    )
    return ("mode=0620", f"gid={TTY_GROUP}") if mapped and options.tty_group else ("mode=0620",)


def _mount(destination: str, kind: str, source: str, *options: str) -> Mount:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def _bound(path: str, *options: str) -> Mount:
    """The host's own."""
    return _mount(path, "bind", path, *options)


def _normal(path: str) -> str:
    """Without doubled slashes, dots, and what `..` takes back. Raises: InvalidOption for what is not absolute."""
    if not path.startswith("/") or "\0" in path:
        raise InvalidOption(f"the mount point {path!r} is no absolute path")
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        raise InvalidOption("a mount on / would hide the whole image")
    return "/" + "/".join(parts)
