"""The processes of a container. Nothing of the container is executed or opened: the host's /proc has it all."""

from __future__ import annotations

import os
import time

from cooper.cli.output import STDOUT, table, write
from cooper.containers.cgroups import Groups, namespace_processes
from cooper.containers.launch import cgroup_path
from cooper.containers.lookup import open_database, running
from cooper.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cooper.cli.command import Invocation

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
DEFAULT = ("user", "pid", "ppid", "%cpu", "stime", "tty", "time", "args")


class Process:
    """What /proc says of one process."""

    def __init__(self, pid: int) -> None:
        """Raises: OSError if it has gone."""
        with open(f"/proc/{pid}/stat", "rb") as file:
            head, _, rest = file.read().rpartition(b")")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            self.words = file.read().decode("utf-8", "replace").split("\0")
        with open(f"/proc/{pid}/status", "rb") as file:
            lines = dict(line.split(b":", 1) for line in file.read().splitlines() if b":" in line)
        self.pid = pid
        self.fields = rest.split()
        self.name = head.partition(b"(")[2].decode("utf-8", "replace")
        self.uid = int(lines[b"Uid"].split()[1])
        self.inner = int(lines.get(b"NSpid", b"0").split()[-1])

    @property
    def seconds(self) -> int:
        """Processor time."""
        return (int(self.fields[11]) + int(self.fields[12])) // _TICKS

    @property
    def started(self) -> float:
        """Seconds since 1970."""
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + int(self.fields[19]) / _TICKS

    @property
    def share(self) -> str:
        """Processor time in percent of its life."""
        return f"{100 * self.seconds / max(time.time() - self.started, 1):.1f}"

    @property
    def terminal(self) -> str:
        """pts/N, or ?."""
        device = int(self.fields[4])
        return f"pts/{os.minor(device)}" if 136 <= os.major(device) <= 143 else "?"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


# What people type after `ps`.
_FORMS = {
    "ef": DEFAULT,
    "aux": ("user", "pid", "%cpu", "vsz", "rss", "tty", "stat", "stime", "time", "args"),
}
_OTHER_NAMES = {
    "cmd": "args",
    "command": "args",
    "pcpu": "%cpu",
    "start": "stime",
    "state": "stat",
    "ucmd": "comm",
}
COLUMNS: dict[str, tuple[str, Callable[[Process], str]]] = {
    "user": ("USER", lambda process: _user(process.uid)),
    "uid": ("UID", lambda process: str(process.uid)),
    "pid": ("PID", lambda process: str(process.pid)),
    "nspid": ("NSPID", lambda process: str(process.inner)),
    "ppid": ("PPID", lambda process: process.fields[1].decode()),
    "%cpu": ("%CPU", lambda process: process.share),
    "rss": ("RSS", lambda process: str(int(process.fields[21]) * _PAGE // 1024)),
    "vsz": ("VSZ", lambda process: str(int(process.fields[20]) // 1024)),
    "stat": ("STAT", lambda process: process.fields[0].decode()),
    "stime": ("STIME", lambda process: time.strftime("%H:%M", time.localtime(process.started))),
    "tty": ("TTY", lambda process: process.terminal),
    "time": ("TIME", lambda process: _clock(process.seconds)),
    "comm": ("COMMAND", lambda process: process.name),
    "args": ("COMMAND", lambda process: " ".join(process.words).strip() or f"[{process.name}]"),
}


def _columns(wanted: list[str]) -> list[str]:
    """As ps takes them: -o a,b or several words, or -ef and the like."""
    found: list[str] = []
    for text in wanted:
        form = text.lstrip("-").rstrip("w") if text not in COLUMNS else ""
        if form in _FORMS:
            found += _FORMS[form]
        elif text not in ("-o", "-eo"):
            found += [_OTHER_NAMES.get(word, word) for word in text.lower().split(",")]
    return found or list(DEFAULT)


def list_processes(invocation: Invocation) -> int:
    """`cooper top`."""
    name, *wanted = invocation.arguments
    columns = _columns(wanted)
    for column in columns:
        if column not in COLUMNS:
            raise UsageError(f"there is no column {column}", f"there are {', '.join(COLUMNS)}")
    container = running(invocation.settings, open_database(invocation.settings), name)
    try:
        own_group = cgroup_path(invocation.settings, container, container.options)
        pids = Groups(container.pid).processes() if own_group else namespace_processes(container.pid)
    except OSError as error:
        raise Error(f"the container {name} ended meanwhile") from error
    rows = []
    for pid in pids:
        try:
            process = Process(pid)
        except (OSError, KeyError, IndexError):
            continue
        rows.append([COLUMNS[column][1](process) for column in columns])
    write(STDOUT, table([COLUMNS[column][0] for column in columns], rows))
    return 0
