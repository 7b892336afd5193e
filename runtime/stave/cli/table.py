"""The commands and flags of `stave`: what the parser, the help and its tests all read.

A flag is ``(names, kind, default, choices, value, help)``: the first name is its key among the options;
`value` is how the help calls the value. A command is ``(module, flags, minimum, maximum, in_order,
arguments, summary)``: how many arguments it takes (maximum -1: any number), whether its flags all stand
before its arguments (the rest belongs to another program), and how the help writes the arguments.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Flag = tuple[tuple[str, ...], str, bool | int | str | None, tuple[str, ...], str, str]
    Command = tuple[str, tuple[Flag, ...], int, int, bool, str, str]

BOOL, NUMBER, TEXT, LIST = "bool", "number", "text", "list"

_HELP: Flag = (("help", "h"), BOOL, False, (), "", "show this help")
_PRESERVE: Flag = (
    ("preserve-fds",), NUMBER, 0, (), "N", "pass N more descriptors, from 3 on, to the process (default: 0)",
)  # fmt: skip
_PID_FILE: Flag = (("pid-file",), TEXT, "", (), "FILE", "write the process id to FILE")
_CONSOLE: Flag = (
    ("console-socket",), TEXT, "", (), "SOCKET", "AF_UNIX socket that receives the terminal's master end",
)  # fmt: skip
_DETACH: Flag = (("detach", "d"), BOOL, False, (), "", "return once the process runs")
_NO_SUBREAPER: Flag = (
    ("no-subreaper",),
    BOOL,
    False,
    (),
    "",
    "do not adopt orphaned processes of the container",
)
_PIDFD: Flag = (
    ("pidfd-socket",), TEXT, "", (), "SOCKET", "AF_UNIX socket that receives a descriptor of the process",
)  # fmt: skip
_FORMAT: Flag = (("format", "f"), TEXT, "table", ("table", "json"), "FORMAT", "table (default) or json")

GLOBAL: tuple[Flag, ...] = (
    (("root",), TEXT, "", (), "DIR", "the state directory (default: /run/stave, or $XDG_RUNTIME_DIR/stave)"),
    (("log",), TEXT, "", (), "FILE", "append messages to FILE as well"),
    (("log-format",), TEXT, "text", ("text", "json"), "FORMAT", "text (default) or json"),
    (("debug",), BOOL, False, (), "", "say more in the log"),
    (("trace",), TEXT, "", (), "FILE", "write when each operation ran, in Chrome's trace-event format"),
    (("systemd-cgroup",), BOOL, False, (), "", "let systemd make the control group"),
    (
        ("cgroup-manager",), TEXT, "cgroupfs", ("cgroupfs", "systemd", "disabled"), "MANAGER",
        "who makes the control group: cgroupfs (default), systemd, or nobody: disabled",
    ),
    (
        ("rootless",), TEXT, "auto", ("true", "false", "auto"), "WHEN",
        "ignore missing permission on control groups: true, false or auto (default)",
    ),
    (("criu",), TEXT, "", (), "FILE", "the criu to checkpoint and restore with (default: criu)"),
    _HELP,
    (("version", "v"), BOOL, False, (), "", "show the version"),
)  # fmt: skip

_CREATE: tuple[Flag, ...] = (
    (("bundle", "b"), TEXT, "", (), "DIR", "the bundle (default: the current directory)"),
    (("config", "f"), TEXT, "", (), "FILE", "the configuration, in place of the bundle's config.json"),
    _CONSOLE,
    _PID_FILE,
    _PIDFD,
    (("no-pivot",), BOOL, False, (), "", "move the root instead of pivot_root; for a root on a ramdisk"),
    (("no-new-keyring",), BOOL, False, (), "", "keep the caller's session keyring"),
    _PRESERVE,
    _HELP,
)
_RUN: tuple[Flag, ...] = (
    *_CREATE,
    _DETACH,
    (("keep",), BOOL, False, (), "", "do not delete the container when it ends"),
    _NO_SUBREAPER,
)
_EXEC: tuple[Flag, ...] = (
    _CONSOLE,
    _PIDFD,
    (("cwd",), TEXT, "", (), "DIR", "the working directory, in the container"),
    (("env", "e"), LIST, None, (), "NAME=VALUE", "set an environment variable"),
    (("tty", "t"), BOOL, False, (), "", "give the process a terminal"),
    (("user", "u"), TEXT, "", (), "USER", "UID or UID:GID, numeric"),
    (("additional-gids", "g"), LIST, None, (), "GID", "add a numeric group"),
    (("process", "p"), TEXT, "", (), "FILE", "take the whole process from FILE, in JSON"),
    _DETACH,
    _PID_FILE,
    (("process-label",), TEXT, "", (), "LABEL", "SELinux label of the process"),
    (("apparmor",), TEXT, "", (), "PROFILE", "AppArmor profile of the process"),
    (("no-new-privs",), BOOL, None, (), "", "set no_new_privs"),
    (("cap", "c"), LIST, None, (), "NAME", "add a capability"),
    _PRESERVE,
    (("cgroup",), LIST, None, (), "CGROUP", "join [CONTROLLER:]PATH below the container's control group"),
    (("ignore-paused",), BOOL, False, (), "", "also in a paused container"),
    _HELP,
)

_CRIU: tuple[Flag, ...] = (
    (("image-path",), TEXT, "", (), "DIR", "where the images are (default: checkpoint)"),
    (("work-path",), TEXT, "", (), "DIR", "where criu's log goes (default: to the images)"),
    (("tcp-established",), BOOL, False, (), "", "keep open TCP connections"),
    (("ext-unix-sk",), BOOL, False, (), "", "allow UNIX sockets whose other end is outside"),
    (("shell-job",), BOOL, False, (), "", "allow a terminal and a session from outside"),
    (("lazy-pages",), BOOL, False, (), "", "fetch memory when it is touched (userfaultfd)"),
    (("file-locks",), BOOL, False, (), "", "keep file locks"),
    (
        ("manage-cgroups-mode",), TEXT, "", ("soft", "full", "strict", "ignore"), "MODE",
        "what is restored of control groups: soft (default), full, strict or ignore",
    ),
    (("empty-ns",), LIST, None, (), "NAMESPACE", "restore the namespace empty: network"),
    (("auto-dedup",), BOOL, False, (), "", "drop memory from earlier images once it is in later ones"),
)  # fmt: skip
_CHECKPOINT: tuple[Flag, ...] = (
    *_CRIU,
    (("parent-path",), TEXT, "", (), "DIR", "images of an earlier --pre-dump, relative to --image-path"),
    (("leave-running",), BOOL, False, (), "", "let the container run on"),
    (("status-fd",), TEXT, "", (), "N", "write a NUL byte to descriptor N when lazy pages can be fetched"),
    (("page-server",), TEXT, "", (), "ADDRESS:PORT", "send memory to a page server"),
    (("pre-dump",), BOOL, False, (), "", "save memory only, for a later checkpoint; the container runs on"),
    (("link-remap",), BOOL, False, (), "", "allow open files whose names are gone, by making new names"),
    (("tcp-skip-in-flight",), BOOL, False, (), "", "leave out TCP connections that are being made"),
    _HELP,
)
_RESTORE: tuple[Flag, ...] = (
    *_CRIU,
    _CONSOLE,
    (("bundle", "b"), TEXT, "", (), "DIR", "the bundle (default: the current directory)"),
    _DETACH,
    _PID_FILE,
    _NO_SUBREAPER,
    (("no-pivot",), BOOL, False, (), "", "accepted and ignored: criu makes the root itself"),
    (("lsm-profile",), TEXT, "", (), "TYPE:NAME", "another profile: apparmor:NAME or selinux:LABEL"),
    (("lsm-mount-context",), TEXT, "", (), "CONTEXT", "another SELinux context of mounts"),
    _HELP,
)

_NAMED = "CONTAINER"


def _limit(name: str, value: str, text: str, *more: str) -> Flag:
    """A flag of `update`; absent is not the same as any value."""
    return ((name, *more), TEXT, "", (), value, text)


_UPDATE: tuple[Flag, ...] = (
    _limit(
        "resources", "FILE", "take the changes from FILE, linux.resources in JSON; - is standard input", "r"
    ),
    _limit("memory", "BYTES", "memory limit (as 512m; -1: none)"),
    _limit("memory-reservation", "BYTES", "memory that is reclaimed last"),
    _limit("memory-swap", "BYTES", "limit of memory and swap together (-1: none)"),
    _limit("kernel-memory", "BYTES", "accepted and ignored"),
    _limit("kernel-memory-tcp", "BYTES", "accepted and ignored"),
    _limit("cpu-share", "N", "weight against other groups, 2 to 262144 (1024 is usual)"),
    _limit("cpu-quota", "MICROSECONDS", "CPU time per period (-1: no limit)"),
    _limit("cpu-period", "MICROSECONDS", "length of the period"),
    _limit("cpu-burst", "MICROSECONDS", "unused CPU time that may be saved up"),
    _limit("cpu-rt-runtime", "MICROSECONDS", "real-time CPU time per real-time period"),
    _limit("cpu-rt-period", "MICROSECONDS", "length of the real-time period"),
    _limit("cpu-idle", "0|1", "1: run only when nothing else does"),
    _limit("cpuset-cpus", "LIST", "CPUs to use (as 0-2,5)"),
    _limit("cpuset-mems", "LIST", "memory nodes to use"),
    _limit("blkio-weight", "N", "weight of block I/O, 10 to 1000"),
    _limit("pids-limit", "N", "highest number of processes (-1: no limit)"),
    _limit("l3-cache-schema", "SCHEMA", "share of the L3 cache, of a container made with intelRdt"),
    _limit("mem-bw-schema", "SCHEMA", "share of the memory bandwidth, of a container made with intelRdt"),
    _HELP,
)

COMMANDS: dict[str, Command] = {
    "create": ("create", _CREATE, 1, 1, False, _NAMED, "create a container from a bundle"),
    "start": ("start", (_HELP,), 1, 1, False, _NAMED, "run the program of a created container"),
    "state": ("state", (_HELP,), 1, 1, False, _NAMED, "print the container's state in JSON"),
    "kill": (
        "kill",
        ((("all", "a"), BOOL, False, (), "", "signal every process of the container"), _HELP),
        1, 2, False, "CONTAINER [SIGNAL]", "send a signal (default: TERM) to the container's first process",
    ),
    "delete": (
        "delete",
        ((("force", "f"), BOOL, False, (), "", "kill what still runs; succeed if nothing is there"), _HELP),
        1, 1, False, _NAMED, "delete what is left of a stopped container",
    ),
    "run": ("run", _RUN, 1, 1, False, _NAMED, "create and start a container, wait for its end and delete it"),
    "exec": (
        "execute", _EXEC, 1, -1, True, "CONTAINER [PROGRAM [ARGUMENT ...]]",
        "run another process in a container",
    ),
    "list": (
        "list_",
        (_FORMAT, (("quiet", "q"), BOOL, False, (), "", "print the ids alone"), _HELP),
        0, 0, False, "", "list the containers below the state directory",
    ),
    "ps": ("ps", (_FORMAT, _HELP), 1, -1, True, "CONTAINER [OPTION ...]", "list the container's processes"),
    "pause": ("pause", (_HELP,), 1, 1, False, _NAMED, "freeze the container's processes"),
    "resume": ("pause", (_HELP,), 1, 1, False, _NAMED, "thaw the container's processes"),
    "update": ("update", _UPDATE, 1, 1, False, _NAMED, "change the container's limits"),
    "events": (
        "events",
        (
            (("interval",), TEXT, "5s", (), "DURATION", "time between two statistics, as 500ms or 1m30s (default: 5s)"),
            (("stats",), BOOL, False, (), "", "print the statistics once, and leave"),
            _HELP,
        ),
        1, 1, False, _NAMED, "print the container's use of the machine, and when it ran out of memory, in JSON",
    ),
    "mounts": (
        "mounts", (_HELP,), 3, 3, False, "add|remove CONTAINER FILE",
        "add the mounts that FILE lists, in JSON, to a container that lives, or remove them",
    ),
    "checkpoint": (
        "checkpoint", _CHECKPOINT, 1, 1, False, _NAMED, "save the state of the container's processes, and end them"
    ),
    "restore": ("restore", _RESTORE, 1, 1, False, _NAMED, "create a container from a checkpoint, and let it go on"),
    "spec": (
        "spec",
        (
            (("bundle", "b"), TEXT, "", (), "DIR", "where to write it (default: the current directory)"),
            (("rootless",), BOOL, False, (), "", "for a user without privileges"),
            _HELP,
        ),
        0, 0, False, "", "write a config.json to start from",
    ),
    "features": ("features", (_HELP,), 0, 0, False, "", "print what this runtime supports, in JSON"),
    "validate": ("validate", (_HELP,), 1, 1, False, "BUNDLE", "check a bundle's config.json"),
    "explain": (
        "explain",
        (
            (("json",), BOOL, False, (), "", "print it in JSON"),
            (
                ("seccomp",), TEXT, "", (), "SYSCALL",
                "print what the seccomp profile decides for a system call (name or number) instead",
            ),
            _HELP,
        ),
        1, 1, False, "BUNDLE", "print what creating the bundle's container would do",
    ),
    "doctor": (
        "doctor",
        ((("json",), BOOL, False, (), "", "print it in JSON"), _HELP),
        0, 0, False, "", "print what this machine supports, and limits that have changed",
    ),
    "completion": ("completion", (_HELP,), 1, 1, False, "bash|zsh|fish", "print a script that completes commands"),
    "help": ("help", (_HELP,), 0, 1, False, "[COMMAND]", "show the help of a command"),
    "version": ("version", (_HELP,), 0, 0, False, "", "show the version"),
}  # fmt: skip
