"""`cooper version`."""

from __future__ import annotations

import cooper
from cooper.cli.command import TEXT, Command, Flag, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    flags=(Flag("format", "f", TEXT, "TEMPLATE", "json or a Go template"),),
    examples=(("cooper version", "the versions of cooper and of the OCI runtime"),),
)


def run(invocation: Invocation) -> int:
    """The versions are printed."""
    runtime = _runtime(invocation)
    form = invocation.options.get("format", "")
    versions = {"Version": cooper.__version__, "Runtime": runtime}
    if form:
        from cooper.cli.template import print_rows

        print_rows([_both(versions)], form, {})
    else:
        print_line(f"cooper version {cooper.__version__}")
        print_line(f"runtime: {runtime}")
    return 0


def _both(versions: dict[str, str]) -> dict[str, object]:
    """As docker tells of its client and its server, which are one program here."""
    import posix

    from ociimage.importing import host_platform

    platform = host_platform()
    kernel = posix.uname().release
    one = {**versions, "Os": platform["os"], "Arch": platform["architecture"], "KernelVersion": kernel}
    return {**versions, "Client": one, "Server": one}


def _runtime(invocation: Invocation) -> str:
    """The first line of what the runtime says of itself."""
    import posix

    from cooper.containers.runtime import Runtime, spawn, wait_for
    from cooper.errors import Error

    try:
        path = Runtime(invocation.settings, invocation.settings.runtime).path
        reading, writing = posix.pipe2(posix.O_CLOEXEC)
        child = spawn([path, "--version"], (-1, writing, -1))
        posix.close(writing)
        text = posix.read(reading, 4096).decode("utf-8", "replace")
        wait_for(child)
    except Error as error:
        return str(error)
    return f"{text.splitlines()[0] if text else '?'} ({path})"
