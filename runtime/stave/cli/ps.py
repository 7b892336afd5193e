"""stave ps."""

from __future__ import annotations

from stave.cli.output import STDOUT, print_line, write
from stave.cli.root import state_root
from stave.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from stave.cli.parser import Invocation


def run(invocation: Invocation) -> int:
    """The container's processes are listed, by their pids in the caller's pid namespace."""
    from stave.container.state import processes

    pids = processes(state_root(invocation), invocation.container_id)
    if invocation.options["format"] == "json":
        from ocispec.jsontext import dumps

        print_line(dumps(pids))
    else:
        write(STDOUT, select_processes(_ps(invocation.arguments[1:] or ["-ef"]), pids))
    return 0


def select_processes(table: str, pids: Collection[int]) -> str:
    """The header of ps's output and the lines of these processes.

    Raises:
        Error: the table has no column PID.
    """
    header, *lines = table.splitlines(keepends=True) or [""]
    columns = header.split()
    if "PID" not in columns:
        raise Error("ps prints no column PID with these options")
    position = columns.index("PID")
    wanted = [[str(pid)] for pid in pids]
    return header + "".join([line for line in lines if line.split()[position : position + 1] in wanted])


def _ps(options: Sequence[str]) -> str:
    """What the host's ps prints with these options."""
    import subprocess

    try:
        done = subprocess.run(["ps", *options], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise Error(f"run ps: {error.strerror}") from error
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise Error(f"ps {' '.join(options)}: exit status {done.returncode}: {reason}")
    return done.stdout.decode("utf-8", "surrogateescape")
